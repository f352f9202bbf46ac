/** What is sent to a peer's shell: the settings of one server, and the script that works on it. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import ipaddr from "ipaddr.js";
import type { ListenAddress } from "../config/rules.ts";
import { caddyFiles, PROXY_UID, type CaddyService } from "./services/caddy.ts";
import { hostPort } from "./services/rest-server.ts";
import { nameConstraints } from "./tls/server.ts";
import type { PeerTunnel } from "./tunnel.ts";
import { composeFile, composeServices, localAddress, maxSize, SERVER_UID } from "./compose.ts";
import type { ComposeOptions } from "./compose.ts";

/** A rest-server as it shall be on a peer. */
export interface PeerServer {
  /** The compose project's name. */
  readonly project: string;
  readonly dataDir: string;
  readonly image: string;
  readonly listen: ListenAddress;
  readonly maxSizeGiB: number;
  /** TLS in front of it. */
  readonly tls?: CaddyService | undefined;
  /** A tunnel of its own, in which it listens. */
  readonly tunnel?: PeerTunnel | undefined;
  /** The htpasswd file's content. */
  readonly htpasswd: string;
  /** Seconds between two health checks. */
  readonly healthSeconds?: number;
}

function script(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8");
}

const COMMON = script("common.sh");
const INSTALL =
  COMMON + script("tls/install.sh") + script("tunnel/install.sh") + script("install.sh");
const LOOK = COMMON + script("look.sh");

/**
 * The command line that runs a script from standard input as root: the same for every user, so that
 * it never depends on the settings.
 *
 * @param words - the script's arguments, of characters that need no quoting.
 */
export function asRoot(words: string): string {
  return `sh -c 'if [ "$(id -u)" = 0 ]; then exec sh -s "$@"; else exec sudo -n sh -s "$@"; fi' sh ${words}`;
}

/** Quotes a value for a POSIX shell: within single quotes nothing but their end is special. */
export function quote(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

/** An IPv6 address as /proc/net/if_inet6 writes it, 32 hex digits; empty for IPv4. */
function ipv6Digits(address: string): string {
  const parsed = ipaddr.parse(address);
  return parsed.kind() === "ipv6" ? Buffer.from(parsed.toByteArray()).toString("hex") : "";
}

/** The compose file of a server. */
export function composeText(server: PeerServer): string {
  return composeFile(optionsOf(server));
}

function optionsOf(server: PeerServer): ComposeOptions {
  const { tls, tunnel } = server;
  const own = `${server.dataDir}/server`;
  return {
    ...server,
    tunnel: tunnel && {
      ...tunnel.service,
      files: `${own}/tunnel/${tunnelFilesId(tunnel)}`,
      key: `${own}/tunnel/key`,
      state: `${own}/tunnel/state`,
    },
    tls: tls && {
      caddy: tls,
      places: {
        files: `${own}/files/${caddyFilesId(tls)}`,
        authority: `${own}/tls/${tls.authority}`,
        data: `${own}/caddy`,
      },
    },
    repositories: `${server.dataDir}/repositories`,
    auth: `${server.dataDir}/server/auth`,
  };
}

/** What names the folder of a tunnel's files: their content. Nobody learns a key from it. */
function tunnelFilesId({ files }: PeerTunnel): string {
  return sha256(JSON.stringify(files)).slice(0, 16);
}

/** What names the folder of Caddy's files: their content. */
function caddyFilesId(tls: CaddyService): string {
  return sha256(JSON.stringify(caddyFiles(tls))).slice(0, 16);
}

/** What is put on the peer and is no secret, by name. */
export function publicFiles(server: PeerServer): Record<string, string> {
  return {
    "compose.yaml": composeText(server),
    ...(server.tls !== undefined && caddyFiles(server.tls)),
  };
}

/** Where the server itself listens, as it is asked from the peer. */
export function innerListen({ tls, listen }: Pick<PeerServer, "tls" | "listen">): ListenAddress {
  return tls?.upstream ?? listen;
}

/** SHA-256 in hex. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** SHA-256, in hex, of the files that are put on the peer. */
export function releaseHashes(server: PeerServer): { compose: string; htpasswd: string } {
  return { compose: sha256(composeText(server)), htpasswd: sha256(server.htpasswd) };
}

/**
 * The standard input of `sh -s install`, `sh -s install repair-<name>` and `sh -s remove` on the
 * peer.
 *
 * It travels on standard input because that is the one way to a remote process which neither the
 * process list nor an error message shows.
 */
export function peerScript(server: PeerServer): string {
  const services = Object.entries(composeServices(optionsOf(server)));
  return withVariables(INSTALL, {
    ...variablesOf(server),
    services: services.map(([name]) => name).join(" "),
    ...tlsVariables(server.tls),
    ...(server.tunnel !== undefined && tunnelVariables(server.tunnel)),
    images: [...new Set(services.map(([, { image }]) => image))].join(" "),
    max_size: String(maxSize(server)),
    max_size_kib: String(Math.floor(server.maxSizeGiB * 1024 ** 2)),
    compose_b64: base64(composeText(server)),
    htpasswd_b64: base64(server.htpasswd),
  });
}

/**
 * The standard input of `sh -s look` on the peer. There is nothing secret in it.
 *
 * @param thorough - whether to count what takes long.
 */
export function lookScript(server: PeerServer, thorough: boolean): string {
  const { tls = "", tls_host = "", tls_dial = "" } = tlsVariables(server.tls);
  return withVariables(LOOK, {
    ...variablesOf(server),
    ...{ tls, tls_host, tls_dial },
    thorough: thorough ? "yes" : "",
  });
}

function tlsVariables(tls: CaddyService | undefined): Record<string, string> {
  if (tls === undefined) return { tls: "", authority: "", caddy_files_id: "" };
  const dial = { ...tls.listen, address: localAddress(tls.listen) };
  return {
    tls: tls.kind,
    tls_host: tls.host,
    tls_dial: hostPort(dial),
    tls_names: nameConstraints(tls.host),
    authority: tls.authority,
    proxy_uid: String(PROXY_UID),
    caddy_files_id: caddyFilesId(tls),
    caddy_files: Object.entries(caddyFiles(tls))
      .map(([name, content]) => `${name} ${base64(content)}`)
      .join("\n"),
  };
}

function tunnelVariables(tunnel: PeerTunnel): Record<string, string> {
  return {
    tunnel_uid: String(tunnel.uid),
    tunnel_files: Object.entries(tunnel.files)
      .map(([name, content]) => `${name} ${base64(content)}`)
      .join("\n"),
    tunnel_key_b64: base64(tunnel.authKey),
  };
}

function variablesOf(server: PeerServer): Record<string, string> {
  const inner = innerListen(server);
  return {
    project: server.project,
    data_dir: server.dataDir,
    listen_address: server.listen.address,
    listen_ipv6: ipv6Digits(server.listen.address),
    local_address: localAddress(inner),
    local_port: String(inner.port),
    port: String(server.listen.port),
    tunnel: server.tunnel?.service.type ?? "",
    tunnel_id: server.tunnel === undefined ? "" : tunnelFilesId(server.tunnel),
    uid: String(SERVER_UID),
  };
}

/** Puts shell variables in front of a script. */
/** Puts variables above a script's text. */
export function withVariables(text: string, variables: Readonly<Record<string, string>>): string {
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}\n`);
  return `${assignments.join("")}${text}`;
}
