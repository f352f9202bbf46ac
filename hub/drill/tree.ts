/** Walking through what was restored. Links are never followed: another machine made them. */
import { chmodSync, lstatSync, readdirSync, type Stats } from "node:fs";
import { setImmediate } from "node:timers/promises";

const SLASH = Buffer.from("/");
const BATCH = 500;

/** One regular file. */
export interface TreeFile {
  /** Names are bytes; not all are text. */
  readonly path: Buffer;
  readonly stat: Stats;
}

/** Finds every regular file below a folder, and lets others work in between. */
export async function* filesBelow(folder: Buffer): AsyncGenerator<TreeFile> {
  let seen = 0;
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    for (const name of readdirSync(next, { encoding: "buffer" }).sort((a, b) => a.compare(b))) {
      const path = Buffer.concat([next, SLASH, name]);
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory() === true) folders.push(path);
      if (stat?.isFile() === true) yield { path, stat };
      seen += 1;
      if (seen % BATCH === 0) await setImmediate();
    }
  }
}

/**
 * Lets this process into every folder below and read every file, whatever their modes. Root needs
 * no such right.
 */
export function openFolders(folder: string): void {
  if (process.getuid?.() !== 0) open(Buffer.from(folder));
}

function open(path: Buffer): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) {
    if (stat?.isFile() === true && (stat.mode & 0o400) === 0) chmodSync(path, stat.mode | 0o400);
    return;
  }
  if ((stat.mode & 0o700) !== 0o700) chmodSync(path, stat.mode | 0o700);
  for (const name of readdirSync(path, { encoding: "buffer" })) {
    open(Buffer.concat([path, SLASH, name]));
  }
}
