import { join } from "node:path";
import { messageOf } from "../../errors.ts";
import type { Check } from "../../settings.ts";
import { since, type CheckReport } from "../report.ts";
import type { Scratch } from "../scratch.ts";
import { filesBelow, type TreeFile } from "../tree.ts";
import { Cluster, findPostgres } from "./cluster.ts";
import { headOf, recogniseDump, type Dump } from "./dump.ts";
import { runOwnCheck } from "./own.ts";
import { checkDump } from "./postgresql.ts";
import { checkSqlite, SQLITE_MAGIC } from "./sqlite.ts";
import type { Verdict } from "./verdict.ts";

const HEAD_BYTES = 256;

/** The longest that a built-in check of one file may take. */
const TIMEOUT_SECONDS = 2 * 3600;

/** What the checks need to know. */
export interface CheckOptions {
  readonly host: string;
  readonly target: string;
  readonly own: readonly Check[];
  /** Paths that the built-in checks leave alone, as the host calls them. */
  readonly ignore: readonly string[];
  readonly sqlite3: string;
  readonly zstd: string;
  readonly postgresql: string | undefined;
}

/** A file that a built-in check looks at. */
export type Subject =
  | { readonly kind: "sqlite"; readonly file: Buffer }
  | { readonly kind: "postgresql"; readonly file: Buffer; readonly dump: Dump | "empty" };

/** The checks of one drill; close them. */
export class Checks {
  readonly #options: CheckOptions;
  readonly #scratch: Scratch;
  #cluster: Promise<Cluster | string> | undefined;

  constructor(options: CheckOptions, scratch: Scratch) {
    this.#options = options;
    this.#scratch = scratch;
  }

  /**
   * Runs every check on what was restored: the built-in ones on each file that they know, then the
   * host's own.
   */
  async run(restored: string): Promise<CheckReport[]> {
    const reports: CheckReport[] = [];
    for await (const subject of this.subjects(restored)) {
      reports.push(await this.runBuiltIn(subject, restored));
    }
    for (const check of this.#options.own) reports.push(await this.runOwn(check, restored));
    return reports;
  }

  /** Finds the files that a built-in check looks at. */
  async *subjects(restored: string): AsyncGenerator<Subject> {
    const root = Buffer.from(restored);
    for await (const file of filesBelow(root)) {
      if (this.#isIgnored(nameOf(file.path, restored))) continue;
      const subject = subjectIn(file);
      if (subject !== undefined) yield subject;
    }
  }

  /** Runs the built-in check of a file. */
  async runBuiltIn(subject: Subject, restored: string): Promise<CheckReport> {
    const begin = performance.now();
    let verdict: Verdict;
    try {
      verdict = await this.#judge(subject);
    } catch (error) {
      verdict = { outcome: "failed", detail: messageOf(error) };
    }
    const file = nameOf(subject.file, restored);
    return { name: subject.kind, file, ...verdict, seconds: since(begin) };
  }

  /** Runs one check of the host's own. */
  async runOwn(check: Check, restored: string): Promise<CheckReport> {
    const begin = performance.now();
    const { host, target } = this.#options;
    const verdict = await runOwnCheck(check, { host, target, restored });
    return { name: check.name, file: null, ...verdict, seconds: since(begin) };
  }

  /** The server for dumps is stopped. */
  async close(): Promise<void> {
    const cluster = await this.#cluster;
    if (cluster !== undefined && typeof cluster !== "string") await cluster.stop();
  }

  async #judge(subject: Subject): Promise<Verdict> {
    if (subject.kind === "sqlite") {
      const work = this.#scratch.fresh("sqlite");
      return await checkSqlite(this.#options.sqlite3, subject.file, work, TIMEOUT_SECONDS);
    }
    if (subject.dump === "empty") {
      return { outcome: "failed", detail: "it is empty: what should have written it failed" };
    }
    const find = findPostgres(this.#options.postgresql);
    return await checkDump(subject.dump, {
      programs: { pgRestore: find("pg_restore") ?? "pg_restore", zstd: this.#options.zstd },
      cluster: () => (this.#cluster ??= this.#startCluster(find)),
      free: () => this.#scratch.free(),
      timeoutSeconds: TIMEOUT_SECONDS,
    });
  }

  async #startCluster(find: (name: string) => string | undefined): Promise<Cluster | string> {
    const [initdb, postgres, psql] = ["initdb", "postgres", "psql"].map(find);
    if (initdb === undefined || postgres === undefined || psql === undefined) {
      return "PostgreSQL's programs are not here (drill.postgresql in the settings)";
    }
    try {
      return await Cluster.start({ initdb, postgres, psql }, join(this.#scratch.path, "pg"));
    } catch (error) {
      const reason = messageOf(error);
      const hint = /permission denied/i.test(reason)
        ? `. Root runs it as nobody, who must be able to pass through the folders above "${this.#scratch.path}"`
        : "";
      return `no server for it: ${reason}${hint}`;
    }
  }

  #isIgnored(name: string): boolean {
    return this.#options.ignore.some(
      (path) => name === path || name.startsWith(path.endsWith("/") ? path : `${path}/`),
    );
  }
}

/** A restored file as its host calls it. */
function nameOf(file: Buffer, restored: string): string {
  return file.subarray(Buffer.byteLength(restored)).toString();
}

function subjectIn({ path, stat }: TreeFile): Subject | undefined {
  if (stat.size === 0) {
    // A dump of nothing still has a header: this is what a failed pg_dump leaves behind.
    if (!/\.(sql|dump)$/.test(path.toString("latin1"))) return undefined;
    return { kind: "postgresql", file: path, dump: "empty" };
  }
  const head = headOf(path, HEAD_BYTES);
  if (head.subarray(0, SQLITE_MAGIC.length).equals(SQLITE_MAGIC)) {
    return { kind: "sqlite", file: path };
  }
  const dump = recogniseDump(path, head);
  return dump === undefined ? undefined : { kind: "postgresql", file: path, dump };
}
