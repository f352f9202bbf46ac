/** Another text in a file's place, as a whole or not at all. */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { UsageError } from "../hub/errors.ts";

/**
 * Puts a text in a file's place in one step, with the mode that the file had. A link stays one.
 *
 * @param before - what the file must still hold; undefined where there was none.
 * @throws UsageError where somebody else has changed it meanwhile; it is then as they left it.
 */
export function replaceFile(file: string, before: string | undefined, text: string): void {
  const target = existsSync(file) ? realpathSync(file) : file;
  const next = join(dirname(target), `.${basename(target)}.${process.pid}.new`);
  try {
    const handle = openSync(next, "w", 0o644);
    try {
      if (existsSync(target)) fchmodSync(handle, statSync(target).mode & 0o777);
      writeFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    const now = existsSync(target) ? readFileSync(target, "utf8") : undefined;
    if (now !== before) {
      throw new UsageError(`${file} was changed meanwhile, and is left as it is. Run this again`);
    }
    renameSync(next, target);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new Error(`${file} cannot be written, and is as it was`, { cause: error });
  } finally {
    rmSync(next, { force: true });
  }
}
