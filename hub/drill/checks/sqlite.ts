import { copyFileSync, lstatSync, symlinkSync, constants } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runProgram } from "../program.ts";
import type { Verdict } from "./verdict.ts";

/** What every SQLite file begins with (SQLite's documentation, "Database File Format"). */
export const SQLITE_MAGIC = Buffer.from("SQLite format 3\0", "latin1");

/** What is the program's own that uses the database, and what no other can check. */
const FOREIGN = /no such (collation sequence|module|function|tokenizer)|unknown tokenizer/;

/**
 * Checks an SQLite file as `PRAGMA integrity_check` does. The file is opened read-only; one with a
 * journal or a write-ahead log beside it is copied with that first, and the log is played back as
 * the database's own program would.
 *
 * @param work - an empty folder.
 */
export async function checkSqlite(
  program: string,
  file: Buffer,
  work: string,
  timeoutSeconds: number,
): Promise<Verdict> {
  const database = join(work, "database");
  const logs = ["-wal", "-journal"].filter((suffix) => hasContent(beside(file, suffix)));
  if (logs.length > 0) {
    copy(file, database);
    for (const suffix of logs) copy(beside(file, suffix), database + suffix);
  } else {
    // Names are bytes, arguments are text.
    symlinkSync(file, database);
  }
  const url = pathToFileURL(database).href + (logs.length > 0 ? "" : "?immutable=1");
  const ask = (pragma: string) =>
    runProgram({
      // What is in the schema is another machine's: none of its functions is to be trusted.
      command: [program, "-safe", "-batch", "-bail", url, `PRAGMA trusted_schema=OFF; ${pragma};`],
      cwd: work,
      env: { HOME: work, XDG_CONFIG_HOME: work },
      timeoutSeconds,
    });
  let pragma = "integrity_check";
  let result = await ask("PRAGMA integrity_check");
  if (FOREIGN.test(result.stderr + result.stdout)) {
    pragma = "quick_check";
    result = await ask("PRAGMA quick_check");
  }
  if (result.missing) return { outcome: "skipped", detail: `${result.problem} (SQLite's program)` };
  if (result.exitCode === 0 && result.stdout.trim() === "ok") {
    return { outcome: "passed", detail: pragma };
  }
  const said = result.exitCode === 0 ? result.stdout.trim().split("\n").slice(0, 3).join("; ") : "";
  const detail = said === "" ? result.problem : said;
  if (FOREIGN.test(detail))
    return { outcome: "skipped", detail: `needs its own program: ${detail}` };
  return { outcome: "failed", detail: `PRAGMA ${pragma}: ${detail}` };
}

function beside(file: Buffer, suffix: string): Buffer {
  return Buffer.concat([file, Buffer.from(suffix)]);
}

function hasContent(path: Buffer): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isFile() === true && stat.size > 0;
}

function copy(from: Buffer, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
}
