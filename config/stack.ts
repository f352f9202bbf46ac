/** The schema of a stack's config, `fort-offsite:*` in `Pulumi.<stack>.yaml`. */
import { z } from "zod";
import { pricesSchema } from "./prices.ts";
import * as rules from "./rules.ts";

/** Counts how often a credential was rotated. */
const generation = z
  .int()
  .min(1)
  .max(1_000_000)
  .default(1)
  .describe("Raise it by one and run `pulumi up` to rotate the credentials.");

/** Up to which generation the credentials are in a thief's hands. */
const revoked = z
  .int()
  .min(0)
  .max(1_000_000)
  .default(0)
  .describe(
    "Generations up to this one are revoked, and `generation` is the one after it. `offsite rotate --revoke` sets both.",
  );

const sizeGiB = z.number().positive().max(1_000_000);

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

/** A bucket at Backblaze B2. */
export const b2TargetSchema = z.strictObject({
  type: z.literal("b2"),
  bucket: rules.bucketName,
  region: z
    .string()
    .regex(/^[a-z]{2}-[a-z]+-[0-9]{3}$/, { error: 'a B2 region such as "eu-central-003"' })
    .optional()
    .describe("The region that the account must be in. B2 chooses it when an account is made."),
  endpoint: rules.baseUrl
    .optional()
    .describe("Where rclone finds the B2 API, when it is not Backblaze's."),
  keepHiddenDays: z
    .int()
    .min(1)
    .max(36_500)
    .default(30)
    .describe("Days for which what was hidden or overwritten can be brought back."),
  keyDays: z
    .int()
    .min(2)
    .max(1_000)
    .optional()
    .describe(
      "Days after which a key ends by itself, counted from when it was made; for keys made from now on. Rotate before.",
    ),
  generation,
  revoked,
});

/** How the operator reaches a peer. */
export const sshSchema = z.strictObject({
  host: rules.machineAddress,
  port: z.int().min(1).max(65_535).default(22),
  user: rules.userName.default("root").describe("root, or a user who may use sudo without asking."),
  hostKey: rules.sshHostKey,
});

/** rest-server 0.14.0 at Docker Hub: the digest of its manifest list for all platforms. */
export const REST_SERVER_IMAGE =
  "restic/rest-server:0.14.0@sha256:d2aff06f47eb38637dff580c3e6bce4af98f386c396a25d32eb6727ec96214a5";

/** A rest-server on a peer's machine. */
export const restServerTargetSchema = z.strictObject({
  type: z.literal("rest-server"),
  ssh: sshSchema,
  listen: rules.listenAddress.describe("The peer's address and port that the hub reaches."),
  expose: z
    .literal("any")
    .optional()
    .describe("Says that listening on every address of the peer is meant."),
  url: rules.baseUrl
    .optional()
    .describe("Where hub and hosts reach the server, when it is not http://<listen>/."),
  dataDir: rules.ownDirectory.describe("The server's directory on the peer."),
  maxSizeGiB: sizeGiB.describe("What all repositories may hold together, in GiB."),
  image: rules.imageReference
    .default(REST_SERVER_IMAGE)
    .describe("The server's image. Pin it by digest."),
  generation,
  revoked,
});

/** An offsite place. */
export const targetSchema = z.discriminatedUnion("type", [b2TargetSchema, restServerTargetSchema], {
  error: '"b2" or "rest-server"',
});

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
});

/** Everything below `fort-offsite:`. */
export const stackConfigSchema = z.strictObject({
  credentialSeed: rules.credentialSeed,
  sshPrivateKey: rules.sshPrivateKey.optional(),
  hub: hubSchema,
  hosts: z.record(z.string(), hostSchema),
  targets: z.record(z.string(), targetSchema),
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
export const SECRET_KEYS = ["credentialSeed", "sshPrivateKey"] as const;

export type StackConfig = z.infer<typeof stackConfigSchema>;
export type HostConfig = z.infer<typeof hostSchema>;
export type TargetConfig = z.infer<typeof targetSchema>;
export type B2TargetConfig = z.infer<typeof b2TargetSchema>;
export type RestServerTargetConfig = z.infer<typeof restServerTargetSchema>;
export type SealConfig = z.infer<typeof sealSchema>;
export type HubConfig = z.infer<typeof hubSchema>;
