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

/**
 * Replaces a file that others read at any time: they see the old content or the new, never a part.
 * The new content is in a file of the same folder until it is whole; that file's name begins with a
 * dot and ends in `.tmp`, and one that a killed run left goes with a later run.
 *
 * @param path - the file; it is readable by all.
 * @throws Error where it cannot be written; the old content is still there then.
 */
export function replaceFile(path: string, content: string): void {
  const prefix = `.${basename(path)}.`;
  const folder = dirname(path);
  const temporary = join(folder, `${prefix}${process.pid}.tmp`);
  rmSync(temporary, { force: true });
  try {
    const file = openSync(temporary, "wx", 0o644);
    try {
      let written = 0;
      const bytes = Buffer.from(content);
      while (written < bytes.length) written += writeSync(file, bytes, written);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // Whatever this process's umask is.
    chmodSync(temporary, 0o644);
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
