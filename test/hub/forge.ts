/**
 * Writes files into a restic repository as a thief with its password could who writes his own
 * client: snapshots that say anything. And as a test would like them: keys that cost nothing.
 * Source: restic's "References: Repository Format" and its internal/crypto.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  randomBytes,
  scryptSync,
  type ScryptOptions,
} from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface MasterKey {
  mac: { k: string; r: string };
  encrypt: string;
}

interface KeyFile {
  kdf: "scrypt";
  N: number;
  r: number;
  p: number;
  salt: string;
  data: string;
}

/** What a forged snapshot says; what is left out is copied from the model. */
export interface Claims {
  time: string;
  hostname?: string;
  paths?: string[];
  tags?: string[];
  original?: string;
  summary?: { total_bytes_processed: number };
}

/** A repository whose files can be forged. */
export class Forge {
  readonly #directory: string;
  readonly #key: MasterKey;

  /** @param key - a password of the repository, or its master key. */
  constructor(directory: string, key: string | MasterKey) {
    this.#directory = directory;
    this.#key = typeof key === "string" ? masterKey(directory, key) : key;
  }

  /**
   * Makes a repository as `restic init` does, but with a key whose scrypt takes no time: most of what
   * restic costs the tests is a second of scrypt for every command.
   */
  static init(directory: string, password: string): void {
    const prefixes = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, "0"));
    const folders = [
      "index",
      "keys",
      "locks",
      "snapshots",
      ...prefixes.map((each) => `data/${each}`),
    ];
    for (const folder of folders) {
      mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
    }
    const forge = new Forge(directory, {
      encrypt: randomBytes(32).toString("base64"),
      mac: { k: randomBytes(16).toString("base64"), r: clamped(randomBytes(16)) },
    });
    forge.#writeKey(password);
    const config = {
      version: 2,
      id: randomBytes(32).toString("hex"),
      // Of degree 53 and irreducible, as the example in restic's documentation.
      chunker_polynomial: "25b468838dcb75",
    };
    const path = join(directory, "config");
    writeFileSync(path, encrypt(forge.#key, Buffer.from(JSON.stringify(config))), { mode: 0o600 });
  }

  /** Replaces the repository's keys with one whose scrypt takes no time. */
  cheapen(password: string): void {
    const folder = join(this.#directory, "keys");
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    this.#writeKey(password);
  }

  #writeKey(password: string): void {
    const salt = randomBytes(64);
    const cost = { N: 2, r: 8, p: 1 };
    const data = encrypt(derived(password, salt, cost), Buffer.from(JSON.stringify(this.#key)));
    const file = {
      created: new Date().toISOString(),
      username: "test",
      hostname: "test",
      kdf: "scrypt",
      ...cost,
      salt: salt.toString("base64"),
      data: data.toString("base64"),
    };
    this.#write("keys", Buffer.from(JSON.stringify(file)));
  }

  /**
   * Adds a snapshot.
   *
   * @param model - the tree and what else the claims leave out.
   * @param arrived - the file's time of change, milliseconds since 1970; now where it is left out.
   * @returns its id.
   */
  snapshot(model: { tree: string }, claims: Claims, arrived?: number): string {
    const content = { hostname: "q", paths: ["/var/lib"], ...model, ...claims };
    const { id, path } = this.#encrypted("snapshots", content);
    if (arrived !== undefined) utimesSync(path, arrived / 1000, arrived / 1000);
    return id;
  }

  /** Adds a lock; its file's time of change is the time that it names. */
  lock(content: { time: Date; exclusive: boolean; hostname: string; pid: number }): string {
    const { id, path } = this.#encrypted("locks", { username: "test", ...content });
    utimesSync(path, content.time, content.time);
    return id;
  }

  #encrypted(kind: "snapshots" | "locks", content: object): { id: string; path: string } {
    return this.#write(kind, encrypt(this.#key, Buffer.from(JSON.stringify(content))));
  }

  #write(kind: string, bytes: Buffer): { id: string; path: string } {
    const id = createHash("sha256").update(bytes).digest("hex");
    const path = join(this.#directory, kind, id);
    writeFileSync(path, bytes);
    return { id, path };
  }
}

function masterKey(directory: string, password: string): MasterKey {
  const [name = ""] = readdirSync(join(directory, "keys"));
  const file = JSON.parse(readFileSync(join(directory, "keys", name), "utf8")) as KeyFile;
  const key = derived(password, Buffer.from(file.salt, "base64"), file);
  return JSON.parse(decrypt(key, Buffer.from(file.data, "base64")).toString()) as MasterKey;
}

function derived(password: string, salt: Buffer, cost: ScryptOptions): MasterKey {
  const { N = 2, r = 8, p = 1 } = cost;
  const bytes = scryptSync(password, salt, 64, { N, r, p, maxmem: 1024 * N * r });
  return {
    encrypt: bytes.subarray(0, 32).toString("base64"),
    mac: {
      k: bytes.subarray(32, 48).toString("base64"),
      r: bytes.subarray(48, 64).toString("base64"),
    },
  };
}

function encrypt(key: MasterKey, plain: Buffer): Buffer {
  const nonce = randomBytes(16);
  const cipher = createCipheriv("aes-256-ctr", Buffer.from(key.encrypt, "base64"), nonce);
  const secret = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, secret, mac(key, nonce, secret)]);
}

function decrypt(key: MasterKey, bytes: Buffer): Buffer {
  const nonce = bytes.subarray(0, 16);
  const cipher = createDecipheriv("aes-256-ctr", Buffer.from(key.encrypt, "base64"), nonce);
  return Buffer.concat([cipher.update(bytes.subarray(16, -16)), cipher.final()]);
}

const CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffffn;

/** The part of a Poly1305 key that restic wants without the bits that Poly1305 leaves out. */
function clamped(r: Buffer): string {
  const hex = (littleEndian(r) & CLAMP).toString(16).padStart(32, "0");
  return Buffer.from(hex, "hex").reverse().toString("base64");
}

/** Poly1305-AES (D. J. Bernstein, 2005). */
function mac(key: MasterKey, nonce: Buffer, message: Buffer): Buffer {
  const block = createCipheriv("aes-128-ecb", Buffer.from(key.mac.k, "base64"), null);
  const s = littleEndian(block.setAutoPadding(false).update(nonce));
  const r = littleEndian(Buffer.from(key.mac.r, "base64")) & CLAMP;
  const prime = (1n << 130n) - 5n;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const part = message.subarray(at, at + 16);
    sum = ((sum + littleEndian(part) + (1n << BigInt(8 * part.length))) * r) % prime;
  }
  const tag = BigInt.asUintN(128, sum + s)
    .toString(16)
    .padStart(32, "0");
  return Buffer.from(tag, "hex").reverse();
}

function littleEndian(bytes: Buffer): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}
