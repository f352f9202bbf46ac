import { randomBytes } from "node:crypto";

/** The bytes of a name: 64 hexadecimal digits, packed. */
export const NAME_BYTES = 32;

/** One name with its size and fingerprint, packed. */
export const RECORD_BYTES = 48;

// The same in words of 32 bits. A size has two of them, a fingerprint the last two: zeros where none
// is known.
const NAME_WORDS = 8;
const SIZE_AT = 8;
const FINGERPRINT_AT = 10;
const WORDS = 12;
const HIGH = 2 ** 32;
const MOST_BYTES = 2 ** 48;

/** What each character stands for; -1 for those that are no lower-case hexadecimal digit. */
const DIGITS = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit += 1) {
  DIGITS[digit.toString(16).charCodeAt(0)] = digit;
}

/** Digits of a SHA-1 that are kept, and compared. */
export const FINGERPRINT_DIGITS = 16;

/** Records of one block; blocks are not moved when the map grows. */
const BLOCK = 1024;

/** Memory for records, as words and as bytes. */
export class Records {
  readonly words: Int32Array;
  readonly bytes: Buffer;

  constructor(count: number) {
    this.bytes = Buffer.allocUnsafeSlow(count * RECORD_BYTES);
    this.words = new Int32Array(this.bytes.buffer);
  }

  /** The name of a record as 64 hexadecimal digits. */
  name(at: number): string {
    return this.bytes.toString("hex", at * RECORD_BYTES, at * RECORD_BYTES + NAME_BYTES);
  }

  /** The size of a record's file in bytes. */
  size(at: number): number {
    const word = at * WORDS + SIZE_AT;
    return ((this.words[word] ?? 0) >>> 0) + (this.words[word + 1] ?? 0) * HIGH;
  }

  /** The fingerprint of a record, or undefined where it has none. */
  fingerprint(at: number): string | undefined {
    if (!this.#hasFingerprint(at)) return undefined;
    const start = at * RECORD_BYTES + FINGERPRINT_AT * 4;
    return this.bytes.toString("hex", start, start + FINGERPRINT_DIGITS / 2);
  }

  /**
   * Sets the size and the fingerprint, as far as it is known, of a record whose name is set.
   *
   * @throws RangeError where the size is none that a file may have.
   */
  describe(at: number, size: number, fingerprint: string | undefined): void {
    if (!Number.isInteger(size) || size < 0 || size >= MOST_BYTES) {
      throw new RangeError(`${size} is no size of a file`);
    }
    const word = at * WORDS;
    this.words[word + SIZE_AT] = (size % HIGH) | 0;
    this.words[word + SIZE_AT + 1] = Math.floor(size / HIGH);
    this.words.fill(0, word + FINGERPRINT_AT, word + WORDS);
    if (fingerprint === undefined) return;
    const digits = fingerprint.slice(0, FINGERPRINT_DIGITS);
    this.bytes.write(digits, at * RECORD_BYTES + FINGERPRINT_AT * 4, "hex");
  }

  /** Copies a record; without a fingerprint, one that is known stays, unless it is `fresh`. */
  copy(at: number, from: Records, fromAt: number, fresh: boolean): void {
    const keeps = !fresh && !from.#hasFingerprint(fromAt);
    const words = keeps ? FINGERPRINT_AT : WORDS;
    for (let word = 0; word < words; word += 1) {
      this.words[at * WORDS + word] = from.words[fromAt * WORDS + word] ?? 0;
    }
  }

  /** Whether two records are of the same name. */
  isNamed(at: number, other: Records, otherAt: number): boolean {
    for (let word = 0; word < NAME_WORDS; word += 1) {
      if (this.words[at * WORDS + word] !== other.words[otherAt * WORDS + word]) return false;
    }
    return true;
  }

  /**
   * Sets the name of a record from a text's bytes.
   *
   * @returns false where these are not 64 lower-case hexadecimal digits.
   */
  setName(at: number, text: Uint8Array, from: number): boolean {
    return this.#setDigits(at * RECORD_BYTES, NAME_BYTES, text, from);
  }

  /** The same of a fingerprint of {@link FINGERPRINT_DIGITS}. */
  setFingerprint(at: number, text: Uint8Array, from: number): boolean {
    const start = at * RECORD_BYTES + FINGERPRINT_AT * 4;
    return this.#setDigits(start, FINGERPRINT_DIGITS / 2, text, from);
  }

  #setDigits(start: number, length: number, text: Uint8Array, from: number): boolean {
    let wrong = 0;
    for (let byte = 0; byte < length; byte += 1) {
      const high = DIGITS[text[from + byte * 2] ?? 0] ?? -1;
      const low = DIGITS[text[from + byte * 2 + 1] ?? 0] ?? -1;
      wrong |= high | low;
      this.bytes[start + byte] = high * 16 + low;
    }
    return wrong >= 0;
  }

  hash(at: number): number {
    let hash = SEED;
    for (let word = at * WORDS; word < at * WORDS + NAME_WORDS; word += 1) {
      hash = Math.imul(hash ^ (this.words[word] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash;
  }

  #hasFingerprint(at: number): boolean {
    const word = at * WORDS + FINGERPRINT_AT;
    return this.words[word] !== 0 || this.words[word + 1] !== 0;
  }
}

// A target may list names that somebody made up so that they would all share one slot.
const SEED = randomBytes(4).readInt32LE();

/** Records by their names, in memory: it takes 54 to 59 bytes a name. */
export class NameMap {
  #blocks: Records[] = [];
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
  put(from: Records, at: number): void {
    if (this.#count * 4 >= this.#slots.length * 3) this.#grow();
    const slot = this.#slot(from, at);
    const known = this.#slots[slot] ?? 0;
    const number = known === 0 ? this.#add(slot) : known - 1;
    const block = this.block(number);
    if (known !== 0) this.#bytes -= block.size(number % BLOCK);
    block.copy(number % BLOCK, from, at, known === 0);
    this.#bytes += from.size(at);
  }

  /** The number of the record that has a name, that of another record; -1 where there is none. */
  find(key: Records, at: number): number {
    return (this.#slots[this.#slot(key, at)] ?? 0) - 1;
  }

  /** The block that has a record, by the record's number in the order in which names came. */
  block(number: number): Records {
    const block = this.#blocks[Math.floor(number / BLOCK)];
    if (block === undefined) throw new RangeError(`the map has no record ${number}`);
    return block;
  }

  /** Where in its block a record is. */
  at(number: number): number {
    return number % BLOCK;
  }

  /** The size of a record's file in bytes. */
  size(number: number): number {
    return this.block(number).size(number % BLOCK);
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

  #add(slot: number): number {
    if (this.#count === this.#blocks.length * BLOCK) this.#blocks.push(new Records(BLOCK));
    this.#count += 1;
    this.#slots[slot] = this.#count;
    return this.#count - 1;
  }

  #slot(key: Records, at: number): number {
    const mask = this.#slots.length - 1;
    let slot = key.hash(at) & mask;
    for (;;) {
      const number = this.#slots[slot] ?? 0;
      if (number === 0) return slot;
      if (this.block(number - 1).isNamed((number - 1) % BLOCK, key, at)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.#count; number += 1) {
      let slot = this.block(number).hash(number % BLOCK) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }
}
