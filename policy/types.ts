/** The tokens of the resources' types that the rules know. */
export const B2_BUCKET = "b2:index/bucket:Bucket";
export const B2_KEY = "b2:index/applicationKey:ApplicationKey";
export const R2_BUCKET = "cloudflare:index/r2Bucket:R2Bucket";
export const R2_LOCK = "cloudflare:index/r2BucketLock:R2BucketLock";
export const R2_LIFECYCLE = "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle";
export const R2_MANAGED_DOMAIN = "cloudflare:index/r2ManagedDomain:R2ManagedDomain";
export const R2_CUSTOM_DOMAIN = "cloudflare:index/r2CustomDomain:R2CustomDomain";
export const REMOTE_COMMAND = "command:remote:Command";
export const LOCAL_COMMAND = "command:local:Command";
export const BUNDLE = "fort-offsite:index:Bundle";

const TOKENS: ReadonlySet<string> = new Set([
  "cloudflare:index/accountToken:AccountToken",
  "cloudflare:index/apiToken:ApiToken",
]);

/** Whether a resource is a token of Cloudflare's. */
export function isCloudflareToken(type: string): boolean {
  return TOKENS.has(type);
}

/** The type of target that a component's token stands for; undefined where it is no target. */
export function targetTypeOf(type: string): string | undefined {
  return /^fort-offsite:index:(\w+)Target$/.exec(type)?.[1];
}
