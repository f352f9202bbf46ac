/**
 * `fort-offsite:targetSecrets`: what a target needs that nobody can derive, by target. It has a key
 * of its own so that the whole of it is a secret, and the rest of the settings is not.
 */
import { z } from "zod";

/** A pair of keys of an S3. */
export const s3KeySchema = z.strictObject({
  accessKeyId: z
    .string()
    .regex(/^[\w+/=.-]{1,128}$/, { error: "an access key's ID" })
    .describe("The access key's ID."),
  secretAccessKey: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, { error: "a secret access key" })
    .describe("The secret access key."),
});

/** The secrets of one target. */
export const targetSecretsSchema = z.strictObject({
  sync: s3KeySchema.optional().describe("s3: with which the hub writes."),
  syncNext: s3KeySchema
    .optional()
    .describe("s3: with which the hub will write after the next rotation."),
  restore: s3KeySchema.optional().describe("s3: with which hub and hosts read."),
});

export type S3Key = z.infer<typeof s3KeySchema>;
export type TargetSecrets = z.infer<typeof targetSecretsSchema>;
