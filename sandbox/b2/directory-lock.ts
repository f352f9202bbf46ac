import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

// Process ids cannot tell two emulators of one process apart.
const heldHere = new Set<string>();

/**
 * Takes a data folder for this emulator. The lock of a process that is gone, killed or not, does not
 * count.
 *
 * @returns a function that gives the folder back
 * @throws Error when a running emulator has it
 */
export function lockDirectory(directory: string): () => void {
  const path = join(resolve(directory), "emulator.pid");
  const holder = heldHere.has(path) ? process.pid : runningHolder(path);
  if (holder !== null) {
    throw new Error(
      `${directory}: in use by a B2 emulator (process ${holder}). Stop it, or choose another data folder.`,
    );
  }
  writeFileSync(path, `${process.pid}\n`, { mode: 0o600 });
  heldHere.add(path);
  return () => {
    heldHere.delete(path);
    rmSync(path, { force: true });
  };
}

function runningHolder(path: string): number | null {
  let holder: number;
  try {
    holder = Number(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
  if (!Number.isSafeInteger(holder) || holder <= 0 || holder === process.pid) return null;
  try {
    process.kill(holder, 0);
    return holder;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM" ? holder : null;
  }
}
