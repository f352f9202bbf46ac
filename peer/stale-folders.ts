/** Private folders of processes that were killed: whoever makes such folders sweeps them first. */
import { readdir, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";

/**
 * Removes the folders below the system's temporary one that are called `<prefix><process ID>-…` and
 * whose process has ended. Those that are somebody else's stay.
 */
export async function sweepFolders(prefix: string): Promise<void> {
  for (const name of await readdir(os.tmpdir()).catch(() => [] as string[])) {
    const pid = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1]);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    await rm(path.join(os.tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
