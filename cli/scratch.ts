/** A private folder for the time of an action. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sweepFolders } from "../peer/stale-folders.ts";

const PREFIX = "fort-offsite-private-";

/**
 * Makes a folder that only this user can enter, and removes it whatever happens. Those that a kill
 * left behind go first.
 */
export async function withScratch<T>(action: (folder: string) => Promise<T>): Promise<T> {
  await sweepFolders(PREFIX);
  const folder = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    return await action(folder);
  } finally {
    process.removeListener("exit", remove);
    remove();
  }
}
