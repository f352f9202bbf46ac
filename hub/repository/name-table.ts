const NAME_BYTES = 32;
const FREE = -1;

/**
 * A map from file names (SHA-256 as 64 hexadecimal digits) to sizes in bytes, for listings of any
 * length: it takes about 60 bytes of memory a name, where a Map of strings takes several hundred.
 */
export class NameTable {
  #names = Buffer.alloc(64 * NAME_BYTES);
  #sizes = new Float64Array(64).fill(FREE);
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

  /** Adds a name, or gives it another size. */
  set(name: string, size: number): void {
    if (this.#count * 4 >= this.#sizes.length * 3) this.#grow();
    const slot = this.#slot(name);
    const before = this.#sizes[slot] ?? FREE;
    if (before === FREE) {
      this.#key.copy(this.#names, slot * NAME_BYTES);
      this.#count += 1;
      this.#bytes += size;
    } else {
      this.#bytes += size - before;
    }
    this.#sizes[slot] = size;
  }

  /** The size of the named file, or undefined where the name is not in the table. */
  get(name: string): number | undefined {
    const size = this.#sizes[this.#slot(name)] ?? FREE;
    return size === FREE ? undefined : size;
  }

  /** Whether the name is in the table. */
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** All names with their sizes, in no particular order. The table must not change meanwhile. */
  *entries(): Generator<[name: string, size: number]> {
    for (let slot = 0; slot < this.#sizes.length; slot += 1) {
      const size = this.#sizes[slot] ?? FREE;
      if (size === FREE) continue;
      const start = slot * NAME_BYTES;
      yield [this.#names.toString("hex", start, start + NAME_BYTES), size];
    }
  }

  // Names are hashes, so their first bytes are as good as any hash of them.
  #slot(name: string): number {
    this.#key.write(name, "hex");
    const mask = this.#sizes.length - 1;
    let slot = this.#key.readUInt32LE(0) & mask;
    while (this.#sizes[slot] !== FREE) {
      const start = slot * NAME_BYTES;
      if (this.#key.compare(this.#names, start, start + NAME_BYTES) === 0) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const larger = new NameTable();
    larger.#names = Buffer.alloc(this.#names.length * 2);
    larger.#sizes = new Float64Array(this.#sizes.length * 2).fill(FREE);
    for (const [name, size] of this.entries()) larger.set(name, size);
    this.#names = larger.#names;
    this.#sizes = larger.#sizes;
  }
}
