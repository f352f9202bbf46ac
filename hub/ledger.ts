/**
 * What the hub ever had: the names of all files of a host's repository that were at the hub when
 * the mirror or verify looked, and the SHA-1 of those that were read. A file at a target that is
 * neither at the hub nor in the ledger was not put there by the hub.
 *
 * The mirror calls, before it sends a host's files to a target, `addListing` with what it is about
 * to send and then `baseline` with what the target holds. Verify does the same before it judges.
 *
 * One text file a host, `ledger/<host>` below the state folder, only ever appended to. A line is
 *
 *     KIND NAME SIZE SHA1
 *     baseline TARGET TIME
 *
 * with the size in bytes, the first 16 hexadecimal digits of the SHA-1 or "-", an ISO time. Every
 * block of lines begins and ends with an empty one, so that a block which a killed process
 * or a full disk cut short takes no other with it. What cannot be read is passed over.
 */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { HASHED_KINDS, isFileName, type HashedKind } from "./repository/layout.ts";
import type { LocalListing } from "./repository/listing.ts";
import { FINGERPRINT_DIGITS } from "./repository/name-map.ts";
import { NameTable } from "./repository/name-table.ts";
import { syncFolder } from "./sync-folder.ts";
import type { Inventory } from "./targets/target.ts";

const CHUNK_BYTES = 256 * 1024;
const LINES_AT_ONCE = 2000;
const LONGEST_BASELINE = 1000;
const BASELINE = /^baseline (\S+) (\S+)$/;

const NEWLINE = 0x0a;
const SPACE = 0x20;
const DASH = 0x2d;
const ZERO = 0x30;
const NAME_DIGITS = 64;
const MOST_SIZE_DIGITS = 14;

/** Kinds by their first character. */
const KIND_OF: Readonly<Record<number, HashedKind>> = Object.fromEntries(
  HASHED_KINDS.map((kind) => [kind.charCodeAt(0), kind]),
);
const KIND_BYTES = Object.fromEntries(
  HASHED_KINDS.map((kind) => [kind, Buffer.from(`${kind} `)]),
) as Record<HashedKind, Buffer>;

/** The ledger of one host. Any number of them may be open at a time, in any number of processes. */
export class Ledger {
  readonly #path: string;
  readonly #file: number;
  readonly #tables: Readonly<Record<HashedKind, NameTable>>;
  readonly #baselines = new Map<string, string>();
  /** How much of the file has been read. */
  #position = 0;
  /** Lines that {@link learn} has made and that are not in the file yet. */
  #learnt: string[] = [];

  /** Use {@link openLedger}. */
  constructor(path: string, file: number) {
    this.#path = path;
    this.#file = file;
    const tables = HASHED_KINDS.map((kind) => [kind, new NameTable()] as const);
    this.#tables = Object.fromEntries(tables) as Record<HashedKind, NameTable>;
  }

  /** Whether the hub ever had this file. */
  has(kind: HashedKind, name: string): boolean {
    return this.#tables[kind].has(name);
  }

  /** The size that the file had at the hub, or undefined where the hub never had it. */
  size(kind: HashedKind, name: string): number | undefined {
    return this.#tables[kind].get(name);
  }

  /** The first 16 hexadecimal digits of the file's SHA-1, where it has been learnt. */
  fingerprint(kind: HashedKind, name: string): string | undefined {
    return this.#tables[kind].fingerprint(name);
  }

  /** How many names it holds. */
  get count(): number {
    return HASHED_KINDS.reduce((sum, kind) => sum + this.#tables[kind].count, 0);
  }

  /**
   * Adds the names that are not yet there, and returns when they are on disk.
   *
   * @returns how many were added.
   * @throws Error where they cannot be written.
   */
  addListing(listing: Pick<LocalListing, "files">): number {
    return this.#addNew(listing.files);
  }

  /** When the ledger took over what a target held, ISO 8601; undefined where it has not yet. */
  baselineOf(target: string): string | undefined {
    return this.#baselines.get(target);
  }

  /**
   * The first time for a target: takes over what the target holds already, for a ledger that has
   * just begun (a new state folder, an older version of the agent) cannot tell whose it is. To be
   * called before anything is sent or judged, and after {@link addListing}.
   *
   * @returns how many names that the ledger did not have were taken over; 0 after the first time.
   * @throws Error where they cannot be written.
   */
  baseline(target: string, inventory: Pick<Inventory, "files">): number {
    this.#catchUp();
    if (this.#baselines.has(target)) return 0;
    const added = this.#addNew(inventory.files);
    this.#append([`baseline ${target} ${new Date().toISOString()}`]);
    fsyncSync(this.#file);
    this.#catchUp();
    return added;
  }

  /** Notes the SHA-1 of a file, in hexadecimal. It is on disk after the next {@link flush}. */
  learn(kind: HashedKind, name: string, size: number, sha1: string): void {
    this.#tables[kind].set(name, size, sha1);
    this.#learnt.push(lineOf(kind, name, size, sha1));
  }

  /**
   * Writes what was learnt.
   *
   * @throws Error where it cannot be written.
   */
  flush(): void {
    if (this.#learnt.length === 0) return;
    this.#append(this.#learnt);
    this.#learnt = [];
    fsyncSync(this.#file);
  }

  /** Lets go of the file. What was learnt and not flushed is lost. */
  close(): void {
    closeSync(this.#file);
  }

  /** Reads what is new in the file, a chunk at a time; yields how far it has come. */
  *read(): Generator<number> {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const length = readSync(this.#file, chunk, 0, chunk.length, this.#position);
      const end = chunk.subarray(0, length).lastIndexOf(NEWLINE) + 1;
      // What another process has written so far of a line, or what is no ledger at all.
      if (end === 0 && length < chunk.length) return;
      for (let from = 0; from < end;) {
        const newline = chunk.indexOf(NEWLINE, from);
        this.#take(chunk, from, newline);
        from = newline + 1;
      }
      this.#position += end === 0 ? length : end;
      yield this.#position;
    }
  }

  #catchUp(): void {
    const chunks = this.read();
    while (chunks.next().done !== true);
  }

  #take(chunk: Buffer, from: number, end: number): void {
    const kind = KIND_OF[chunk[from] ?? 0];
    if (kind !== undefined && takeFile(this.#tables[kind], kind, chunk, from, end)) return;
    const line = chunk.toString("latin1", from, Math.min(end, from + LONGEST_BASELINE));
    const [, target, time] = BASELINE.exec(line) ?? [];
    if (target !== undefined && time !== undefined) this.#baselines.set(target, time);
  }

  #addNew(files: Readonly<Record<HashedKind, NameTable>>): number {
    this.#catchUp();
    let added = 0;
    let lines: string[] = [];
    for (const kind of HASHED_KINDS) {
      for (const [name, size] of files[kind].entries()) {
        if (this.has(kind, name)) continue;
        lines.push(lineOf(kind, name, size));
        added += 1;
        if (lines.length < LINES_AT_ONCE) continue;
        this.#append(lines);
        lines = [];
      }
    }
    if (added === 0) return 0;
    this.#append(lines);
    fsyncSync(this.#file);
    this.#catchUp();
    return added;
  }

  #append(lines: readonly string[]): void {
    const block = Buffer.from(`\n${lines.join("\n")}\n`, "latin1");
    try {
      for (let written = 0; written < block.length;) {
        written += writeSync(this.#file, block, written);
      }
    } catch (error) {
      throw new Error(`cannot write to the ledger "${this.#path}"`, { cause: error });
    }
  }
}

/**
 * Opens a host's ledger; it is begun where there is none. Close it.
 *
 * @param state - the agent's state folder.
 * @throws Error where it cannot be read or made.
 */
export async function openLedger(state: string, host: string): Promise<Ledger> {
  const folder = join(state, "ledger");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { O_APPEND, O_CREAT, O_RDWR } = constants;
  const path = join(folder, host);
  const file = openSync(path, O_APPEND | O_CREAT | O_RDWR, 0o600);
  const ledger = new Ledger(path, file);
  try {
    if (fstatSync(file).size === 0) syncFolder(folder);
    const chunks = ledger.read();
    while (chunks.next().done !== true) await setImmediate();
    return ledger;
  } catch (error) {
    ledger.close();
    throw error;
  }
}

/**
 * Takes a line of a file into the table of its kind. Without making strings: there may be millions.
 *
 * @returns false where it is none.
 */
function takeFile(
  table: NameTable,
  kind: HashedKind,
  chunk: Buffer,
  from: number,
  end: number,
): boolean {
  const start = KIND_BYTES[kind];
  for (let at = 0; at < start.length; at += 1) if (chunk[from + at] !== start[at]) return false;
  const name = from + start.length;
  const digits = name + NAME_DIGITS + 1;
  let at = digits;
  let size = 0;
  for (; at < end && isDigit(chunk[at]); at += 1) size = size * 10 + (chunk[at] ?? 0) - ZERO;
  if (at === digits || at > digits + MOST_SIZE_DIGITS) return false;
  if (chunk[digits - 1] !== SPACE || chunk[at] !== SPACE) return false;
  const fingerprint = at + 1;
  const unknown = end === fingerprint + 1 && chunk[fingerprint] === DASH;
  if (!unknown && end !== fingerprint + FINGERPRINT_DIGITS) return false;
  return table.setFrom(chunk, name, size, unknown ? -1 : fingerprint);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= ZERO + 9;
}

function lineOf(kind: HashedKind, name: string, size: number, sha1?: string): string {
  if (!isFileName(name)) throw new RangeError(`"${name}" is no name of a finished file`);
  return `${kind} ${name} ${size} ${sha1?.slice(0, 16) ?? "-"}`;
}
