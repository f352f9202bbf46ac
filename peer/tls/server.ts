/** From a target's settings to the TLS in front of its server at the peer. */
import { createHash } from "node:crypto";
import ipaddr from "ipaddr.js";
import type { ListenAddress } from "../../config/rules.ts";
import type { RestServerTargetConfig } from "../../config/stack.ts";
import { listenOf, serverUrl } from "../../config/targets/tunnel.ts";
import type { CaddyService } from "../services/caddy.ts";

/** Nobody's usual port, and below those that a kernel hands out. */
const UPSTREAM_PORT = 18_000;

const digest = (text: string) => createHash("sha256").update(text).digest();

/**
 * Where a server behind Caddy listens: at a loopback address of its own, so that the servers of two
 * targets on one machine do not meet.
 */
export function upstreamOf(project: string, listen: ListenAddress): ListenAddress {
  const [a = 0, b = 0, c = 0] = digest(project);
  const port = listen.port === UPSTREAM_PORT ? UPSTREAM_PORT + 1 : UPSTREAM_PORT;
  // Neither the network's first address nor its last.
  const address = `127.${(a % 254) + 1}.${b}.${(c % 254) + 1}`;
  return { address, port, wildcard: false };
}

/** Where a target's server itself listens. */
export function innerListenOf(target: RestServerTargetConfig, project: string): ListenAddress {
  const listen = listenOf(target);
  return target.tls === undefined ? listen : upstreamOf(project, listen);
}

/** The TLS of a target's server; undefined where it has none. */
export function peerTls(target: RestServerTargetConfig, project: string): CaddyService | undefined {
  const { tls, acme } = target;
  if (tls === undefined) return undefined;
  const listen = listenOf(target);
  const host = new URL(serverUrl(target)).hostname.replaceAll(/[[\]]/g, "");
  return {
    kind: tls,
    image: target.caddyImage,
    host,
    listen,
    upstream: upstreamOf(project, listen),
    // What was revoked is in a thief's hands, and the authority's key may be, too.
    authority: digest(`${host} ${target.revoked}`).toString("hex").slice(0, 16),
    email: acme?.email,
    acmeServer: acme?.server,
    acmeRoot: acme?.root,
    httpPort: acme?.httpPort ?? 80,
  };
}

/**
 * What the peer's own authority may vouch for, as openssl's `nameConstraints`: this host alone, so
 * that its key opens nothing else wherever its certificate is trusted.
 */
export function nameConstraints(host: string): string {
  if (!ipaddr.isValid(host)) {
    // Names of one kind alone would leave all addresses open.
    return `permitted;DNS:${host},permitted;IP:0.0.0.0/255.255.255.255`;
  }
  const mask =
    ipaddr.parse(host).kind() === "ipv4"
      ? "255.255.255.255"
      : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
  return `permitted;IP:${host}/${mask},permitted;DNS:fort-offsite.invalid`;
}

/** The certificate, in PEM, that an installation says at its end; undefined where it says none. */
export function certificateIn(stdout: string): string | undefined {
  const der = /^authority ([A-Za-z0-9+/]+={0,2})$/m.exec(stdout)?.[1];
  if (der === undefined) return undefined;
  const lines = der.match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
