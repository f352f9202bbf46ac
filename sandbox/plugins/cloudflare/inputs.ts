/**
 * The inputs of the resources that are served, as `@pulumi/cloudflare` 6.22.1 declares them; a test
 * holds them against the SDK's own types.
 */
import { z } from "zod";

const age = z.strictObject({ type: z.literal("Age"), maxAge: z.int().min(0) });

const dated = z.strictObject({
  type: z.enum(["Age", "Date"]),
  maxAge: z.int().min(0).optional(),
  date: z.string().optional(),
});

const bucket = z.strictObject({
  accountId: z.string(),
  name: z.string(),
  jurisdiction: z.enum(["default", "eu", "fedramp", "us"]).optional(),
  location: z.enum(["apac", "eeur", "enam", "weur", "wnam", "oc"]).optional(),
  storageClass: z.enum(["Standard", "InfrequentAccess"]).optional(),
});

const lifecycle = z.strictObject({
  accountId: z.string(),
  bucketName: z.string(),
  jurisdiction: z.string().optional(),
  rules: z
    .array(
      z.strictObject({
        id: z.string(),
        enabled: z.boolean(),
        conditions: z.strictObject({ prefix: z.string() }),
        abortMultipartUploadsTransition: z.strictObject({ condition: age.optional() }).optional(),
        deleteObjectsTransition: z.strictObject({ condition: dated.optional() }).optional(),
        storageClassTransitions: z
          .array(
            z.strictObject({
              condition: dated,
              storageClass: z.literal("InfrequentAccess"),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
});

const lock = z.strictObject({
  accountId: z.string(),
  bucketName: z.string(),
  jurisdiction: z.string().optional(),
  rules: z
    .array(
      z.strictObject({
        id: z.string(),
        enabled: z.boolean(),
        prefix: z.string().optional(),
        condition: z.strictObject({
          type: z.enum(["Age", "Date", "Indefinite"]),
          maxAgeSeconds: z.int().min(0).optional(),
          date: z.string().optional(),
        }),
      }),
    )
    .optional(),
});

const ranges = z.array(z.string()).optional();

const token = z.strictObject({
  accountId: z.string(),
  name: z.string(),
  policies: z.array(
    z.strictObject({
      effect: z.enum(["allow", "deny"]),
      permissionGroups: z.array(z.strictObject({ id: z.string() })),
      resources: z.string(),
    }),
  ),
  condition: z
    .strictObject({ requestIp: z.strictObject({ ins: ranges, notIns: ranges }).optional() })
    .optional(),
  expiresOn: z.string().optional(),
  notBefore: z.string().optional(),
  status: z.enum(["active", "disabled", "expired"]).optional(),
});

/** The resources by their tokens. */
export const KINDS = {
  "cloudflare:index/r2Bucket:R2Bucket": {
    schema: bucket,
    replaces: ["accountId", "name", "jurisdiction", "location"],
  },
  "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle": {
    schema: lifecycle,
    replaces: ["accountId", "bucketName", "jurisdiction"],
  },
  "cloudflare:index/r2BucketLock:R2BucketLock": {
    schema: lock,
    replaces: ["accountId", "bucketName", "jurisdiction"],
  },
  "cloudflare:index/accountToken:AccountToken": { schema: token, replaces: ["accountId"] },
} as const;

/** A resource's token. */
export type Kind = keyof typeof KINDS;

/** The checked inputs of a resource. */
export type Inputs<K extends Kind> = z.infer<(typeof KINDS)[K]["schema"]>;
