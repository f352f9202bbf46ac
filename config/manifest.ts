/**
 * `offsite.json`, the bundle's public manifest, and `hub-credentials.json`, the hub's sealed one:
 * what a stack tells the machines that use its targets. Both change only compatibly; a reader
 * refuses a `version` that it does not know and ignores properties that it does not know.
 */
import { z } from "zod";

/** The version of both files' format. */
export const MANIFEST_VERSION = 1;

const repositories = z
  .record(z.string(), z.string())
  .describe("restic's repository URL for each host, without credentials.");

const commonTarget = {
  repositories,
};

/** A target reached through an rclone remote of the bundle's `rclone.conf`. */
const throughRclone = {
  ...commonTarget,
  remote: z.string().describe("The rclone remote of the current sync key, in rclone.conf."),
  path: z.string().describe("Where the hosts' repositories are below the remote."),
};

const bucket = z.string().describe("The bucket's name.");
const endpoint = z.string().describe("The S3 API's base URL.");

/** A bucket at Backblaze B2. */
export const b2ManifestSchema = z
  .object({
    type: z.literal("b2"),
    ...throughRclone,
    bucket,
    keepHiddenDays: z.int().describe("Days for which a hidden version stays recoverable."),
  })
  .describe("A target reached through rclone.");

/** A bucket at Cloudflare R2. */
export const r2ManifestSchema = z
  .object({
    type: z.literal("r2"),
    ...throughRclone,
    bucket,
    endpoint,
    keepHiddenDays: z
      .union([z.int(), z.literal("forever")])
      .describe("Days after its upload for which nobody can delete or overwrite an object."),
  })
  .describe("A target reached through rclone, whose objects a lock rule keeps.");

/** A bucket at any S3. */
export const s3ManifestSchema = z
  .object({
    type: z.literal("s3"),
    ...throughRclone,
    bucket,
    endpoint,
    protection: z
      .enum(["none", "versions", "lock"])
      .default("none")
      .describe("What the bucket is said to keep from a thief with the hub's key."),
  })
  .describe("A target reached through rclone, in a bucket that somebody else made.");

/** A directory on a peer, reached by SFTP. */
export const sftpManifestSchema = z
  .object({
    type: z.literal("sftp"),
    ...throughRclone,
    host: z.string().describe("The name or address of the peer's SSH server."),
    port: z.int().describe("Its port."),
    hostKey: z.string().describe("The one host key that is accepted, as in known_hosts."),
    maxSizeGiB: z.number().describe("What all hosts' repositories may hold together, in GiB."),
  })
  .describe("A target reached through rclone, in a directory on a peer.");

/** A rest-server on a peer. */
export const restServerManifestSchema = z
  .object({
    type: z.literal("rest-server"),
    ...commonTarget,
    url: z.string().describe("The server's base URL, ending in a slash."),
    maxSizeGiB: z.number().describe("What all hosts' repositories may hold together, in GiB."),
    certificate: z
      .string()
      .optional()
      .describe("In PEM: the authority that vouches for the server; no other is to be trusted."),
  })
  .describe("A target reached through rest-server's HTTP API.");

/** One target as the manifest shows it. */
export const targetManifestSchema = z.discriminatedUnion("type", [
  b2ManifestSchema,
  r2ManifestSchema,
  s3ManifestSchema,
  restServerManifestSchema,
  sftpManifestSchema,
]);

/** A guest of the hub. */
export const guestManifestSchema = z.object({
  maxSizeGiB: z.number().describe("What it may keep at the hub, in GiB."),
  repository: z.string().describe("restic's repository URL of the guest, without credentials."),
  environment: z.string().describe("The guest's sealed env file, relative to this file."),
});

/** `offsite.json`. It holds no secret and no generation: a rotation leaves it as it is. */
export const manifestSchema = z
  .object({
    $schema: z.string().optional(),
    version: z.literal(MANIFEST_VERSION),
    stack: z.string().describe("The Pulumi stack that emitted the bundle."),
    hub: z.object({
      host: z.string().describe("The hub's host name."),
      url: z.string().describe("Where hosts reach the hub's rest-server, ending in a slash."),
      repositories: z.string().describe("The hub's directory of repositories, one per host."),
      guestRepositories: z
        .string()
        .optional()
        .describe("The hub's directory of the guests' repositories, where there are guests."),
    }),
    hosts: z.record(
      z.string(),
      z.object({
        sizeGiB: z.number().describe("The expected size of the host's data, in GiB."),
        user: z.string().describe("The host's user name at every rest-server."),
        repository: z.string().describe("restic's repository URL of the host at the hub."),
        environment: z.string().describe("The host's sealed env file, relative to this file."),
      }),
    ),
    guests: z
      .record(z.string(), guestManifestSchema)
      .optional()
      .describe("Machines of others with a server of their own at the hub; left out without any."),
    targets: z.record(z.string(), targetManifestSchema),
  })
  .describe("The public manifest of a fort-offsite bundle.");

/** A password at its generation and the neighbours that a client tries: current, next, previous. */
export const passwordTrioSchema = z.object({
  generation: z.int().describe("The current generation."),
  current: z.string(),
  next: z.string(),
  previous: z.string().nullable().describe("null at the first generation and after a revocation."),
});

/** What the hub holds for a target behind rclone. */
const byRemotes = {
  generation: z.int(),
  remotes: z
    .object({
      current: z.string(),
      next: z.string().optional(),
      previous: z.string().optional(),
      restore: z.string().describe("One that reads, and can do nothing else where there is such."),
    })
    .describe("rclone remotes in rclone.conf by what they are for."),
};

/** `hub-credentials.json`: what the hub needs to write to each target. Secret. */
export const hubCredentialsSchema = z.object({
  version: z.literal(MANIFEST_VERSION),
  targets: z.record(
    z.string(),
    z.discriminatedUnion("type", [
      z.object({
        type: z.literal("rest-server"),
        users: z.record(z.string(), passwordTrioSchema).describe("By user name, that is by host."),
      }),
      z.object({
        type: z.literal("b2"),
        generation: z.int(),
        remotes: z
          .object({
            current: z.string(),
            next: z.string(),
            restore: z.string(),
            monitor: z.string(),
          })
          .describe("rclone remotes in rclone.conf by what they are for."),
      }),
      z.object({ type: z.literal("r2"), ...byRemotes }),
      z.object({ type: z.literal("s3"), ...byRemotes }),
      z.object({ type: z.literal("sftp"), ...byRemotes }),
    ]),
  ),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type GuestManifest = z.infer<typeof guestManifestSchema>;
export type TargetManifest = z.infer<typeof targetManifestSchema>;
export type RcloneManifest = Extract<TargetManifest, { remote: string }>;
export type PasswordTrio = z.infer<typeof passwordTrioSchema>;
export type HubCredentials = z.infer<typeof hubCredentialsSchema>;
export type RcloneCredentials = Exclude<HubCredentials["targets"][string], { type: "rest-server" }>;

/** Whether a target is reached through rclone. */
export function isThroughRclone(target: TargetManifest | undefined): target is RcloneManifest {
  return target !== undefined && "remote" in target;
}
