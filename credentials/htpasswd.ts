/** The htpasswd file of a rest-server: one user per host, bcrypt, with bytes that are stable. */
import bcrypt from "bcryptjs";
import { deriveBytes, derivePassword, type PasswordOwner } from "./derive.ts";

/**
 * htpasswd's own default (htpasswd(1), -C). It slows the guessing of weak passwords down; against
 * 256 random bits there is nothing to guess.
 */
const COST = 5;
const SALT_BYTES = 16;

/** A user of a rest-server. */
export interface HtpasswdUser {
  readonly owner: PasswordOwner;
  /** The one generation that is accepted. */
  readonly generation: number;
}

/**
 * One user's line without its line end. The salt is derived too, so that the line changes only
 * when the password does.
 */
export function htpasswdLine(seed: string, { owner, generation }: HtpasswdUser): string {
  const salt = deriveBytes(seed, "bcrypt-salt", owner, generation, SALT_BYTES);
  const setting = `$2b$${String(COST).padStart(2, "0")}$${bcrypt.encodeBase64([...salt], SALT_BYTES)}`;
  const hash = bcrypt.hashSync(derivePassword(seed, owner, generation), setting);
  // 2b and 2y name the same algorithm; htpasswd and Apache know it as 2y.
  return `${owner.host}:${hash.replace(/^\$2b\$/, "$2y$")}`;
}

/** The whole file, sorted by user. */
export function htpasswdFile(seed: string, users: readonly HtpasswdUser[]): string {
  return users
    .map((user) => `${htpasswdLine(seed, user)}\n`)
    .sort()
    .join("");
}
