/** From a stack's settings to the server that shall be on a peer, and the way to that peer. */
import type { HostConfig, RestServerTargetConfig, TargetSecrets } from "../config/stack.ts";
import { listenOf } from "../config/targets/tunnel.ts";
import { jointGeneration } from "../credentials/derive.ts";
import { htpasswdFile, type HashMemory } from "../credentials/htpasswd.ts";
import type { PeerServer } from "./script.ts";
import { peerTls } from "./tls/server.ts";
import { peerTunnel } from "./tunnel.ts";
import type { SshConnection } from "./ssh.ts";

/** What a stack says of a peer's server. */
export interface PeerSettings {
  readonly stack: string;
  /** The target's name. */
  readonly name: string;
  readonly target: RestServerTargetConfig;
  readonly hosts: Readonly<Record<string, HostConfig>>;
  /** The seed of all derived credentials. Secret. */
  readonly seed: string;
  /** What the target needs that cannot be derived; only an installation has to know it. Secret. */
  readonly secrets?: TargetSecrets | undefined;
  /** Hashes that need not be reckoned again. */
  readonly hashes?: HashMemory;
}

/** The compose project's name of a target's server. */
export function projectName(stack: string, target: string): string {
  return `fort-offsite-${stack}-${target}`.toLowerCase().replaceAll(/[^a-z0-9_-]/g, "-");
}

/**
 * The server as it shall be. It holds no password, only what verifies them.
 *
 * @throws RangeError when `listen` is no address and port, which a checked config cannot lead to.
 */
export function peerServer(settings: PeerSettings): PeerServer {
  const { stack, name, target, hosts, seed, hashes, secrets } = settings;
  const listen = listenOf(target);
  const users = Object.entries(hosts).map(([host, { generation }]) => ({
    owner: { at: "target", target: name, host } as const,
    generation: jointGeneration(generation, target.generation),
  }));
  const project = projectName(stack, name);
  return {
    project,
    dataDir: target.dataDir,
    image: target.image,
    listen,
    tls: peerTls(target, project),
    tunnel: peerTunnel(name, target, seed, secrets),
    maxSizeGiB: target.maxSizeGiB,
    htpasswd: htpasswdFile(seed, users, hashes),
  };
}

/** How the operator reaches a peer. */
export function peerConnection(
  { ssh }: RestServerTargetConfig,
  privateKey: string | undefined,
): SshConnection {
  const { host, port, user, hostKey } = ssh;
  return { host, port, user, hostKey, privateKey };
}
