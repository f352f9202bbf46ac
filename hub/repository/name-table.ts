import { randomBytes } from "node:crypto";

const NAME_BYTES = 32;
const SIZE_BYTES = 6;
const ENTRY_BYTES = NAME_BYTES + SIZE_BYTES;
const FINGERPRINT_BYTES = 8;

/** Entries of one block; blocks are not moved when the table grows. */
const BLOCK = 1024;

/**
 * A map from file names (SHA-256 as 64 hexadecimal digits) to sizes in bytes, and to fingerprints
 * where they are known, for listings of any length: it takes 42 to 49 bytes of memory a name, 8 more
 * with a fingerprint, where a Map of strings takes several hundred.
 */
export class NameTable {
  readonly #blocks: Buffer[] = [];
  readonly #fingerprints: (Buffer | undefined)[] = [];
  /** By hash: an entry's number plus one, or 0 where the slot is free. */
  #slots = new Uint32Array(64);
  #count = 0;
  #bytes = 0;
  readonly #key = Buffer.alloc(NAME_BYTES);

  /** How many names it holds. */
  get count(): number {
    return this.#count;
  }

  /** The sum of the sizes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Adds a name, or gives it another size.
   *
   * @param fingerprint - the first 16 hexadecimal digits, or more, of the content's SHA-1; where it
   * is left out, one that is known stays.
   */
  set(name: string, size: number, fingerprint?: string): void {
    if (this.#count * 4 >= this.#slots.length * 3) this.#grow();
    const slot = this.#slot(name);
    const known = this.#slots[slot] ?? 0;
    const entry = known === 0 ? this.#count : known - 1;
    if (known === 0) this.#add(slot);
    else this.#bytes -= this.#sizeOf(entry);
    this.#bytes += size;
    this.#block(entry).writeUIntLE(size, offsetOf(entry) + NAME_BYTES, SIZE_BYTES);
    if (fingerprint !== undefined) this.#mark(entry, fingerprint);
  }

  /** The size of the named file, or undefined where the name is not in the table. */
  get(name: string): number | undefined {
    const number = this.#slots[this.#slot(name)] ?? 0;
    return number === 0 ? undefined : this.#sizeOf(number - 1);
  }

  /** Whether the name is in the table. */
  has(name: string): boolean {
    return (this.#slots[this.#slot(name)] ?? 0) !== 0;
  }

  /** The first 16 hexadecimal digits of the SHA-1 of the named file's content, where they are known. */
  fingerprint(name: string): string | undefined {
    const number = this.#slots[this.#slot(name)] ?? 0;
    if (number === 0) return undefined;
    const entry = number - 1;
    const start = (entry % BLOCK) * FINGERPRINT_BYTES;
    const digits = this.#fingerprints[Math.floor(entry / BLOCK)]?.toString(
      "hex",
      start,
      start + FINGERPRINT_BYTES,
    );
    return digits === UNKNOWN ? undefined : digits;
  }

  /** All names with their sizes, in the order in which they came. The table must not change meanwhile. */
  *entries(): Generator<[name: string, size: number]> {
    for (let entry = 0; entry < this.#count; entry += 1) {
      const start = offsetOf(entry);
      const name = this.#block(entry).toString("hex", start, start + NAME_BYTES);
      yield [name, this.#sizeOf(entry)];
    }
  }

  #add(slot: number): void {
    if (this.#count % BLOCK === 0) {
      this.#blocks.push(Buffer.allocUnsafeSlow(BLOCK * ENTRY_BYTES));
      this.#fingerprints.push(undefined);
    }
    this.#key.copy(this.#block(this.#count), offsetOf(this.#count));
    this.#count += 1;
    this.#slots[slot] = this.#count;
  }

  #mark(entry: number, fingerprint: string): void {
    const block = Math.floor(entry / BLOCK);
    const fingerprints = (this.#fingerprints[block] ??= Buffer.alloc(BLOCK * FINGERPRINT_BYTES));
    const digits = fingerprint.slice(0, 2 * FINGERPRINT_BYTES);
    fingerprints.write(digits, (entry % BLOCK) * FINGERPRINT_BYTES, "hex");
  }

  #sizeOf(entry: number): number {
    return this.#block(entry).readUIntLE(offsetOf(entry) + NAME_BYTES, SIZE_BYTES);
  }

  #block(entry: number): Buffer {
    const block = this.#blocks[Math.floor(entry / BLOCK)];
    if (block === undefined) throw new RangeError(`the table has no entry ${entry}`);
    return block;
  }

  #slot(name: string): number {
    this.#key.write(name, "hex");
    const mask = this.#slots.length - 1;
    let slot = hashOf(this.#key, 0) & mask;
    for (;;) {
      const number = this.#slots[slot] ?? 0;
      if (number === 0) return slot;
      const start = offsetOf(number - 1);
      if (this.#key.compare(this.#block(number - 1), start, start + NAME_BYTES) === 0) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const mask = this.#slots.length - 1;
    for (let entry = 0; entry < this.#count; entry += 1) {
      let slot = hashOf(this.#block(entry), offsetOf(entry)) & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = entry + 1;
    }
  }
}

const UNKNOWN = "00".repeat(FINGERPRINT_BYTES);

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

function offsetOf(entry: number): number {
  return (entry % BLOCK) * ENTRY_BYTES;
}
