/** What a control breaks, one thing at a time. */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  cpSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Subject } from "./checks/all.ts";
import type { DumpFormat } from "./checks/dump.ts";
import { filesBelow } from "./tree.ts";

/** A way to break a file. */
export interface Damage {
  readonly what: string;
  readonly apply: (path: string) => void;
}

/** Where a page's own header is in the first page of an SQLite file, behind the file's. */
const FIRST_PAGE_HEADER = 100;

const REMOVED: Damage = { what: "removed", apply: (path) => rmSync(path) };
const CUT: Damage = {
  what: "cut in half",
  apply: (path) => truncateSync(path, Math.floor(lstatSync(path).size / 2)),
};
const FLIPPED: Damage = {
  what: "one bit flipped",
  apply: (path) =>
    change(
      path,
      (size) => Math.floor(size / 2),
      1,
      (byte) => byte ^ 1,
    ),
};
const OVERWRITTEN: Damage = {
  what: "first page overwritten",
  apply: (path) =>
    change(
      path,
      () => FIRST_PAGE_HEADER,
      8,
      () => 0xff,
    ),
};

/** How a repository's pack is broken. */
export const PACK_DAMAGES: readonly Damage[] = [FLIPPED, CUT, REMOVED];

/** How a file that a built-in check looks at is broken. */
export function damagesOf(subject: Subject): readonly Damage[] {
  return subject.kind === "sqlite" ? [OVERWRITTEN, CUT] : [CUT];
}

function change(
  path: string,
  where: (size: number) => number,
  bytes: number,
  how: (byte: number) => number,
): void {
  const handle = openSync(path, "r+");
  try {
    const at = where(fstatSync(handle).size);
    const buffer = Buffer.alloc(bytes);
    const count = readSync(handle, buffer, 0, bytes, at);
    writeSync(handle, buffer.map(how), 0, count, at);
  } finally {
    closeSync(handle);
  }
}

/** The largest pack of a repository in a folder. */
export function largestPack(repository: string): string {
  const packs = readdirSync(join(repository, "data"), { recursive: true, encoding: "utf8" })
    .map((name) => join(repository, "data", name))
    .map((path) => ({ path, stat: lstatSync(path) }))
    .filter(({ stat }) => stat.isFile())
    .sort((a, b) => b.stat.size - a.stat.size);
  const [largest] = packs;
  if (largest === undefined) throw new Error("the copy of the repository has no pack");
  return largest.path;
}

/** Does something while a file is broken, and mends it. */
export async function whileBroken(
  path: string,
  damage: Damage,
  work: () => Promise<void>,
): Promise<void> {
  const aside = `${path}.whole`;
  renameSync(path, aside);
  try {
    copyFileSync(aside, path);
    // restic makes its files read-only.
    chmodSync(path, 0o600);
    damage.apply(path);
    await work();
  } finally {
    rmSync(path, { force: true });
    renameSync(aside, path);
  }
}

/** Copies what a built-in check looks at into a folder, and breaks the copy. */
export function brokenCopy(subject: Subject, damage: Damage, folder: string): Subject {
  const from = subject.file.toString();
  if (formatOf(subject) === "directory") {
    cpSync(dirname(from), join(folder, "dump"), { recursive: true });
    return broken(subject, damage, join(folder, "dump", basename(from)));
  }
  const to = join(folder, basename(from));
  copyFileSync(subject.file, to);
  return broken(subject, damage, to);
}

function formatOf(subject: Subject): DumpFormat | undefined {
  return subject.kind === "postgresql" && subject.dump !== "empty"
    ? subject.dump.format
    : undefined;
}

function broken(subject: Subject, damage: Damage, path: string): Subject {
  chmodSync(path, 0o600);
  damage.apply(path);
  const file = Buffer.from(path);
  if (subject.kind === "sqlite") return { kind: "sqlite", file };
  return { ...subject, file, dump: subject.dump === "empty" ? "empty" : { ...subject.dump, file } };
}

/** Empties every file below a folder. */
export async function emptyAll(folder: string): Promise<void> {
  for await (const { path, stat } of filesBelow(Buffer.from(folder))) {
    if (stat.size === 0) continue;
    chmodSync(path, 0o600);
    closeSync(openSync(path, "w"));
  }
}
