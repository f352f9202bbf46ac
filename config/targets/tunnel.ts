/**
 * A tunnel of the server's own on a peer: the server listens inside it and nowhere else
 * (docs/adr/0016-tunnels.md).
 */
import ipaddr from "ipaddr.js";
import { z } from "zod";
import { parseListen, type ListenAddress } from "../rules.ts";
import * as rules from "../rules.ts";
import { ofType } from "./common.ts";
import { tlsUrl } from "./tls.ts";

/**
 * tailscale 1.102.5 at Docker Hub: the digest of its manifest list for all platforms, as Dependabot
 * and Renovate pin it in public repositories.
 */
export const TAILSCALE_IMAGE =
  "tailscale/tailscale:v1.102.5@sha256:c507f3a2a6ab1cabd8d809b98edeb41edbd5c3fb6ad9632ffd098b4c7d0b4065";

/** LinuxServer's image: of it `ip` and `wg` are used, and nothing that it starts by itself. */
export const WIREGUARD_IMAGE = "linuxserver/wireguard:1.0.20250521-r1-ls116";

/** The hub's address turns with its key, so that the peer tells the keys of three generations apart. */
const HUB_ADDRESSES = 3;

const string = (rule: string, accepts: (value: string) => boolean) =>
  z.string({ error: rule }).refine(accepts, { error: rule });

const port = z
  .int()
  .min(1)
  .max(65_535)
  .default(8000)
  .describe("The server's port inside the tunnel.");

const tag = string(
  'a tag such as "tag:offsite", of lower-case letters, digits and hyphens',
  (value) => /^tag:[a-z][a-z0-9-]{0,48}$/.test(value),
);

/** Tailscale, or Headscale where `loginServer` is given. */
export const tailscaleTunnelSchema = z.strictObject({
  type: z.literal("tailscale"),
  hostname: string(
    "a host name of up to 63 lower-case letters, digits and inner hyphens",
    (value) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(value),
  )
    .default("offsite-peer")
    .describe("The peer's name in the tailnet, by which the hub reaches it."),
  loginServer: string(
    'the "https://" URL of a login server, such as Headscale, without a path',
    (value) => isLoginServer(value),
  )
    .optional()
    .describe("Headscale's URL; Tailscale's own when left out."),
  tags: z
    .array(tag)
    .min(1)
    .default(["tag:offsite"])
    .describe("What the peer is in the tailnet's access rules, which must grant it nothing."),
  port,
  image: rules.imageReference.default(TAILSCALE_IMAGE).describe("The tunnel's image."),
});

/** WireGuard, with keys that follow from the seed. */
export const wireguardTunnelSchema = z.strictObject({
  type: z.literal("wireguard"),
  endpoint: string(
    'the peer\'s public name or address and a UDP port, such as "peer.example.org:51820"',
    (value) => parseEndpoint(value) !== undefined,
  ).describe("Where the hub reaches the peer: the port must lead to the peer's machine."),
  listenPort: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe("The UDP port on the peer's machine, where it is not the endpoint's."),
  network: string(
    'a private network of its own with at least 8 addresses, such as "10.99.83.0/29" or "fd99:83::/64"',
    (value) => parseNetwork(value) !== undefined,
  )
    .default("10.99.83.0/29")
    .describe("The tunnel's addresses: the first is the peer's, the next three are the hub's."),
  keepalive: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .describe("Seconds between two signs of life of the hub's, where a router forgets the way."),
  userspace: z
    .boolean()
    .default(false)
    .describe("Whether the peer's kernel has no WireGuard: the image's wireguard-go is used."),
  port,
  image: rules.imageReference.default(WIREGUARD_IMAGE).describe("The tunnel's image."),
});

/** A tunnel of either kind. */
export const tunnelSchema = z.discriminatedUnion(
  "type",
  [tailscaleTunnelSchema, wireguardTunnelSchema],
  ofType('"tailscale" or "wireguard"'),
);

export type TunnelConfig = z.infer<typeof tunnelSchema>;
export type TailscaleTunnelConfig = z.infer<typeof tailscaleTunnelSchema>;
export type WireguardTunnelConfig = z.infer<typeof wireguardTunnelSchema>;

function isLoginServer(value: string): boolean {
  if (!/^https?:\/\/[A-Za-z0-9.:[\]-]+\/?$/.test(value) || !URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  // In clear text only to a machine's own loopback, where nobody else listens.
  return protocol === "https:" || /^(?:localhost|127\.[0-9.]+|\[::1\])$/.test(hostname);
}

/** A name or address, and a port. */
export interface Endpoint {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Takes `peer.example.org:51820` or `[2001:db8::1]:51820` apart; undefined when it is none. */
export function parseEndpoint(value: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-f:]+)\]|([^:[\]]+)):([0-9]{1,5})$/i.exec(value);
  const host = match?.[1] ?? match?.[2] ?? "";
  const number = Number(match?.[3]);
  if (!rules.machineAddress.safeParse(host).success) return undefined;
  return number >= 1 && number <= 65_535 ? { host, port: number } : undefined;
}

/** The addresses of a WireGuard tunnel. */
export interface TunnelNetwork {
  readonly bits: number;
  /** The length of one address's prefix: 32 or 128. */
  readonly whole: 32 | 128;
  /** First and last address as numbers. */
  readonly first: bigint;
  readonly last: bigint;
}

/** Takes a private network apart; undefined when it is none, or has too few addresses. */
export function parseNetwork(value: string): TunnelNetwork | undefined {
  if (!ipaddr.isValidCIDR(value)) return undefined;
  const [address, bits] = ipaddr.parseCIDR(value);
  const range = address.range();
  if (!["private", "uniqueLocal", "carrierGradeNat"].includes(range)) return undefined;
  const whole = address.kind() === "ipv4" ? 32 : 128;
  const size = 1n << BigInt(whole - bits);
  const first = numberOf(address.toByteArray());
  if (size < 8n || first % size !== 0n) return undefined;
  return { bits, whole, first, last: first + size - 1n };
}

function numberOf(bytes: readonly number[]): bigint {
  return bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
}

function addressAt({ first, whole }: TunnelNetwork, offset: number): string {
  const hex = (first + BigInt(offset)).toString(16).padStart(whole / 4, "0");
  return ipaddr.fromByteArray([...Buffer.from(hex, "hex")]).toString();
}

/** A checked setting's network. @throws RangeError when it is none. */
export function networkOf({ network }: WireguardTunnelConfig): TunnelNetwork {
  const parsed = parseNetwork(network);
  if (parsed === undefined) throw new RangeError(`"${network}" is no network of a tunnel`);
  return parsed;
}

/** The peer's address in the tunnel. */
export function peerTunnelAddress(tunnel: WireguardTunnelConfig): string {
  return addressAt(networkOf(tunnel), 1);
}

/** The hub's address in the tunnel with the key of a generation: neighbours never share one. */
export function hubTunnelAddress(tunnel: WireguardTunnelConfig, generation: number): string {
  return addressAt(networkOf(tunnel), 2 + (generation % HUB_ADDRESSES));
}

/** The UDP port on the peer's machine. */
export function tunnelPort({ endpoint, listenPort }: WireguardTunnelConfig): number {
  return listenPort ?? parseEndpoint(endpoint)?.port ?? 51_820;
}

/**
 * Where the server listens inside its tunnel: WireGuard gives it an address. A tailscaled without a
 * network interface hands connections on to the loopback address of the container's own network.
 */
export function tunnelListen(tunnel: TunnelConfig): ListenAddress {
  const address = tunnel.type === "wireguard" ? peerTunnelAddress(tunnel) : "127.0.0.1";
  return { address, port: tunnel.port, wildcard: false };
}

/** What a server's settings say of where it is. */
interface Placed {
  readonly listen?: string | undefined;
  readonly url?: string | undefined;
  readonly tunnel?: TunnelConfig | undefined;
  readonly tls?: "self-signed" | "acme" | undefined;
  readonly domain?: string | undefined;
}

/**
 * Where a rest-server listens: in its tunnel, or at the peer's address.
 *
 * @throws RangeError when neither is given, which a checked config cannot lead to.
 */
export function listenOf({ listen, tunnel }: Placed): ListenAddress {
  if (tunnel !== undefined) return tunnelListen(tunnel);
  const parsed = parseListen(listen ?? "");
  if (parsed === undefined) throw new RangeError(`"${listen ?? ""}" is no address and port`);
  return parsed;
}

/** The URL at which hub and hosts reach a rest-server, with or without a slash at its end. */
export function serverUrl(target: Placed): string {
  if (target.url !== undefined) return target.url;
  const { tunnel } = target;
  if (target.tls !== undefined) return tlsUrl(target, listenOf(target));
  if (tunnel?.type === "tailscale") return `http://${tunnel.hostname}:${tunnel.port}`;
  // As it is spelled: another spelling would be another URL to whoever has it already.
  if (tunnel === undefined && target.listen !== undefined) return `http://${target.listen}`;
  const { address, port } = listenOf(target);
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}
