import type { FileRecord } from "./model.ts";
import { compareNames } from "./names.ts";

/** The file versions of one bucket: names in B2's order, and under each the newest version first. */
export class NameIndex {
  readonly #versions = new Map<string, FileRecord[]>();
  // Null until a listing needs it, so that a replay of the journal sorts once and not per file.
  #sorted: string[] | null = null;

  get isEmpty(): boolean {
    return this.#versions.size === 0;
  }

  /** Adds a version, or takes the place of the one with the same id. */
  put(file: FileRecord): void {
    const versions = this.#versions.get(file.fileName);
    if (versions === undefined) {
      this.#versions.set(file.fileName, [file]);
      if (this.#sorted !== null) {
        this.#sorted.splice(lowerBound(this.#sorted, file.fileName), 0, file.fileName);
      }
      return;
    }
    const same = versions.findIndex((other) => other.fileId === file.fileId);
    if (same >= 0) versions.splice(same, 1);
    const at = versions.findIndex((other) => isNewer(file, other));
    versions.splice(at < 0 ? versions.length : at, 0, file);
  }

  remove(file: FileRecord): void {
    const versions = this.#versions.get(file.fileName);
    if (versions === undefined) return;
    const at = versions.findIndex((other) => other.fileId === file.fileId);
    if (at >= 0) versions.splice(at, 1);
    if (versions.length > 0) return;
    this.#versions.delete(file.fileName);
    if (this.#sorted !== null) this.#sorted.splice(lowerBound(this.#sorted, file.fileName), 1);
  }

  /** @returns all versions of a name, newest first, unfinished large files among them */
  versionsOf(name: string): readonly FileRecord[] {
    return this.#versions.get(name) ?? [];
  }

  /** @returns the newest version that is finished: an upload or a hide marker */
  latest(name: string): FileRecord | undefined {
    return this.versionsOf(name).find((file) => file.action !== "start");
  }

  /** @returns the names from `start` on, in order */
  *namesFrom(start: string): Generator<string> {
    const sorted = this.#sortedNames();
    for (let index = lowerBound(sorted, start); index < sorted.length; index += 1) {
      const name = sorted[index];
      if (name !== undefined) yield name;
    }
  }

  #sortedNames(): string[] {
    this.#sorted ??= [...this.#versions.keys()].sort(compareNames);
    return this.#sorted;
  }
}

/** @returns whether `a` comes before `b` in a listing of versions */
export function isNewer(a: FileRecord, b: FileRecord): boolean {
  if (a.uploadTimestamp !== b.uploadTimestamp) return a.uploadTimestamp > b.uploadTimestamp;
  return a.sequence > b.sequence;
}

function lowerBound(sorted: readonly string[], name: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareNames(sorted[middle] ?? "", name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
