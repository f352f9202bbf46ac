/** Writes files of the bundle with the script that `pulumi up` writes them with. */
import { readdir, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import pLimit from "p-limit";
import { UsageError } from "../../hub/errors.ts";
import { printable } from "../../hub/format.ts";
import { interruption } from "../interruption.ts";
import { checksum, type FileReport } from "./compare.ts";
import type { DeployedBundle, DeployedFile } from "./deployed.ts";
import { MARK, readMark, writeMark, type Noted } from "./mark.ts";

const SEAL = fileURLToPath(new URL("../../components/seal.sh", import.meta.url));

/** Programs at work at once. */
const CONCURRENCY = 4;

/**
 * Refuses a directory that is somebody else's, before anything is written.
 *
 * @throws UsageError where it has files and no mark of ours, or is none.
 */
export async function requireOwn(directory: string): Promise<void> {
  const names = await namesIn(
    directory,
    (code) => `${directory} cannot be a bundle's directory (${code})`,
  );
  if (names.length === 0 || names.includes(MARK)) return;
  throw new UsageError(
    `${directory} has files that fort-offsite did not write. Choose a directory of its own with --out`,
  );
}

/**
 * The names in a directory; none where there is no such directory yet.
 *
 * @param refusal - says why nothing can be written, by the code of the error.
 * @throws UsageError with that where it cannot be read.
 */
export async function namesIn(
  directory: string,
  refusal: (code: string) => string,
): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return [];
    throw new UsageError(refusal(code ?? "unreadable"));
  }
}

/** What writing came to. */
export interface Written {
  readonly written: readonly string[];
  readonly removed: readonly string[];
}

/**
 * Brings a directory up to date: writes what is not, removes what was written here for hosts that
 * left, and leaves every other file as it is.
 *
 * @param reports - how the directory's files stand.
 * @throws Error naming every file that could not be written; the others are.
 */
export async function bringUpToDate(
  bundle: DeployedBundle,
  directory: string,
  reports: readonly FileReport[],
): Promise<Written> {
  const noted = new Map(await readMark(directory));
  const stale = new Set(
    reports.filter(({ status }) => status !== "current").map(({ path }) => path),
  );
  const limit = pLimit(CONCURRENCY);
  const failures: string[] = [];
  const written: string[] = [];
  const work = bundle.files.filter(({ path }) => stale.has(path));
  await Promise.all(
    work.map((file) =>
      limit(async () => {
        if (interruption.aborted) return;
        try {
          const sha256 = await writeFile(file, directory);
          written.push(file.path);
          note(noted, file, sha256);
        } catch (error) {
          failures.push(error instanceof Error ? error.message : String(error));
        }
      }),
    ),
  );
  const removed = interruption.aborted ? [] : await removeGone(bundle, directory, noted);
  if (written.length + removed.length > 0) await writeMark(directory, noted);
  interruption.throwIfAborted();
  if (failures.length > 0) throw new Error(failures.join("; "));
  return { written: written.sort(), removed };
}

/** What tells later that a file which was sealed anew is the same file. */
function note(noted: Map<string, Noted>, file: DeployedFile, sha256: string): void {
  if (file.written === undefined || file.written === sha256) noted.delete(file.path);
  else noted.set(file.path, { sha256, of: file.written });
}

async function writeFile(file: DeployedFile, directory: string): Promise<string> {
  const place = join(directory, file.path);
  const { failed, stderr } = await execa("/bin/sh", [SEAL, "create"], {
    input: file.content,
    env: {
      DIRECTORY: directory,
      FILE: place,
      FORMAT: file.format,
      RECIPIENTS: file.recipients,
    },
    cancelSignal: interruption,
    reject: false,
  });
  if (failed) {
    const said = printable(stderr.trim().split("\n").at(-1) ?? "");
    throw new Error(said === "" ? `${place} could not be written` : said);
  }
  const sum = await checksum(place);
  if (sum === undefined || sum === "other") throw new Error(`${place} is not there after all`);
  return sum;
}

/** Only what was written here without an update, and is still as it was: the rest may be anybody's. */
async function removeGone(
  bundle: DeployedBundle,
  directory: string,
  noted: Map<string, Noted>,
): Promise<string[]> {
  const known = new Set(bundle.files.map(({ path }) => path));
  const removed: string[] = [];
  for (const [path, { sha256 }] of [...noted]) {
    if (known.has(path)) continue;
    const place = join(directory, path);
    if ((await checksum(place)) === sha256) {
      await rm(place);
      await rmdir(dirname(place)).catch(() => undefined);
      removed.push(path);
    }
    noted.delete(path);
  }
  return removed;
}
