import { PassThrough } from "node:stream";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { counted, size } from "../../format.ts";
import { messageOf } from "../../errors.ts";
import { LEFT_OUT } from "../program.ts";
import type { Cluster } from "./cluster.ts";
import { LOADER } from "./cluster.ts";
import { openDump, type Dump, type DumpPrograms } from "./dump.ts";
import { inspect, linesOf, quoted, Script, type Inspection } from "./script.ts";
import type { Verdict } from "./verdict.ts";

/** What a check of a dump has at hand. */
export interface LoadOptions {
  readonly programs: DumpPrograms;
  /** Starts a server, once for all dumps; or says why there is none. */
  readonly cluster: () => Promise<Cluster | string>;
  /** Bytes that are free for a loaded dump. */
  readonly free: () => number;
  readonly timeoutSeconds: number;
}

/**
 * Checks a dump: it must be complete, and load into an empty server.
 *
 * A dump is a program that another machine wrote, which may be in a thief's hands. It is loaded by a
 * role that may do nothing outside of its databases, and psql is told to take none of its own
 * commands from it (`\restrict`). So what belongs to a whole server (roles, grants, owners,
 * tablespaces) is left out.
 */
export async function checkDump(dump: Dump, options: LoadOptions): Promise<Verdict> {
  let inspection: Inspection;
  try {
    inspection = await inspect(openDump(dump, options.programs));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return { outcome: "skipped", detail: `no program to read it: ${messageOf(error)}` };
    }
    return { outcome: "failed", detail: `cannot be read to its end: ${messageOf(error)}` };
  }
  if (!inspection.complete) {
    return { outcome: "failed", detail: "cut off: the line that is written last is missing" };
  }
  const whole = `complete (${size(inspection.bytes)})`;
  if (options.free() < inspection.bytes * 2 + 128 * 1024 ** 2) {
    return { outcome: "passed", detail: `${whole}; not loaded: too little space` };
  }
  const cluster = await options.cluster();
  if (typeof cluster === "string") {
    return { outcome: "passed", detail: `${whole}; not loaded: ${cluster}` };
  }
  return await load(dump, inspection, cluster, whole, options);
}

/** Counts the databases that are made, for their names. */
let made = 0;

async function load(
  dump: Dump,
  inspection: Inspection,
  cluster: Cluster,
  whole: string,
  options: LoadOptions,
): Promise<Verdict> {
  const databases = new Map<string, string>();
  try {
    for (const name of inspection.databases) {
      const database = `drill_${(made += 1)}`;
      databases.set(name, database);
      await cluster.command("postgres", `CREATE DATABASE ${database} OWNER ${LOADER}`);
      for (const { name: extension, schema } of inspection.extensions.get(name) ?? []) {
        await cluster.command(
          database,
          `CREATE SCHEMA IF NOT EXISTS ${quoted(schema)} AUTHORIZATION ${LOADER}`,
          `CREATE EXTENSION IF NOT EXISTS ${quoted(extension)} SCHEMA ${quoted(schema)} CASCADE`,
        );
      }
    }
  } catch (error) {
    // An extension that the host has and the hub has not is no fault of the dump.
    return { outcome: "passed", detail: `${whole}; not loaded: ${messageOf(error)}` };
  }
  try {
    const problems = await feed(dump, databases, cluster, options);
    const newer = inspection.major === undefined ? "" : ` (from PostgreSQL ${inspection.major})`;
    if (problems.length > 0) {
      return { outcome: "failed", detail: `does not load${newer}: ${problems.join("; ")}` };
    }
    return {
      outcome: "passed",
      detail: `${whole}; loaded ${counted(databases.size, "database")}`,
    };
  } finally {
    for (const database of databases.values()) {
      await cluster.command("postgres", `DROP DATABASE ${database} WITH (FORCE)`);
    }
  }
}

/** Errors that follow from what is left out, or from what a newer server has more. */
const EXPECTED = [
  // Who a policy of row security is for.
  /role ".*" does not exist/,
  /schema ".*" already exists/,
  /unrecognized configuration parameter/,
  /permission denied to (create|alter) (publication|subscription|event trigger|FOR ALL TABLES)/i,
  /must be superuser to create (FOR ALL TABLES publication|subscriptions|a base type)/,
];

/** Loads each database's part by a session of its own. */
async function feed(
  dump: Dump,
  databases: ReadonlyMap<string, string>,
  cluster: Cluster,
  options: LoadOptions,
): Promise<string[]> {
  const script = new Script();
  const problems: string[] = [];
  let session: Session | undefined;
  const to = async (name: string): Promise<void> => {
    problems.push(...((await session?.end()) ?? []));
    const database = databases.get(name);
    session =
      database === undefined ? undefined : new Session(cluster, database, options.timeoutSeconds);
  };
  try {
    // Of a whole server's dump the part before the first database is its roles.
    await to("");
    for await (const batch of linesOf(openDump(dump, options.programs))) {
      const kept: string[] = [];
      for (const line of batch) {
        const meaning = script.read(line);
        if (meaning.kind === "connect") {
          await session?.write(kept.splice(0).join(""));
          await to(meaning.database);
        } else if (meaning.kind === "other" || line.text.startsWith("--")) kept.push(line.text);
      }
      await session?.write(kept.join(""));
    }
    problems.push(...((await session?.end()) ?? []));
  } finally {
    session?.abandon();
  }
  return problems;
}

/** One psql that is fed. */
class Session {
  readonly #input = new PassThrough();
  readonly #result: ReturnType<Cluster["load"]>;
  #ended = false;

  constructor(cluster: Cluster, database: string, timeoutSeconds: number) {
    this.#result = cluster.load(database, this.#input, timeoutSeconds);
    void this.#result.then(() => {
      this.#ended = true;
      this.#input.destroy();
    });
    this.#input.on("error", () => undefined);
    // From here on psql takes SQL alone: the word that would let it take more is known to nobody.
    this.#input.write(`\\restrict ${randomBytes(24).toString("hex")}\n`);
  }

  async write(text: string): Promise<void> {
    if (text === "" || this.#ended) return;
    if (this.#input.write(text, "latin1")) return;
    await Promise.race([once(this.#input, "drain"), this.#result]);
  }

  /** Waits for the end; the first few errors. */
  async end(): Promise<string[]> {
    this.#input.end();
    const result = await this.#result;
    const errors = result.stderr
      .split("\n")
      .map((line) => /^psql:(?:.*?: )?((?:ERROR|FATAL|PANIC|error):.*)/.exec(line)?.[1])
      .filter((line) => line !== undefined)
      .filter((line) => !EXPECTED.some((pattern) => pattern.test(line)));
    if (result.exitCode !== 0) errors.push(result.problem);
    if (result.stderr.includes(LEFT_OUT)) errors.push("and a great many more");
    // What a row holds is nobody's business.
    return [...new Set(errors.map((line) => line.replace(/: ".*$/, "")))].slice(0, 3);
  }

  abandon(): void {
    this.#input.destroy();
  }
}
