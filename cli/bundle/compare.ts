/** A directory against the bundle that is deployed: what is missing, edited, surplus. */
import { createHash } from "node:crypto";
import { lstat, readFile, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { openSealed } from "./open.ts";
import { MARK, readMark, type Noted } from "./mark.ts";
import type { DeployedBundle, DeployedFile } from "./deployed.ts";

/** How a file stands. */
export interface FileReport {
  readonly path: string;
  readonly status: "current" | "missing" | "edited" | "outdated" | "surplus" | "unknown";
  /** What is the matter, as the end of a sentence that begins with the path. */
  readonly reason: string;
}

/** What files are compared with. */
export interface Comparison {
  readonly bundle: DeployedBundle;
  /** The directory that is looked at, absolute. */
  readonly directory: string;
  /** What the directory's mark remembers. */
  readonly noted: ReadonlyMap<string, Noted>;
  /** Files of private keys, for what no checksum tells. */
  readonly identities: readonly string[];
}

/** Looks at every file. Nothing is written. */
export async function compare(
  bundle: DeployedBundle,
  directory: string,
  identities: readonly string[],
): Promise<FileReport[]> {
  const comparison = {
    ...{ bundle, directory, identities },
    noted: (await readMark(directory)) ?? new Map<string, Noted>(),
  };
  const reports: FileReport[] = [];
  for (const file of bundle.files) reports.push(await reportOn(file, comparison));
  const known = new Set(bundle.files.map(({ path }) => path));
  const surplus = (await filesBelow(directory)).filter((path) => !known.has(path));
  return [
    ...reports,
    ...surplus.map((path) => ({
      path,
      status: "surplus" as const,
      reason: "is no file of the stack",
    })),
  ];
}

/** How one file stands. */
async function reportOn(file: DeployedFile, comparison: Comparison): Promise<FileReport> {
  const { path } = file;
  const say = (status: FileReport["status"], reason: string) => ({ path, status, reason });
  const place = join(comparison.directory, path);
  const found = await checksum(place);
  if (found === undefined) return say("missing", "is missing");
  if (found === "other") return say("edited", "is no ordinary file that can be read");
  const isClear = file.format === "plain" || file.format === "public";
  if (isClear) {
    return found === sha256(file.content)
      ? say("current", "is up to date")
      : say("edited", "was edited, or is of another update");
  }
  if (file.written !== undefined) {
    const note = comparison.noted.get(path);
    if (found === file.written) return say("current", "is up to date");
    if (note?.sha256 === found) {
      return note.of === file.written
        ? say("current", "is up to date")
        : say("outdated", "is of an earlier update");
    }
  }
  return await reportOnContent(file, place, comparison);
}

/** Where no checksum tells: what a private key tells, or that nobody can. */
async function reportOnContent(
  { path, content, format, written }: DeployedFile,
  place: string,
  { identities }: Comparison,
): Promise<FileReport> {
  if (identities.length === 0 || format === "public") {
    return written === undefined
      ? {
          path,
          status: "unknown",
          reason: "cannot be checked without a private key (--identity), or one pulumi up",
        }
      : { path, status: "edited", reason: "was edited, or is of another update" };
  }
  const opened = await openSealed(place, format, identities);
  if ("reason" in opened) return { path, status: "unknown", reason: opened.reason };
  return opened.content === content
    ? {
        path,
        status: "current",
        reason: "has the right content; for whom else it is sealed cannot be told",
      }
    : { path, status: "edited", reason: "has another content" };
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** SHA-256 of an ordinary file; "other" where there is something else. */
export async function checksum(file: string): Promise<string | undefined> {
  try {
    if (!(await lstat(file)).isFile()) return "other";
    return sha256(await readFile(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" || code === "ENOTDIR" ? undefined : "other";
  }
}

/** The files of a directory but its mark; none where there is no directory. */
async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    },
  );
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .filter((path) => path !== MARK)
    .sort();
}
