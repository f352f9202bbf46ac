import { randomBytes } from "node:crypto";

/** The bytes of a name: 64 hexadecimal digits, packed. */
export const NAME_BYTES = 32;
const SIZE_BYTES = 6;
const FINGERPRINT_BYTES = 8;

/** Where a record has its fingerprint; all zeros where none is known. */
const FINGERPRINT_AT = NAME_BYTES + SIZE_BYTES;

/** One name with its size and fingerprint, packed. */
export const RECORD_BYTES = FINGERPRINT_AT + FINGERPRINT_BYTES;

/** Records of one block; blocks are not moved when the map grows. */
const BLOCK = 1024;

/**
 * Writes a record.
 *
 * @param name - 64 hexadecimal digits.
 * @param size - in bytes, below 2^48.
 * @param fingerprint - 16 hexadecimal digits, or more; undefined where it is not known.
 */
export function writeRecord(
  into: Buffer,
  name: string,
  size: number,
  fingerprint: string | undefined,
): void {
  into.write(name, 0, NAME_BYTES, "hex");
  into.writeUIntLE(size, NAME_BYTES, SIZE_BYTES);
  if (fingerprint === undefined) into.fill(0, FINGERPRINT_AT, RECORD_BYTES);
  else into.write(fingerprint.slice(0, 2 * FINGERPRINT_BYTES), FINGERPRINT_AT, "hex");
}

/** The size of a record's file in bytes. */
export function sizeOf(record: Buffer, at: number): number {
  return record.readUIntLE(at + NAME_BYTES, SIZE_BYTES);
}

/** The fingerprint of a record as 16 hexadecimal digits, or undefined where it has none. */
export function fingerprintOf(record: Buffer, at: number): string | undefined {
  if (!hasFingerprint(record, at)) return undefined;
  return record.toString("hex", at + FINGERPRINT_AT, at + RECORD_BYTES);
}

function hasFingerprint(record: Buffer, at: number): boolean {
  return (
    record.readInt32LE(at + FINGERPRINT_AT) !== 0 || record.readInt32LE(at + RECORD_BYTES - 4) !== 0
  );
}

/** Where a record is: `at` in `block`. */
export interface Place {
  readonly block: Buffer;
  readonly at: number;
}

/** Records by their names, in memory: it takes 52 to 57 bytes a name. */
export class NameMap {
  #blocks: Buffer[] = [];
  /** By hash: a record's number plus one, or 0 where the slot is free. */
  #slots = new Uint32Array(64);
  #count = 0;
  #bytes = 0;

  /** How many names it holds. */
  get count(): number {
    return this.#count;
  }

  /** The sum of the sizes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a record, or replaces the one of its name; without a fingerprint, one that is known stays. */
  put(from: Buffer, at: number): void {
    if (this.#count * 4 >= this.#slots.length * 3) this.#grow();
    const slot = this.#slot(from, at);
    const known = this.#slots[slot] ?? 0;
    if (known === 0) {
      this.#add(slot, from, at);
      return;
    }
    const place = this.place(known - 1);
    this.#bytes += sizeOf(from, at) - sizeOf(place.block, place.at);
    const end = hasFingerprint(from, at) ? RECORD_BYTES : FINGERPRINT_AT;
    from.copy(place.block, place.at + NAME_BYTES, at + NAME_BYTES, at + end);
  }

  /** The record of a name, which is packed in `key` from `at` on; undefined where there is none. */
  find(key: Buffer, at: number): Place | undefined {
    const number = this.#slots[this.#slot(key, at)] ?? 0;
    return number === 0 ? undefined : this.place(number - 1);
  }

  /** Where a record is, by its number in the order in which names came. */
  place(number: number): Place {
    const block = this.#blocks[Math.floor(number / BLOCK)];
    if (block === undefined) throw new RangeError(`the map has no record ${number}`);
    return { block, at: (number % BLOCK) * RECORD_BYTES };
  }

  /** Forgets all records, and keeps their memory for the next. */
  clear(): void {
    this.#slots.fill(0);
    this.#count = 0;
    this.#bytes = 0;
  }

  /** Forgets all records, and lets go of their memory. */
  free(): void {
    this.#blocks = [];
    this.#slots = new Uint32Array(64);
    this.clear();
  }

  #add(slot: number, from: Buffer, at: number): void {
    if (this.#count === this.#blocks.length * BLOCK) {
      this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK * RECORD_BYTES));
    }
    const place = this.place(this.#count);
    from.copy(place.block, place.at, at, at + RECORD_BYTES);
    this.#bytes += sizeOf(from, at);
    this.#count += 1;
    this.#slots[slot] = this.#count;
  }

  #slot(key: Buffer, from: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashOf(key, from) & mask;
    for (;;) {
      const number = this.#slots[slot] ?? 0;
      if (number === 0) return slot;
      const { block, at } = this.place(number - 1);
      if (key.compare(block, at, at + NAME_BYTES, from, from + NAME_BYTES) === 0) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.#count; number += 1) {
      const { block, at } = this.place(number);
      let slot = hashOf(block, at) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }
}

// A target may list names that somebody made up so that they would all share one slot.
const SEED = randomBytes(4).readInt32LE();

function hashOf(block: Buffer, start: number): number {
  let hash = SEED;
  for (let at = start; at < start + NAME_BYTES; at += 4) {
    hash = Math.imul(hash ^ block.readInt32LE(at), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}
