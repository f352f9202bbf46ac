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

/** A guest's user at its own server: each generation is a user, so that several are accepted. */
export function guestUser(guest: string, generation: number): string {
  return `${guest}-g${generation}`;
}

/**
 * bcrypt's hashes of passwords, each reckoned once in a stack's life: a thousand hosts' take seconds
 * at every preview, and all but one are those of the last time.
 */
export class HashMemory {
  readonly #known: ReadonlyMap<string, string>;
  readonly #used = new Map<string, string>();

  /** @param known - what an earlier one gave as {@link HashMemory.used}. */
  constructor(known: Readonly<Record<string, string>> = {}) {
    this.#known = new Map(Object.entries(known));
  }

  /**
   * The hash of an owner's password at a generation, in htpasswd's spelling. The salt is derived
   * too, so that it changes only when the password does.
   */
  hash(seed: string, { owner, generation }: HtpasswdUser): string {
    const salt = deriveBytes(seed, "bcrypt-salt", owner, generation, SALT_BYTES);
    // Salts are unique to seed, owner and generation, and no secret: each hash begins with its own.
    const key = bcrypt.encodeBase64([...salt], SALT_BYTES);
    const remembered = this.#used.get(key) ?? this.#known.get(key);
    const hash = remembered ?? reckon(derivePassword(seed, owner, generation), key);
    this.#used.set(key, hash);
    return hash;
  }

  /** The hashes that were asked for, by their salt. */
  get used(): Record<string, string> {
    return Object.fromEntries(this.#used);
  }
}

function reckon(password: string, salt: string): string {
  const hash = bcrypt.hashSync(password, `$2b$${String(COST).padStart(2, "0")}$${salt}`);
  // 2b and 2y name the same algorithm; htpasswd and Apache know it as 2y.
  return hash.replace(/^\$2b\$/, "$2y$");
}

/** The whole file, one line a user, sorted by user. */
export function htpasswdFile(
  seed: string,
  users: readonly HtpasswdUser[],
  memory = new HashMemory(),
): string {
  return users
    .map((user) => `${userName(user)}:${memory.hash(seed, user)}\n`)
    .sort()
    .join("");
}

function userName({ owner, generation }: HtpasswdUser): string {
  return owner.at === "guest" ? guestUser(owner.guest, generation) : owner.host;
}
