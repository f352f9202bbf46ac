import { closeSync, fsyncSync, openSync } from "node:fs";

/** Has the names in a folder on the disk before anything that goes by them. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
