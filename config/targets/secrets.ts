/**
 * `fort-offsite:targetSecrets`: what a target needs that nobody can derive, by target. It has a key
 * of its own so that the whole of it is a secret, and the rest of the settings is not.
 */
import { z } from "zod";

const SECRET_RULE =
  "a secret access key of letters, digits and _./:@%+=,[]-, which need no quoting in an environment file. Set it with: pulumi config set --secret --path 'fort-offsite:targetSecrets.<target>.<key>.secretAccessKey'";

/** A pair of keys of an S3. */
export const s3KeySchema = z.strictObject({
  accessKeyId: z
    .string({ error: "an access key's ID" })
    .regex(/^[\w+/=.-]{1,128}$/, { error: "an access key's ID" })
    .describe("The access key's ID."),
  secretAccessKey: z
    .string({ error: SECRET_RULE })
    .regex(/^[A-Za-z0-9_./:@%+=,[\]-]{1,256}$/, { error: SECRET_RULE })
    .describe("The secret access key."),
});

/** What lets a machine into a tailnet: Tailscale's two kinds of key, and Headscale's. */
const tailscaleAuthKeySchema = z
  .string()
  .regex(
    /^(?:tskey-auth-[\w-]{8,200}|tskey-client-[\w-]{8,200}(?:\?[\w=&.:/-]{1,200})?|hskey-auth-[\w-]{8,200}|[0-9a-f]{40,64})$/,
    {
      error:
        'an auth key: "tskey-auth-…" or "tskey-client-…" of Tailscale, "hskey-auth-…" or 48 hex digits of Headscale',
    },
  )
  .describe("rest-server with tunnel tailscale: with which the peer joins the tailnet.");

/** The secrets of one target. */
export const targetSecretsSchema = z.strictObject({
  sync: s3KeySchema.optional().describe("s3: with which the hub writes."),
  syncNext: s3KeySchema
    .optional()
    .describe("s3: with which the hub will write after the next rotation."),
  restore: s3KeySchema.optional().describe("s3: with which hub and hosts read."),
  tailscaleAuthKey: tailscaleAuthKeySchema.optional(),
});

export type S3Key = z.infer<typeof s3KeySchema>;
export type TargetSecrets = z.infer<typeof targetSecretsSchema>;

/** The key that is next; one that is in force already is none. */
export function nextKey({ sync, syncNext }: TargetSecrets): S3Key | undefined {
  return syncNext?.accessKeyId === sync?.accessKeyId ? undefined : syncNext;
}
