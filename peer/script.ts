/** What is sent to the peer's shell: the settings of one server, and the script that installs it. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import ipaddr from "ipaddr.js";
import type { ListenAddress } from "../config/rules.ts";
import { composeFile, localAddress, SERVER_UID } from "./compose.ts";

/** A rest-server as it shall be on a peer. */
export interface PeerServer {
  /** The compose project's name. */
  readonly project: string;
  readonly dataDir: string;
  readonly image: string;
  readonly listen: ListenAddress;
  readonly maxSizeGiB: number;
  /** The htpasswd file's content. */
  readonly htpasswd: string;
  /** Seconds between two health checks. */
  readonly healthSeconds?: number;
}

const installScript = readFileSync(new URL("install.sh", import.meta.url), "utf8");

/** Quotes a value for a POSIX shell: within single quotes nothing but their end is special. */
function quote(value: string): string {
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

function composeOf(server: PeerServer): string {
  return composeFile({
    ...server,
    repositories: `${server.dataDir}/repositories`,
    auth: `${server.dataDir}/server/auth`,
  });
}

/** SHA-256, in hex, of the files that are put on the peer. */
export function releaseHashes(server: PeerServer): { compose: string; htpasswd: string } {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  return { compose: sha256(composeOf(server)), htpasswd: sha256(server.htpasswd) };
}

/**
 * The standard input of `sh -s install` and `sh -s remove` on the peer.
 *
 * It travels on standard input because that is the one way to a remote process which neither the
 * process list nor an error message shows.
 */
export function peerScript(server: PeerServer): string {
  const variables = {
    project: server.project,
    data_dir: server.dataDir,
    image: server.image,
    listen_address: server.listen.address,
    listen_ipv6: ipv6Digits(server.listen.address),
    local_address: localAddress(server.listen),
    port: String(server.listen.port),
    uid: String(SERVER_UID),
    max_size_kib: String(Math.floor(server.maxSizeGiB * 1024 ** 2)),
    compose_b64: base64(composeOf(server)),
    htpasswd_b64: base64(server.htpasswd),
  };
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}\n`);
  return `${assignments.join("")}${installScript}`;
}
