import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

const LEFT_MS = 3_600_000;

/** What a replaced file is like. */
export interface ReplaceOptions {
  readonly mode: number;
  /** Whether the content must be on the disk before the file takes its place. */
  readonly flush: boolean;
}

/**
 * Replaces a file that others read at any time: they see the old content or the new, never a part.
 * Several may do so at the same time; the last one's content stays.
 * The new content is in a file of the same folder until it is whole; that file's name begins with a
 * dot and ends in `.tmp`, and one that a killed run left goes with a later run.
 *
 * @param options - a file that is readable by all, flushed, where they are left out.
 * @throws Error where it cannot be written; the old content is still there then.
 */
export function replaceFile(
  path: string,
  content: string,
  { mode, flush }: ReplaceOptions = { mode: 0o644, flush: true },
): void {
  const prefix = `.${basename(path)}.`;
  const folder = dirname(path);
  const temporary = join(folder, `${prefix}${process.pid}.tmp`);
  rmSync(temporary, { force: true });
  try {
    const file = openSync(temporary, "wx", mode);
    try {
      let written = 0;
      const bytes = Buffer.from(content);
      while (written < bytes.length) written += writeSync(file, bytes, written);
      if (flush) fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // Whatever this process's umask is.
    chmodSync(temporary, mode);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  clearLeft(folder, prefix);
}

function clearLeft(folder: string, prefix: string): void {
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(prefix) || !name.endsWith(".tmp")) continue;
      const path = join(folder, name);
      if (Date.now() - statSync(path).mtimeMs > LEFT_MS) rmSync(path, { force: true });
    }
  } catch {
    // They are in nobody's way.
  }
}
