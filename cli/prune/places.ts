/** The two places of a prune, reached with what the stack's seed makes: the peer's server and the hub. */
import { randomBytes } from "node:crypto";
import { CANARY } from "../../config/canary.ts";
import type { PasswordTrio } from "../../config/manifest.ts";
import type { ListenAddress } from "../../config/rules.ts";
import type { HostConfig, RestServerTargetConfig, StackConfig } from "../../config/stack.ts";
import { deriveTrio, jointStanding } from "../../credentials/derive.ts";
import { discardBody, HttpPool } from "../../hub/targets/http-pool.ts";
import { RestServerTarget } from "../../hub/targets/rest-server.ts";
import type { Inventory } from "../../hub/targets/target.ts";
import type { DoorPlace } from "../../peer/door.ts";
import { forwardToServer } from "../../peer/forward-into.ts";
import { peerConnection, projectName } from "../../peer/server.ts";
import { innerListenOf } from "../../peer/tls/server.ts";
import { interruption } from "../interruption.ts";

/** A person waits: a server that does not answer is said to be gone within a minute. */
const PATIENCE = { connect: 10_000, idle: 60_000, attempts: 3, pause: 300 };
const PROOF_MS = 60_000;

/** A peer's server as the stack has it. */
export interface PeerServer extends DoorPlace {
  readonly target: string;
  readonly listen: ListenAddress;
  readonly inTunnel: boolean;
  /** By host: what its server accepts, and the neighbours. Secret. */
  readonly passwords: ReadonlyMap<string, PasswordTrio>;
}

/** The server of a target, for some of the hosts. */
export function peerServer(
  stack: string,
  target: string,
  settings: RestServerTargetConfig,
  config: StackConfig,
  hosts: readonly string[],
): PeerServer {
  const project = projectName(stack, target);
  const trioOf = (host: string, own: HostConfig) =>
    deriveTrio(config.credentialSeed, { at: "target", target, host }, jointStanding(own, settings));
  return {
    target,
    listen: innerListenOf(settings, project),
    inTunnel: settings.tunnel !== undefined,
    connection: peerConnection(settings, config.sshPrivateKey),
    project,
    dataDir: settings.dataDir,
    passwords: forHosts(config, hosts, trioOf),
  };
}

/** What the hosts' users are called and hold at the hub. */
export function hubPasswords(
  config: StackConfig,
  hosts: readonly string[],
): ReadonlyMap<string, PasswordTrio> {
  return forHosts(config, hosts, (host, own) =>
    deriveTrio(config.credentialSeed, { at: "hub", host }, own),
  );
}

/** Leads to the peer's own server while some work is done. It refuses removals. */
export async function withServer<T>(
  peer: PeerServer,
  signal: AbortSignal,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const way = await forwardToServer(peer, { signal });
  try {
    return await work(`http://127.0.0.1:${way.port}/`);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await way.close();
  }
}

/**
 * Lists what a rest-server has of the hosts.
 *
 * @returns for every host its inventory, empty where there is no repository, or why there is none.
 */
export async function list(
  url: string,
  passwords: ReadonlyMap<string, PasswordTrio>,
): Promise<Map<string, Inventory | Error>> {
  const server = new RestServerTarget({
    name: "listed",
    url,
    maxBytes: undefined,
    repositories: "/",
    users: new Map([...passwords].map(([user, trio]) => [user, { user, passwords: trio }])),
    uploadLimit: Infinity,
    patience: PATIENCE,
  });
  // Ends what waits for an answer.
  const stop = (): void => void server.close();
  interruption.addEventListener("abort", stop);
  try {
    const found = await server.inventory([...passwords.keys()]);
    interruption.throwIfAborted();
    return found;
  } finally {
    interruption.removeEventListener("abort", stop);
    await server.close();
  }
}

/** The credential that the peer's server accepts for a host, and whether there is a repository. */
export async function acceptedAt(
  url: string,
  user: string,
  trio: PasswordTrio,
): Promise<{ password: string; isThere: boolean }> {
  for (const password of [trio.current, trio.next, trio.previous]) {
    if (password === null) continue;
    const status = await ask(url, user, password, "HEAD", "config");
    if (status !== 401) return { password, isThere: status !== 404 };
  }
  throw new Error(`the peer's server accepts none of the credentials of "${user}"`);
}

/**
 * Tries, with a host's own credential, to remove a file from the canary's folder. There is no such
 * file: a server that would remove it says that it has.
 *
 * @throws Error where the server does not refuse it.
 */
export async function tryRemoval(peer: PeerServer): Promise<void> {
  const [host, trio] = [...peer.passwords][0] ?? [];
  if (host === undefined || trio === undefined) throw new Error("there is no host to try it with");
  await withServer(peer, AbortSignal.timeout(PROOF_MS), async (url) => {
    const { password } = await acceptedAt(url, host, trio);
    const name = `${CANARY}/snapshots/${randomBytes(32).toString("hex")}`;
    const status = await ask(url, host, password, "DELETE", name);
    if (status === 403) return;
    throw new Error(
      `asked to remove a file with the credential of "${host}", the peer's own server answered ${status}, must be 403. Whoever has that credential may destroy backups there: run pulumi up`,
    );
  });
}

async function ask(
  url: string,
  user: string,
  password: string,
  method: "HEAD" | "DELETE",
  path: string,
): Promise<number> {
  const pool = new HttpPool(new URL(url).origin, { idle: PROOF_MS });
  try {
    const response = await pool.request({
      method,
      path: `/${user}/${path}`,
      headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` },
    });
    await discardBody(response);
    return response.statusCode;
  } finally {
    await pool.destroy();
  }
}

function forHosts(
  config: StackConfig,
  hosts: readonly string[],
  trioOf: (host: string, own: HostConfig) => PasswordTrio,
): Map<string, PasswordTrio> {
  const found = new Map<string, PasswordTrio>();
  for (const host of hosts) {
    const own = config.hosts[host];
    if (own !== undefined) found.set(host, trioOf(host, own));
  }
  return found;
}
