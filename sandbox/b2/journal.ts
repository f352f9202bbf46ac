import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";

import type { BucketRecord, FileRecord, KeyRecord, PartRecord } from "./model.ts";

/** One change of the index. Replaying all of them, in order, gives the index again. */
export type Change =
  | { type: "bucket"; bucket: BucketRecord }
  | { type: "deleteBucket"; bucketId: string }
  | { type: "key"; key: KeyRecord }
  | { type: "deleteKey"; applicationKeyId: string }
  | { type: "file"; file: FileRecord }
  | { type: "deleteFile"; fileId: string }
  | { type: "part"; part: PartRecord }
  | { type: "clock"; offset: number };

/**
 * An append-only file of changes, one JSON object a line, mode 0600.
 *
 * A change is handed to the operating system before `append` returns, so it survives the end of
 * the process, however it ends (not a power cut: nothing is synced to the disk).
 */
export class Journal {
  readonly #path: string;
  #descriptor: number;

  private constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  /**
   * Opens the journal and replays it; a last line that was cut off in writing is dropped.
   *
   * @throws Error when a line other than the last is not a change
   */
  static open(path: string, replay: (change: Change) => void): Journal {
    const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
    const end = bytes.lastIndexOf(0x0a) + 1;
    let lineNumber = 0;
    for (let start = 0; start < end;) {
      const next = bytes.indexOf(0x0a, start) + 1;
      lineNumber += 1;
      replay(parse(bytes.toString("utf8", start, next - 1), path, lineNumber));
      start = next;
    }
    const descriptor = openSync(path, "a", 0o600);
    if (end < bytes.length) ftruncateSync(descriptor, end);
    return new Journal(path, descriptor);
  }

  append(change: Change): void {
    writeAll(this.#descriptor, `${JSON.stringify(change)}\n`);
  }

  /** Replaces all changes so far by these, in one step. */
  rewrite(changes: Iterable<Change>): void {
    const temporary = `${this.#path}.new`;
    const descriptor = openSync(temporary, "w", 0o600);
    for (const change of changes) writeAll(descriptor, `${JSON.stringify(change)}\n`);
    renameSync(temporary, this.#path);
    closeSync(this.#descriptor);
    this.#descriptor = descriptor;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function parse(line: string, path: string, lineNumber: number): Change {
  try {
    return JSON.parse(line) as Change;
  } catch {
    throw new Error(
      `${path}:${lineNumber}: not a change of the B2 emulator's index. Start with an empty data folder, or remove the damaged line.`,
    );
  }
}

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text, "utf8");
  for (let written = 0; written < bytes.length;) {
    written += writeSync(descriptor, bytes, written);
  }
}
