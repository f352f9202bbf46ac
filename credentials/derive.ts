/**
 * Passwords as a function of the seed, of whom they are for, and of their generation.
 *
 * Nothing is stored: whoever has the seed has every password of every generation, and a preview
 * knows all values. See docs/adr/0001-derived-credentials.md.
 */
import { hkdfSync } from "node:crypto";
import type { Standing } from "../config/generations.ts";
import type { PasswordTrio } from "../config/manifest.ts";

/** Whom a password is for and where it is accepted. */
export type PasswordOwner =
  | { readonly at: "hub"; readonly host: string }
  | { readonly at: "target"; readonly target: string; readonly host: string }
  | { readonly at: "guest"; readonly guest: string };

/** Bytes of a password before encoding: 256 bits. */
const PASSWORD_BYTES = 32;

/**
 * HKDF-SHA-256 (RFC 5869) without a salt: the seed is uniformly random (section 3.1).
 *
 * @param seed - 32 bytes in hex.
 * @param use - tells apart what is made for the same owner.
 * @param length - bytes wanted.
 */
export function deriveBytes(
  seed: string,
  use: "password" | "bcrypt-salt",
  owner: PasswordOwner,
  generation: number,
  length: number,
): Buffer {
  const target = owner.at === "target" ? owner.target : "";
  const name = owner.at === "guest" ? owner.guest : owner.host;
  // No name can hold a NUL, so that no two owners share an info.
  const info = ["fort-offsite/1", use, owner.at, target, name, String(generation)].join("\0");
  return Buffer.from(hkdfSync("sha256", Buffer.from(seed, "hex"), "", info, length));
}

/**
 * The password of an owner at a generation.
 *
 * @returns 43 characters of base64url: 256 bits, within bcrypt's 72 bytes, safe in files and URLs.
 */
export function derivePassword(seed: string, owner: PasswordOwner, generation: number): string {
  return deriveBytes(seed, "password", owner, generation, PASSWORD_BYTES).toString("base64url");
}

/**
 * What an owner holds at a generation: the current password and its neighbours.
 *
 * @param revoked - up to which generation all are revoked: nobody holds such a one as previous.
 */
export function deriveTrio(
  seed: string,
  owner: PasswordOwner,
  { generation, revoked }: Standing,
): PasswordTrio {
  const before = generation - 1;
  return {
    generation,
    current: derivePassword(seed, owner, generation),
    next: derivePassword(seed, owner, generation + 1),
    previous: before > revoked ? derivePassword(seed, owner, before) : null,
  };
}

/**
 * The generation of a host's credential at a target, which turns over with the host's and with
 * the target's. The sum makes either step the same step, so that what a machine holds as next is
 * right whichever of the two is raised; raising both in one update skips a generation.
 */
export function jointGeneration(host: number, target: number): number {
  return host + target - 1;
}

/**
 * The {@link jointGeneration}, with what is revoked of it: all before it, where the last step was
 * surely a revocation. Where one of the two was rotated since, the generation before is what a hub
 * that is deployed before the server needs.
 */
export function jointStanding(host: Standing, target: Standing): Standing {
  const generation = jointGeneration(host.generation, target.generation);
  const isFirst = [host, target].every((each) => each.generation === each.revoked + 1);
  return { generation, revoked: isFirst ? generation - 1 : 0 };
}
