/** The way from the operator's machine to a peer's rest-server: straight, or through SSH. */
import { connect } from "node:net";
import ipaddr from "ipaddr.js";
import { withSlash } from "../../components/target.ts";
import type { RestServerTargetConfig } from "../../config/stack.ts";
import { serverUrl } from "../../config/targets/tunnel.ts";
import { messageOf } from "../../hub/errors.ts";
import { discard, RestConnection, type Patience } from "../../hub/targets/rest-client.ts";
import { remedyOf, type Trust } from "../../hub/targets/rest-trust.ts";
import { StopError } from "../../hub/targets/target.ts";
import { forwardToServer } from "../../peer/forward-into.ts";
import { forward } from "../../peer/forward.ts";
import type { SshConnection } from "../../peer/ssh.ts";
import { innerListenOf } from "../../peer/tls/server.ts";
import { interruption } from "../interruption.ts";
import { Skipped } from "./checks.ts";

const CONNECT_MS = 5_000;

/** Somebody is waiting. */
export const PATIENCE: Patience = { connect: CONNECT_MS, idle: 30_000, attempts: 3, pause: 200 };

/** A way to a server. */
export interface Route {
  /** The server's base URL on this way, ending in a slash. */
  readonly url: string;
  readonly direct: boolean;
  /** How the server proves who it is; SSH does that for a route that is not direct. */
  readonly trust: Trust;
  close(): Promise<void>;
}

/** Where a TLS server is, and as whom it must show itself. */
export interface TlsRoute {
  readonly host: string;
  readonly port: number;
  readonly serverName: string;
  close(): Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();

/** The URL that hub and hosts use. */
export function urlOf(target: RestServerTargetConfig): URL {
  return new URL(withSlash(serverUrl(target)));
}

/**
 * Finds a way to the server: its URL where this machine reaches that, else through SSH to where it
 * listens at the peer.
 *
 * @param canLogIn - whether the peer lets the operator in.
 * @param project - the compose project's name of the server.
 * @param trust - how the server proves who it is over TLS.
 * @throws Error where there is none; Skipped where that says no more than the login does.
 */
export async function routeTo(
  target: RestServerTargetConfig,
  connection: SshConnection,
  canLogIn: boolean,
  project: string,
  trust: Trust = {},
): Promise<Route> {
  const url = urlOf(target);
  const refused = await unreached(url);
  if (refused === undefined) return { url: url.href, direct: true, trust, close: nothing };
  if (!canLogIn && isOwn(hostOf(url))) {
    throw new Skipped(`${url.href} is the peer's own address, and SSH does not get there`);
  }
  if (!canLogIn) throw new Error(`${url.href} cannot be reached: ${refused}`);
  const place = { connection, project, listen: innerListenOf(target, project) };
  const inTunnel = target.tunnel !== undefined;
  const way = await forwardToServer({ ...place, inTunnel }, { signal: interruption });
  const through = { url: `http://127.0.0.1:${way.port}/`, direct: false, trust: {} };
  return { ...through, close: () => way.close() };
}

/**
 * Asks the server something, as nobody.
 *
 * @throws Error where it does not answer as a rest-server with passwords does.
 */
export async function mustAnswer(route: Route, url: URL): Promise<void> {
  const connection = new RestConnection(route.url, 1, PATIENCE, route.trust);
  const how = route.direct ? "" : ", asked through SSH";
  try {
    const request = { method: "HEAD", path: "config" } as const;
    const answer = await connection.send("nobody", "", request);
    await discard(answer);
    if (answer.statusCode === 401) return;
    const remedy = "Is it rest-server that answers there, with its htpasswd?";
    throw new StopError(
      "target",
      `${url.href} answered ${answer.statusCode} to a stranger, and must answer 401${how}. ${remedy}`,
    );
  } catch (error) {
    interruption.throwIfAborted();
    if (error instanceof StopError) throw error;
    const remedy = remedyOf(error, route.trust);
    throw new StopError(
      "target",
      `${url.href} gives no answer${how}: ${messageOf(error)}${remedy}`,
    );
  } finally {
    await connection.close();
  }
}

/** The same to whoever ends TLS for the server. */
export async function tlsRouteTo(
  url: URL,
  connection: SshConnection,
  canLogIn: boolean,
): Promise<TlsRoute> {
  const host = hostOf(url);
  const port = portOf(url);
  const refused = await unreached(url);
  if (refused === undefined) return { host, port, serverName: host, close: nothing };
  if (!canLogIn) throw new Error(`${url.href} cannot be reached: ${refused}`);
  const way = await forward(connection, host, port, { signal: interruption });
  return { host: "127.0.0.1", port: way.port, serverName: host, close: () => way.close() };
}

/** Without the brackets of an IPv6 address. */
function hostOf(url: URL): string {
  return url.hostname.replaceAll(/[[\]]/g, "");
}

function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

/** Why this machine does not reach a URL; undefined where it does. */
async function unreached(url: URL): Promise<string | undefined> {
  const host = hostOf(url);
  // What listens there on this machine is another server, to which no password must go.
  if (isOwn(host)) return "it is an address of the peer itself";
  return await new Promise((resolve) => {
    const socket = connect({ host, port: portOf(url), signal: interruption });
    const end = (reason: string | undefined) => {
      socket.destroy();
      resolve(reason);
    };
    socket.setTimeout(CONNECT_MS, () => end(`no connection within ${CONNECT_MS / 1000} seconds`));
    socket.once("connect", () => end(undefined));
    socket.once("error", ({ message }) => end(message));
  });
}

function isOwn(host: string): boolean {
  if (host === "localhost") return true;
  return ipaddr.isValid(host) && ["loopback", "unspecified"].includes(ipaddr.parse(host).range());
}
