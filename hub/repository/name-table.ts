import { NAME_BYTES, NameMap, Records } from "./name-map.ts";
import { PARTS, Spill } from "./name-spill.ts";

/** How many names a table keeps in memory before it sets them aside. */
const NAMES_IN_MEMORY = 16_384;

/** How many all tables keep together, as far as each of them has more than a few. */
const NAMES_OF_ALL = 131_072;
const FEW_NAMES = 1024;

/** A part of what was set aside, in memory again. */
interface Part {
  readonly map: NameMap;
  number: number;
  /** How many batches there were when it was loaded. */
  batches: number;
}

/**
 * A map from file names (SHA-256 as 64 hexadecimal digits) to sizes in bytes, and to fingerprints
 * where they are known, for listings of any length. What is more than some thousand names is on
 * disk, in parts by the first two digits, and one part is in memory at a time. So names should be
 * asked for as {@link entries} of any table gives them; in any other order it is slow, and right.
 *
 * Its memory stays below 2 MB, and 0.5 KB for each 1000 names; where there is no disk to be had,
 * it takes 59 bytes a name.
 *
 * @throws Error, each of its methods, where what it has set aside cannot be read.
 */
export class NameTable {
  /** What came last; all there is, while there are few. */
  readonly #recent = new NameMap();
  readonly #spill = new Spill();
  readonly #record = new Records(1);
  #near: Part | undefined;
  /** Of a table that is partly on disk: what all of it comes to, until it changes. */
  #sum: { readonly count: number; readonly bytes: number } | undefined;

  constructor() {
    tables.register(this, this.#recent);
  }

  /** How many names it holds. */
  get count(): number {
    return this.#sums().count;
  }

  /** The sum of the sizes. */
  get bytes(): number {
    return this.#sums().bytes;
  }

  /**
   * Adds a name, or gives it another size.
   *
   * @param fingerprint - the first 16 hexadecimal digits, or more, of the content's SHA-1; where it
   * is left out, one that is known stays.
   */
  set(name: string, size: number, fingerprint?: string): void {
    this.#key(name);
    this.#record.describe(0, size, fingerprint);
    this.#put();
  }

  /**
   * The same from the bytes of a text, without making strings of them.
   *
   * @param at - where in the text the name begins.
   * @param fingerprintAt - where 16 digits of the SHA-1 begin; -1 where it is not known.
   * @returns false, and nothing has changed, where there are not so many lower-case digits.
   * @throws RangeError where the size is none that a file may have.
   */
  setFrom(text: Uint8Array, at: number, size: number, fingerprintAt: number): boolean {
    if (!this.#record.setName(0, text, at)) return false;
    this.#record.describe(0, size, undefined);
    if (fingerprintAt !== -1 && !this.#record.setFingerprint(0, text, fingerprintAt)) return false;
    this.#put();
    return true;
  }

  #key(name: string): void {
    this.#record.bytes.write(name, 0, NAME_BYTES, "hex");
  }

  #put(): void {
    const before = this.#recent.count;
    this.#recent.put(this.#record, 0);
    this.#sum = undefined;
    inMemory += this.#recent.count - before;
    const most = inMemory > NAMES_OF_ALL ? FEW_NAMES : NAMES_IN_MEMORY;
    if (this.#recent.count > before && this.#recent.count % most === 0 && this.#setAside()) {
      this.#recent.clear();
    }
  }

  /** The size of the named file, or undefined where the name is not in the table. */
  get(name: string): number | undefined {
    const map = this.#mapOf(name);
    return map?.size(map.find(this.#record, 0));
  }

  /** Whether the name is in the table. */
  has(name: string): boolean {
    return this.#mapOf(name) !== undefined;
  }

  /** The first 16 hexadecimal digits of the SHA-1 of the named file's content, where they are known. */
  fingerprint(name: string): string | undefined {
    this.#key(name);
    return (
      fingerprintIn(this.#recent, this.#record) ??
      (this.#spill.batches === 0 ? undefined : fingerprintIn(this.#part(), this.#record))
    );
  }

  /**
   * All names with their sizes: of a short table in the order in which they came, of a long one by
   * their first two digits. The table must not change meanwhile.
   */
  *entries(): Generator<[name: string, size: number]> {
    this.#settle();
    for (const map of this.#parts()) {
      for (let number = 0; number < map.count; number += 1) {
        if (!this.#isRecent(map, number)) yield entryOf(map, number);
      }
    }
    for (let number = 0; number < this.#recent.count; number += 1) {
      yield entryOf(this.#recent, number);
    }
  }

  /** What has the record of a name that counts; the name is left in the table's own record. */
  #mapOf(name: string): NameMap | undefined {
    this.#key(name);
    if (this.#recent.find(this.#record, 0) !== -1) return this.#recent;
    if (this.#spill.batches === 0) return undefined;
    const part = this.#part();
    return part.find(this.#record, 0) === -1 ? undefined : part;
  }

  /** The part of what is on disk that a name in the table's own record belongs to. */
  #part(): NameMap {
    const number = this.#record.bytes[0] ?? 0;
    const { batches } = this.#spill;
    const near = (this.#near ??= { map: new NameMap(), number: -1, batches });
    if (near.number !== number || near.batches !== batches) {
      near.number = -1;
      near.map.clear();
      this.#spill.load(number, near.map);
      near.number = number;
      near.batches = batches;
    }
    return near.map;
  }

  /** All that is on disk, part by part; each is good until the next is asked for. */
  *#parts(): Generator<NameMap> {
    if (this.#spill.batches === 0) return;
    const map = new NameMap();
    for (let part = 0; part < PARTS; part += 1) {
      map.clear();
      this.#spill.load(part, map);
      yield map;
    }
  }

  /** Whether a record that was set aside is in memory as well, where nothing more could be set aside. */
  #isRecent(map: NameMap, number: number): boolean {
    return this.#recent.count > 0 && this.#recent.find(map.block(number), map.at(number)) !== -1;
  }

  #setAside(): boolean {
    const { count } = this.#recent;
    if (!this.#spill.append(this.#recent)) return false;
    inMemory -= count;
    return true;
  }

  /** Before a long table is read: nothing of it need stay in memory. */
  #settle(): void {
    if (this.#spill.batches > 0 && this.#recent.count > 0 && this.#setAside()) this.#recent.free();
  }

  #sums(): { readonly count: number; readonly bytes: number } {
    if (this.#spill.batches === 0) return this.#recent;
    if (this.#sum !== undefined) return this.#sum;
    this.#settle();
    let { count, bytes } = this.#recent;
    for (const map of this.#parts()) {
      count += map.count;
      bytes += map.bytes;
      if (this.#recent.count === 0) continue;
      for (let number = 0; number < map.count; number += 1) {
        if (!this.#isRecent(map, number)) continue;
        count -= 1;
        bytes -= map.size(number);
      }
    }
    return (this.#sum = { count, bytes });
  }
}

/** How many names all tables have in memory. */
let inMemory = 0;
const tables = new FinalizationRegistry<NameMap>((map) => {
  inMemory -= map.count;
});

function entryOf(map: NameMap, number: number): [name: string, size: number] {
  const block = map.block(number);
  return [block.name(map.at(number)), block.size(map.at(number))];
}

function fingerprintIn(map: NameMap, key: Records): string | undefined {
  const number = map.find(key, 0);
  return number === -1 ? undefined : map.block(number).fingerprint(map.at(number));
}
