/**
 * SSH keys as a function of the seed, of whom they are for, and of their generation, like the
 * passwords of `derive.ts`: nothing is stored, and a preview knows all of them.
 */
import { hkdfSync } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import type { Standing } from "../config/generations.ts";

/** Whom a key is for: a host at a target, or the hub there where no host is named. */
export interface SshKeyOwner {
  readonly target: string;
  readonly host?: string | undefined;
}

/** A pair of keys. */
export interface SshKey {
  /** In OpenSSH's own format, without a passphrase; ends with a line break. Secret. */
  readonly privateKey: string;
  /** Type and key, as in authorized_keys, without a comment. */
  readonly publicKey: string;
}

/** The keys that somebody holds: the current one and its neighbours. */
export interface SshKeyTrio {
  readonly current: SshKey;
  readonly next: SshKey;
  /** Undefined at the first generation and after a revocation. */
  readonly previous: SshKey | undefined;
}

/**
 * The standing of a host's key at a target. It turns over with the host's generation, and with a
 * revocation of the target's, which is never taken back; the hub's key there turns with the target's.
 * So that raising both in one update skips nobody's generation.
 */
export function hostKeyStanding(host: Standing, target: Standing): Standing {
  return {
    generation: host.generation + target.revoked,
    revoked: host.revoked + target.revoked,
  };
}

const TYPE = "ssh-ed25519";
const SEED_BYTES = 32;
const LINE = 70;
const BLOCK = 8;

/**
 * The key of an owner at a generation (RFC 8032: 32 uniformly random bytes are an Ed25519 key).
 *
 * @param seed - 32 bytes in hex.
 */
export function deriveSshKey(
  seed: string,
  { target, host = "" }: SshKeyOwner,
  generation: number,
): SshKey {
  // The same info as a password's, with a use of its own. No host has an empty name.
  const info = ["fort-offsite/1", "ssh-key", "target", target, host, String(generation)].join("\0");
  const secret = Buffer.from(hkdfSync("sha256", Buffer.from(seed, "hex"), "", info, SEED_BYTES));
  const point = Buffer.from(ed25519.getPublicKey(secret));
  const blob = Buffer.concat([string(TYPE), string(point)]);
  return {
    privateKey: openSshPrivateKey(secret, point, blob),
    publicKey: `${TYPE} ${blob.toString("base64")}`,
  };
}

/** What an owner holds at a generation; see `deriveTrio` for what is previous. */
export function deriveSshKeys(
  seed: string,
  owner: SshKeyOwner,
  { generation, revoked }: Standing,
): SshKeyTrio {
  const before = generation - 1;
  return {
    current: deriveSshKey(seed, owner, generation),
    next: deriveSshKey(seed, owner, generation + 1),
    previous: before > revoked ? deriveSshKey(seed, owner, before) : undefined,
  };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A string of the SSH protocol: its length, then its bytes (RFC 4251, section 5). */
function string(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/** OpenSSH's PROTOCOL.key, with no cipher. Every OpenSSH and Go's ssh read it. */
function openSshPrivateKey(secret: Buffer, point: Buffer, blob: Buffer): string {
  // Two equal numbers tell a reader that it has decrypted rightly; here they tell nothing.
  const check = blob.subarray(-4);
  const body = Buffer.concat([
    ...[check, check, string(TYPE), string(point)],
    ...[string(Buffer.concat([secret, point])), string("")],
  ]);
  const lacking = (BLOCK - (body.length % BLOCK)) % BLOCK;
  const padding = Buffer.from(Array.from({ length: lacking }, (_, index) => index + 1));
  const all = Buffer.concat([
    Buffer.from("openssh-key-v1\0", "latin1"),
    ...[string("none"), string("none"), string(""), uint32(1), string(blob)],
    string(Buffer.concat([body, padding])),
  ]).toString("base64");
  const lines = all.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return [
    "-----BEGIN OPENSSH PRIVATE KEY-----",
    ...lines,
    "-----END OPENSSH PRIVATE KEY-----",
    "",
  ].join("\n");
}
