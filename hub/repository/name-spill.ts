/**
 * Where tables of names go that are too long for memory: one file for all of a process, without a
 * name of its own, so that it is gone with the process, however that ends. What it holds are names,
 * sizes and hashes of encrypted files; nobody but the process can read it.
 */
import { randomBytes } from "node:crypto";
import { ftruncateSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RECORD_BYTES, Records, type NameMap } from "./name-map.ts";

/** By the first byte of the name: what is compared is compared part by part. */
export const PARTS = 256;

const COPY_RECORDS = 4096;

/** Some records in the file, part after part. */
interface Batch {
  readonly start: number;
  /** The number of the first record of each part, and of the one after the last. */
  readonly firsts: Uint32Array;
}

let folders = [tmpdir()];
let file: number | undefined;
let length = 0;
/** Where no file could be made, or its disk is full: what is there can still be read. */
let refused = false;
const copy = new Records(COPY_RECORDS);

/**
 * Prefers a folder for the file over the one for temporary files, which may itself be in memory.
 * A folder that is not there is passed over.
 */
export function spillInto(folder: string): void {
  folders = [folder, tmpdir()];
}

/** What one table has in the file. */
export class Spill {
  readonly #batches: Batch[] = [];

  /** How many batches it has. */
  get batches(): number {
    return this.#batches.length;
  }

  /**
   * Writes all records of a map.
   *
   * @returns false where that is not possible, for want of a disk with space; nothing has changed.
   */
  append(map: NameMap): boolean {
    if (refused) return false;
    file ??= makeFile();
    if (file === undefined) return false;
    const firsts = new Uint32Array(PARTS + 1);
    const order = sorted(map, firsts);
    const start = length;
    try {
      let filled = 0;
      let end = start;
      for (const number of order) {
        copy.copy(filled, map.block(number), map.at(number), true);
        filled += 1;
        if (filled < COPY_RECORDS) continue;
        end += writeAll(file, filled, end);
        filled = 0;
      }
      end += writeAll(file, filled, end);
      length = end;
    } catch {
      // Not tried again: what is left of the disk others need more.
      refused = true;
      giveBack(file, start);
      return false;
    }
    this.#batches.push({ start, firsts });
    return true;
  }

  /** Puts all records of a part into a map, the oldest first. */
  load(part: number, into: NameMap): void {
    if (file === undefined) return;
    for (const { start, firsts } of this.#batches) {
      let at = start + (firsts[part] ?? 0) * RECORD_BYTES;
      const end = start + (firsts[part + 1] ?? 0) * RECORD_BYTES;
      while (at < end) {
        const count = Math.min(COPY_RECORDS, (end - at) / RECORD_BYTES);
        readAll(file, count * RECORD_BYTES, at);
        for (let record = 0; record < count; record += 1) into.put(copy, record);
        at += count * RECORD_BYTES;
      }
    }
  }
}

/** Numbers of records by part, and where each part begins. */
function sorted(map: NameMap, firsts: Uint32Array): Uint32Array {
  const partOf = (number: number): number =>
    map.block(number).bytes[map.at(number) * RECORD_BYTES] ?? 0;
  for (let number = 0; number < map.count; number += 1) {
    const next = partOf(number) + 1;
    firsts[next] = (firsts[next] ?? 0) + 1;
  }
  for (let part = 0; part < PARTS; part += 1) {
    firsts[part + 1] = (firsts[part + 1] ?? 0) + (firsts[part] ?? 0);
  }
  const free = firsts.slice();
  const order = new Uint32Array(map.count);
  for (let number = 0; number < map.count; number += 1) {
    const part = partOf(number);
    const at = free[part] ?? 0;
    order[at] = number;
    free[part] = at + 1;
  }
  return order;
}

function makeFile(): number | undefined {
  for (const folder of folders) {
    const path = join(folder, `names-${process.pid}-${randomBytes(6).toString("hex")}`);
    try {
      const made = openSync(path, "wx+", 0o600);
      unlinkSync(path);
      return made;
    } catch {
      // The next one, or none.
    }
  }
  refused = true;
  return undefined;
}

/** Lets go of what is in the file from a place on, which nobody reads. */
function giveBack(from: number, position: number): void {
  try {
    ftruncateSync(from, position);
  } catch {
    // The disk gets it back when the process ends.
  }
}

function writeAll(into: number, records: number, position: number): number {
  const bytes = records * RECORD_BYTES;
  for (let done = 0; done < bytes;) {
    done += writeSync(into, copy.bytes, done, bytes - done, position + done);
  }
  return bytes;
}

function readAll(from: number, bytes: number, position: number): void {
  for (let done = 0; done < bytes;) {
    const read = readSync(from, copy.bytes, done, bytes - done, position + done);
    if (read === 0) throw new Error("what was set aside of a long list of names is cut short");
    done += read;
  }
}
