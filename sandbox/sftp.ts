/**
 * What an SFTP directory needs of the sandbox's peer: a folder that nobody but root can change the way
 * to, a cron, and, once installed, real accounts of this machine. All of it goes with the world.
 */
import { sftpProject } from "../peer/sftp/place.ts";
import type { Peer } from "./peer.ts";
import type { World } from "./world.ts";

/** What it is made of. */
export interface SftpOptions {
  readonly stack: string;
  /** The target's name. */
  readonly name: string;
  /** The program busybox, whose cron runs on the peer. */
  readonly busybox: string;
}

/** Makes the peer ready, and gives the target's settings. */
export function sftpTarget(
  world: World,
  peer: Peer,
  { stack, name, busybox }: SftpOptions,
): Record<string, unknown> {
  const dataDir = `/var/lib/fort-offsite-${world.id}-${name}`;
  world.machineFolder(dataDir, `fort-offsite ${sftpProject(stack, name)}`);
  world.start(`crond-${name}`, busybox, ["crond", "-f", "-d", "8", "-c", peer.crontabs]);
  return {
    type: "sftp",
    ssh: { host: "127.0.0.1", port: peer.port, user: peer.user, hostKey: peer.hostKey },
    dataDir,
    maxSizeGiB: 1,
  };
}
