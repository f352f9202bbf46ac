import { UsageError } from "../errors.ts";
import { renewed, type TargetOptions } from "./from-manifest.ts";
import type { Probe } from "./probe.ts";
import { RcloneProbe } from "./rclone-probe.ts";
import { RestProbe } from "./rest-probe.ts";

/**
 * Makes what verify looks at a target with. Nothing is connected to yet.
 *
 * @throws UsageError where the bundle's files do not fit together.
 */
export function probeFromManifest(
  name: string,
  options: Omit<TargetOptions, "uploadLimitKiB">,
): Probe {
  const { manifest, credentials, repositories, rcloneConfig } = options;
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
      maxBytes: undefined,
      repositories,
      users: new Map(users),
      renew: (host) => renewed(name, host, options),
      uploadLimit: Infinity,
    });
  }
  if (target?.type === "b2" && credential?.type === "b2" && rcloneConfig !== undefined) {
    const { remotes } = credential;
    return new RcloneProbe({
      program: options.rclone,
      config: rcloneConfig,
      path: target.path,
      remotes: [remotes.restore, remotes.current, remotes.next],
      canary: {
        target: name,
        config: rcloneConfig,
        generation: credential.generation,
        remotes,
        bucket: target.bucket,
        path: target.path,
        keepHiddenDays: target.keepHiddenDays,
      },
    });
  }
  throw new UsageError(`the target "${name}" is of a type that this version cannot verify`);
}
