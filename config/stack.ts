/** The schema of a stack's config, `fort-offsite:*` in `Pulumi.<stack>.yaml`. */
import { z } from "zod";
import { guestSchema, guestsAtHub } from "./guests.ts";
import { pricesSchema } from "./prices.ts";
import * as rules from "./rules.ts";
import { b2TargetSchema } from "./targets/b2.ts";
import { generation, ofType, revoked, sizeGiB } from "./targets/common.ts";
import { r2TargetSchema } from "./targets/r2.ts";
import { restServerTargetSchema } from "./targets/rest-server.ts";
import { s3TargetSchema } from "./targets/s3.ts";
import { targetSecretsSchema } from "./targets/secrets.ts";
import { sftpTargetSchema } from "./targets/sftp.ts";

/** A machine that is backed up. */
export const hostSchema = z.strictObject({
  key: rules.sealKey.describe("The public key that the host's file of the bundle is sealed to."),
  sizeGiB: sizeGiB.describe("The expected size of the host's data, in GiB."),
  growthGiBPerMonth: z
    .number()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe("By how much it grows a month, in GiB. `offsite cost` looks ahead with it."),
  generation,
  revoked,
});

/** An offsite place. */
export const targetSchema = z.discriminatedUnion(
  "type",
  [b2TargetSchema, r2TargetSchema, s3TargetSchema, restServerTargetSchema, sftpTargetSchema],
  ofType('"b2", "r2", "s3", "rest-server" or "sftp"'),
);

/** How the bundle's files are sealed, and where they go. */
export const sealSchema = z.strictObject({
  format: z
    .enum(["age", "sops", "plain"])
    .describe("age (agenix), sops (sops-nix), or plain: no encryption, for the sandbox."),
  directory: rules.bundleDirectory.describe("The bundle's own directory, in the Nix repository."),
  manifest: z
    .boolean()
    .default(false)
    .describe("Whether offsite.json is sealed too, where addresses must not be public."),
  operators: z
    .array(rules.sealKey)
    .default([])
    .describe("Public keys that can read every sealed file, beside the machine it is for."),
});

/** The hub, to which the hosts back up. */
export const hubSchema = z.strictObject({
  host: rules.hostName,
  url: rules.baseUrl.describe("Where the hosts reach the hub's rest-server."),
  repositories: rules.absoluteDirectory.describe("The hub's directory of repositories."),
  key: rules.sealKey.optional().describe("The hub's public key, when it is not among the hosts."),
  ...guestsAtHub,
});

/** Everything below `fort-offsite:`. */
export const stackConfigSchema = z.strictObject({
  credentialSeed: rules.credentialSeed,
  sshPrivateKey: rules.sshPrivateKey.optional(),
  hub: hubSchema,
  hosts: z.record(z.string(), hostSchema),
  targets: z.record(z.string(), targetSchema),
  targetSecrets: z
    .record(z.string(), targetSecretsSchema)
    .default({})
    .describe(
      "What a target needs that cannot be derived, such as the keys of an s3 target. Set each with: pulumi config set --secret --path 'fort-offsite:targetSecrets.<target>.sync.secretAccessKey'",
    ),
  guests: z
    .record(z.string(), guestSchema)
    .default({})
    .describe("Machines of others that keep their own backups at the hub (docs/guests.md)."),
  seal: sealSchema,
  prices: pricesSchema
    .optional()
    .describe("Prices that go before the table of `offsite cost`; name when you read them."),
  lookForDrift: z
    .boolean()
    .default(true)
    .describe(
      "Whether previews and updates look at the peers and at the bundle for changes made by hand. Turn it off where neither is within reach, as in CI.",
    ),
});

/** The keys whose values must be secret in the stack's file. */
export const SECRET_KEYS = ["credentialSeed", "sshPrivateKey", "targetSecrets"] as const;

export type StackConfig = z.infer<typeof stackConfigSchema>;
export type HostConfig = z.infer<typeof hostSchema>;
export type TargetConfig = z.infer<typeof targetSchema>;
export type { GuestConfig } from "./guests.ts";
export type { B2TargetConfig } from "./targets/b2.ts";
export type { R2TargetConfig } from "./targets/r2.ts";
export type { RestServerTargetConfig } from "./targets/rest-server.ts";
export type { S3TargetConfig } from "./targets/s3.ts";
export type { S3Key, TargetSecrets } from "./targets/secrets.ts";
export type { SftpTargetConfig } from "./targets/sftp.ts";
export type SealConfig = z.infer<typeof sealSchema>;
export type HubConfig = z.infer<typeof hubSchema>;
