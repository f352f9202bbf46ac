import { accessSync, constants, statfsSync } from "node:fs";
import os from "node:os";

const SHARED_MEMORY = "/dev/shm";

/**
 * A folder for data of which so many bytes are written: in memory where there is room for twice as
 * many, so that programs are measured and not the disk of this machine.
 */
export function roomFor(bytes: number): string {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    const room = Math.min(bavail * bsize, os.freemem());
    if (room > 2 * bytes) return SHARED_MEMORY;
  } catch {
    // A system without it.
  }
  return os.tmpdir();
}
