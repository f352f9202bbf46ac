/** From a stack's settings to the directory that shall be on a peer, and the users who see it. */
import { createHash } from "node:crypto";
import type { HostConfig, SftpTargetConfig } from "../../config/stack.ts";
import { deriveSshKey, hostKeyStanding } from "../../credentials/ssh-key.ts";
import { projectName } from "../server.ts";
import type { SshConnection } from "../ssh.ts";

/** Where the hub sees the hosts' repositories side by side, in its chroot. */
export const HUB_PATH = "/_hosts";

/** Where a host sees its repository, in its chroot. */
export const HOST_PATH = "/repository";

/** Minutes between two runs of the sealing. */
export const SEAL_MINUTES = 5;

/** A user of a peer, and the one key with which it is let in. */
export interface SftpUser {
  readonly user: string;
  /** Undefined for the hub's. */
  readonly host: string | undefined;
  readonly publicKey: string;
}

/** A directory as it shall be on a peer. It holds no secret. */
export interface SftpPlace {
  /** What all that is ours on the peer is named after. */
  readonly project: string;
  readonly dataDir: string;
  readonly maxSizeGiB: number;
  /** The hub's first. */
  readonly users: readonly SftpUser[];
}

/** What a stack says of a directory. */
export interface SftpSettings {
  readonly stack: string;
  /** The target's name. */
  readonly name: string;
  readonly target: SftpTargetConfig;
  readonly hosts: Readonly<Record<string, HostConfig>>;
  /** The seed of all derived credentials. Secret. */
  readonly seed: string;
}

/** The longest part of a user's name that is a host's: Linux has 32 characters for all of it. */
const HOST_LENGTH = 22;
const HASH_LENGTH = 8;
const PROJECT_LENGTH = 6;

function digest(text: string, length: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, length);
}

/** The project's name of a target: another than a rest-server's of the same target. */
export function sftpProject(stack: string, target: string): string {
  return `${projectName(stack, target)}-sftp`;
}

/**
 * A user's name on the peer: `fo-3fa2b1-q` for a host, `fo-3fa2b1_hub` for the hub. No host has an
 * underscore in its name.
 */
export function sftpUser(project: string, host?: string): string {
  const prefix = `fo-${digest(project, PROJECT_LENGTH)}`;
  if (host === undefined) return `${prefix}_hub`;
  if (host.length <= HOST_LENGTH) return `${prefix}-${host}`;
  const start = host.slice(0, HOST_LENGTH - HASH_LENGTH - 1);
  return `${prefix}-${start}-${digest(host, HASH_LENGTH)}`;
}

/** The directory as it shall be. */
export function sftpPlace({ stack, name, target, hosts, seed }: SftpSettings): SftpPlace {
  const project = sftpProject(stack, name);
  const hub: SftpUser = {
    user: sftpUser(project),
    host: undefined,
    publicKey: deriveSshKey(seed, { target: name }, target.generation).publicKey,
  };
  const ofHosts = Object.entries(hosts).map(([host, standing]): SftpUser => {
    const { generation } = hostKeyStanding(standing, target);
    const { publicKey } = deriveSshKey(seed, { target: name, host }, generation);
    return { user: sftpUser(project, host), host, publicKey };
  });
  const { dataDir, maxSizeGiB } = target;
  return { project, dataDir, maxSizeGiB, users: [hub, ...ofHosts] };
}

/** Where hub and hosts reach the peer's SSH server. */
export function sftpAddress({ ssh, address, port }: SftpTargetConfig): {
  host: string;
  port: number;
} {
  return { host: address ?? ssh.host, port: port ?? ssh.port };
}

/** How the operator reaches the peer. */
export function sftpConnection(
  { ssh }: SftpTargetConfig,
  privateKey: string | undefined,
): SshConnection {
  const { host, port, user, hostKey } = ssh;
  return { host, port, user, hostKey, privateKey };
}
