import {
  isThroughRclone,
  type RcloneCredentials,
  type RcloneManifest,
} from "../../config/manifest.ts";
import { UsageError } from "../errors.ts";
import { tryBucket } from "./b2-canary.ts";
import { renewed, type TargetOptions } from "./from-manifest.ts";
import type { CanaryReport, Probe } from "./probe.ts";
import { RcloneProbe } from "./rclone-probe.ts";
import type { RcloneOptions } from "./rclone-process.ts";
import { RCLONE_SERVICES } from "./rclone-services.ts";
import { RestProbe } from "./rest-probe.ts";
import { trySftp } from "./sftp-canary.ts";
import { pinHostKeys } from "./sftp-host-keys.ts";

/** How it is tried at a target of each type what must be refused there. */
function canaryOf(
  name: string,
  target: RcloneManifest,
  credential: RcloneCredentials,
  { config, program }: RcloneOptions,
): () => Promise<CanaryReport> {
  if (target.type === "b2" && credential.type === "b2") {
    const { bucket, path, keepHiddenDays } = target;
    const { generation, remotes } = credential;
    const options = { target: name, config, generation, remotes, bucket, path, keepHiddenDays };
    return async () => await tryBucket(options);
  }
  if (target.type === "r2" && credential.type === "r2") {
    const { bucket, keepHiddenDays } = target;
    const { generation, remotes } = credential;
    const options = { target: name, config, generation, remotes, bucket, keepHiddenDays };
    // What is signed with is loaded for a target that needs it.
    return async () => await (await import("./r2-canary.ts")).tryR2Bucket(options);
  }
  if (target.type === "s3" && credential.type === "s3") {
    const { bucket, path, protection } = target;
    const { generation, remotes } = credential;
    const options = { target: name, config, generation, remotes, bucket, path, protection };
    return async () => await (await import("./s3-canary.ts")).tryS3Bucket(options);
  }
  if (target.type === "sftp" && credential.type === "sftp") {
    const options = { config, program, remotes: credential.remotes, path: target.path };
    return async () => await trySftp(options);
  }
  return () => Promise.resolve({ errors: [], notices: [] });
}

/**
 * Makes what verify looks at a target with. Nothing is connected to yet.
 *
 * @throws UsageError where the bundle's files do not fit together.
 */
export function probeFromManifest(
  name: string,
  options: Omit<TargetOptions, "uploadLimitKiB">,
): Probe {
  const { manifest, credentials, repositories, rcloneConfig, rclone: program } = options;
  const target = manifest.targets[name];
  const credential = credentials.targets[name];
  if (target?.type === "rest-server" && credential?.type === "rest-server") {
    const users = Object.entries(manifest.hosts).flatMap(([host, { user }]) => {
      const passwords = credential.users[user];
      return passwords === undefined ? [] : [[host, { user, passwords }] as const];
    });
    return new RestProbe({
      name,
      url: target.url,
      trust: { certificate: target.certificate },
      maxBytes: undefined,
      repositories,
      users: new Map(users),
      renew: (host) => renewed(name, host, options),
      uploadLimit: Infinity,
    });
  }
  if (isThroughRclone(target) && credential?.type === target.type && rcloneConfig !== undefined) {
    const { restore, ...writing } = credential.remotes;
    const { current, next, previous } = { previous: undefined, ...writing };
    if (target.type === "sftp") pinHostKeys(manifest);
    return new RcloneProbe({
      program,
      config: rcloneConfig,
      path: target.path,
      remotes: [restore, current, next, previous].filter((remote) => remote !== undefined),
      refused: RCLONE_SERVICES[target.type].refused,
      tryTarget: canaryOf(name, target, credential, { config: rcloneConfig, program }),
    });
  }
  throw new UsageError(`the target "${name}" is of a type that this version cannot verify`);
}
