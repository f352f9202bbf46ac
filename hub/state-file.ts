import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { replaceFile } from "./replace-file.ts";

/**
 * Replaces a JSON file of the agent's state, in one step: who reads it, or a run that is killed,
 * finds the old content or the new. Its folder is made.
 *
 * @param flush - whether the content must be on the disk before the file takes its place.
 * @throws Error where it cannot be written; the old content is still there then.
 */
export function writeStateFile(path: string, value: unknown, flush = false): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFile(path, JSON.stringify(value), { mode: 0o600, flush });
}
