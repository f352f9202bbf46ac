/**
 * WireGuard's keys as a function of the seed, and the configuration of both ends of a tunnel.
 *
 * A server accepts the hub's keys of three generations, each at an address of its own, so that the
 * hub can be deployed before the peer or after it; its own key changes with a revocation alone
 * (docs/adr/0016-tunnels.md).
 */
import { hkdfSync } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import type { Standing } from "../config/generations.ts";
import {
  hubTunnelAddress,
  networkOf,
  peerTunnelAddress,
  tunnelPort,
  type WireguardTunnelConfig,
} from "../config/targets/tunnel.ts";

/** A tunnel between the hub and a target. */
export interface WireguardTunnel {
  /** 32 bytes in hex. Secret. */
  readonly seed: string;
  /** The target's name. */
  readonly target: string;
  readonly tunnel: WireguardTunnelConfig;
  readonly standing: Standing;
}

type End = "hub" | "peer";

function derive(
  seed: string,
  use: "wireguard-key" | "wireguard-preshared-key",
  target: string,
  end: End,
  generation: number,
): Buffer {
  // As in derive.ts: no name can hold a NUL. This line never changes either.
  const info = ["fort-offsite/1", use, "tunnel", target, end, String(generation)].join("\0");
  return Buffer.from(hkdfSync("sha256", Buffer.from(seed, "hex"), "", info, 32));
}

/** A private key of X25519, clamped as RFC 7748 (section 5) has it. */
function privateKey(seed: string, target: string, end: End, generation: number): Buffer {
  const key = derive(seed, "wireguard-key", target, end, generation);
  key[0] = (key[0] ?? 0) & 248;
  key[31] = ((key[31] ?? 0) & 127) | 64;
  return key;
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const publicKey = (secret: Buffer) => base64(x25519.getPublicKey(secret));

function presharedKey({ seed, target }: WireguardTunnel, generation: number): string {
  return base64(derive(seed, "wireguard-preshared-key", target, "hub", generation));
}

/** The peer's own key is one for all generations that are not revoked. */
function peerKey({ seed, target, standing }: WireguardTunnel): Buffer {
  return privateKey(seed, target, "peer", standing.revoked + 1);
}

/** The generations whose keys the peer lets in: the current one and its neighbours. */
function accepted({ generation, revoked }: Standing): number[] {
  return [generation - 1, generation, generation + 1].filter((each) => each > revoked);
}

function section(name: string, lines: readonly (string | undefined)[]): string {
  return [`[${name}]`, ...lines.filter((line) => line !== undefined), ""].join("\n");
}

/**
 * The peer's end. Secret.
 *
 * @param format - `wg` as wg(8) reads it, or `wg-quick` with the address in it.
 */
export function peerConf(of: WireguardTunnel, format: "wg" | "wg-quick"): string {
  const { seed, target, tunnel, standing } = of;
  const { whole, bits } = networkOf(tunnel);
  const own = section("Interface", [
    `PrivateKey = ${base64(peerKey(of))}`,
    `ListenPort = ${tunnelPort(tunnel)}`,
    format === "wg-quick" ? `Address = ${peerTunnelAddress(tunnel)}/${bits}` : undefined,
  ]);
  const hubs = accepted(standing).map((generation) =>
    section("Peer", [
      `PublicKey = ${publicKey(privateKey(seed, target, "hub", generation))}`,
      `PresharedKey = ${presharedKey(of, generation)}`,
      `AllowedIPs = ${hubTunnelAddress(tunnel, generation)}/${whole}`,
    ]),
  );
  return [own, ...hubs].join("\n");
}

/**
 * The hub's end, as wg-quick(8) reads it. Secret.
 *
 * The peer's packets are taken from the peer's one address, and what they begin is dropped before
 * the interface is up: they answer, and reach nothing of the hub's or behind it.
 */
export function hubConf(of: WireguardTunnel): string {
  const { seed, target, tunnel, standing } = of;
  const { generation } = standing;
  const { whole } = networkOf(tunnel);
  const tables = whole === 32 ? "iptables" : "ip6tables";
  const rules = (action: "-I" | "-D") => [
    `${tables} -w ${action} INPUT -i %i -m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP`,
    `${tables} -w ${action} FORWARD -i %i -j DROP`,
  ];
  const own = section("Interface", [
    `PrivateKey = ${base64(privateKey(seed, target, "hub", generation))}`,
    `Address = ${hubTunnelAddress(tunnel, generation)}/${whole}`,
    ...rules("-I").map((rule) => `PreUp = ${rule}`),
    ...rules("-D").map((rule) => `PostDown = ${rule}`),
  ]);
  const peer = section("Peer", [
    `PublicKey = ${publicKey(peerKey(of))}`,
    `PresharedKey = ${presharedKey(of, generation)}`,
    `AllowedIPs = ${peerTunnelAddress(tunnel)}/${whole}`,
    `Endpoint = ${tunnel.endpoint}`,
    tunnel.keepalive === undefined ? undefined : `PersistentKeepalive = ${tunnel.keepalive}`,
  ]);
  return [own, peer].join("\n");
}
