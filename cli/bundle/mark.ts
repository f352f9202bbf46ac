/**
 * The mark of a bundle's directory, with which components/seal.sh claims it. Where files were written
 * without an update it also remembers them: a file that was sealed anew has other bytes than the
 * update's, and nothing else would tell that it is the same file.
 */
import { randomBytes } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const MARK = ".fort-offsite";

/** A file that was written without an update. */
export interface Noted {
  /** SHA-256 of the file. */
  readonly sha256: string;
  /** SHA-256 of the update's own file that it stands for. */
  readonly of: string;
}

const LINE = /^([0-9a-f]{64}) for ([0-9a-f]{64}): (.+)$/;

/** What a directory's mark remembers, by path; undefined where there is no mark. */
export async function readMark(directory: string): Promise<Map<string, Noted> | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, MARK), "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
  return new Map(
    text.split("\n").flatMap((line): [string, Noted][] => {
      const [, sha256, of, path] = LINE.exec(line) ?? [];
      return sha256 === undefined || of === undefined || path === undefined
        ? []
        : [[path, { sha256, of }]];
    }),
  );
}

/** Writes the mark, as a whole or not at all. */
export async function writeMark(
  directory: string,
  noted: ReadonlyMap<string, Noted>,
): Promise<void> {
  const lines = [...noted]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, { sha256, of }]) => `${sha256} for ${of}: ${path}\n`);
  const head = "Written by fort-offsite: pulumi up writes the files here, and removes them.\n";
  const temporary = join(directory, `${MARK}.${randomBytes(4).toString("hex")}`);
  try {
    await writeFile(temporary, head + lines.join(""), { mode: 0o644, flag: "wx" });
    await rename(temporary, join(directory, MARK));
  } finally {
    await rm(temporary, { force: true });
  }
}
