import {
  isThroughRclone,
  type HubCredentials,
  type Manifest,
  type PasswordTrio,
} from "../../config/manifest.ts";
import { UsageError } from "../errors.ts";
import { childrenOf } from "../locks.ts";
import { RCLONE_SERVICES } from "./rclone-services.ts";
import { RcloneTarget } from "./rclone.ts";
import { RestServerTarget } from "./rest-server.ts";
import { pinHostKeys } from "./sftp-host-keys.ts";
import type { Target } from "./target.ts";

/** What is needed to reach the targets, beside the manifest. */
export interface TargetOptions {
  readonly manifest: Manifest;
  readonly credentials: HubCredentials;
  /** Reads them again, for when a server accepts none of them any more. */
  readonly renew?: () => HubCredentials;
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** The bundle's rclone.conf; needed where a target is reached through rclone. */
  readonly rcloneConfig: string | undefined;
  /** The rclone program. */
  readonly rclone: string;
  /** KiB a second and target; undefined for no limit. */
  readonly uploadLimitKiB: number | undefined;
  /** The folder for locks; where it is left out, programs that are started are not written down. */
  readonly state?: string;
}

/**
 * Makes the target of this name from the bundle. Nothing is connected to yet.
 *
 * @throws UsageError where the bundle's files do not fit together.
 */
export function targetFromManifest(name: string, options: TargetOptions): Target {
  const { manifest, credentials, repositories, uploadLimitKiB } = options;
  const target = manifest.targets[name];
  const credential = credentials.targets[name];
  if (target === undefined) throw new UsageError(`the manifest has no target "${name}"`);
  if (credential?.type !== target.type) {
    throw new UsageError(
      `hub-credentials.json has ${credential === undefined ? "nothing" : `a "${credential.type}"`} for the ` +
        `target "${name}" of type "${target.type}". Deploy both files from the same bundle.`,
    );
  }
  if (target.type === "rest-server" && credential.type === "rest-server") {
    const users = Object.entries(manifest.hosts).flatMap(([host, { user }]) => {
      const passwords = credential.users[user];
      return passwords === undefined ? [] : [[host, { user, passwords }] as const];
    });
    return new RestServerTarget({
      name,
      url: target.url,
      trust: { certificate: target.certificate },
      maxBytes: target.maxSizeGiB * 1024 ** 3,
      repositories,
      users: new Map(users),
      renew: (host) => renewed(name, host, options),
      uploadLimit: uploadLimitKiB === undefined ? Infinity : uploadLimitKiB * 1024,
    });
  }
  if (isThroughRclone(target) && credential.type !== "rest-server") {
    if (options.rcloneConfig === undefined) {
      throw new UsageError(
        `the target "${name}" needs the bundle's rclone.conf: give --rclone-config or set OFFSITE_RCLONE_CONFIG`,
      );
    }
    if (target.type === "sftp") pinHostKeys(manifest);
    return new RcloneTarget({
      name,
      service: RCLONE_SERVICES[target.type],
      maxBytes: target.type === "sftp" ? target.maxSizeGiB * 1024 ** 3 : undefined,
      path: target.path,
      // rclone reads its own file again with each run. Where that is newer than this number, an older
      // generation is reported than the one in use, never a newer one.
      generation: credential.generation,
      remotes: (["current", "next", "previous"] as const).flatMap((age) => {
        const { [age]: remote } = { previous: undefined, ...credential.remotes };
        return remote === undefined ? [] : [{ age, remote }];
      }),
      repositories,
      program: options.rclone,
      config: options.rcloneConfig,
      uploadLimitKiB,
      children: options.state === undefined ? undefined : childrenOf(options.state, name),
    });
  }
  throw new UsageError(`the target "${name}" is of a type that this version cannot mirror to`);
}

/** The passwords of a host as they are on the disk by now. */
export function renewed(
  name: string,
  host: string,
  { manifest, renew }: Pick<TargetOptions, "manifest" | "renew">,
): PasswordTrio | undefined {
  try {
    const credential = renew?.().targets[name];
    const user = manifest.hosts[host]?.user;
    return credential?.type === "rest-server" && user !== undefined
      ? credential.users[user]
      : undefined;
  } catch {
    // Then there is nothing but what was read at the start.
    return undefined;
  }
}
