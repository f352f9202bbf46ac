/** Which files of the bundle are no longer as they were written. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { remembered, type StackRecord } from "../config/record.ts";

/**
 * Compares the bundle's files with what the last update wrote.
 *
 * @param directory - the bundle's.
 * @param paths - of the files below it that belong to the stack.
 * @param before - what the last update left; without it there is nothing to compare with.
 * @returns for each file that differs, what was done to it: `was deleted`.
 */
export function filesChangedByHand(
  directory: string,
  paths: readonly string[],
  before: StackRecord | undefined,
): Map<string, string> {
  // Another directory is another bundle: all of it is written there anyway.
  if (before?.directory !== directory) return new Map();
  return new Map(
    paths.flatMap((path): [string, string][] => {
      const written = remembered(before.files, path);
      if (written === undefined) return [];
      const found = checksum(join(directory, path));
      return found === written ? [] : [[path, found === undefined ? "was deleted" : "was changed"]];
    }),
  );
}

/** SHA-256 of a file in hex; undefined where there is none that can be read. */
function checksum(file: string): string | undefined {
  try {
    return createHash("sha256").update(readFileSync(file)).digest("hex");
  } catch {
    return undefined;
  }
}
