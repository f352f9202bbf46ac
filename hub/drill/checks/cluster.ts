/** A PostgreSQL server for the time of a drill. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { accessSync, chownSync, constants, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { runProgram, type ProgramResult } from "../program.ts";
import type { Account } from "../../restic.ts";

/** The cluster's superuser, whom no dump's statement ever runs as. */
const SUPERUSER = "offsite_drill";

/** Who loads dumps: it may make what it likes in its databases, and reach nothing outside. */
export const LOADER = "offsite_loader";

const START_SECONDS = 60;
const SOCKET_LIMIT = 100;

/**
 * Runs a server until its standard input ends, that is also when the agent is killed: a server
 * without its drill is of no use to anybody.
 */
const GUARD = `exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ cat <&3 >/dev/null; kill -QUIT "$server" 2>/dev/null; } &
wait "$server"`;

/** Programs of one version of PostgreSQL. */
export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
  readonly psql: string;
}

/**
 * Finds PostgreSQL's programs: in the folder of the settings, on PATH, or where Debian has them.
 */
export function findPostgres(folder: string | undefined): (name: string) => string | undefined {
  const debian = "/usr/lib/postgresql";
  const folders = folder === undefined ? (process.env.PATH ?? "").split(delimiter) : [folder];
  if (folder === undefined) {
    const versions = namesIn(debian).sort((a, b) => Number(b) - Number(a));
    folders.unshift(...versions.map((version) => join(debian, version, "bin")));
  }
  return (name) => folders.map((each) => join(each, name)).find(isProgram);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** An account's numbers from /etc/passwd. */
function accountOf(name: string): Account | undefined {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${name}:`));
  const [, , uid, gid] = (line ?? "").split(":");
  return uid === undefined || gid === undefined ? undefined : { uid: +uid, gid: +gid };
}

/** A running server that listens on a socket in its own folder, and on nothing else. */
export class Cluster {
  readonly #programs: PostgresPrograms;
  readonly #folder: string;
  readonly #account: Account | undefined;
  readonly #server: ChildProcess;

  private constructor(
    programs: PostgresPrograms,
    folder: string,
    account: Account | undefined,
    server: ChildProcess,
  ) {
    this.#programs = programs;
    this.#folder = folder;
    this.#account = account;
    this.#server = server;
  }

  /**
   * Makes a cluster in a new folder and starts it. PostgreSQL refuses to run as root, and what it is
   * given to run comes from another machine: root runs it as nobody.
   *
   * @throws Error where it does not start.
   */
  static async start(programs: PostgresPrograms, folder: string): Promise<Cluster> {
    if (join(folder, ".s.PGSQL.5432").length > SOCKET_LIMIT) {
      throw new Error(`the path of the scratch folder is too long for a socket: "${folder}"`);
    }
    const account = process.getuid?.() === 0 ? accountOf("nobody") : undefined;
    mkdirSync(folder, { mode: 0o700 });
    if (account !== undefined) chownSync(folder, account.uid, account.gid);
    const data = join(folder, "data");
    const made = await runProgram({
      command: [
        programs.initdb,
        ...["--pgdata", data, "--username", SUPERUSER, "--auth", "trust", "--no-sync"],
        ...["--encoding", "UTF8", "--no-locale"],
      ],
      cwd: folder,
      env: { HOME: folder, LC_ALL: "C" },
      timeoutSeconds: START_SECONDS,
      account,
    });
    if (made.exitCode !== 0) throw new Error(`initdb: ${made.problem}`);
    const server = serve(programs.postgres, folder, data, account);
    const cluster = new Cluster(programs, folder, account, server);
    try {
      await cluster.#ready();
      await cluster.command("postgres", `CREATE ROLE ${LOADER} LOGIN`);
      await cluster.#mustRestrict();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  async #ready(): Promise<void> {
    const until = performance.now() + START_SECONDS * 1000;
    for (;;) {
      const result = await this.psql("postgres", SUPERUSER, "SELECT 1", 10);
      if (result.exitCode === 0) return;
      if (this.#server.exitCode !== null || performance.now() > until) {
        throw new Error(`the server does not start: ${result.problem}`);
      }
      await setTimeout(100);
    }
  }

  /** Dumps are not fed to a psql that could be told by them to run programs. */
  async #mustRestrict(): Promise<void> {
    const result = await this.psql("postgres", LOADER, "\\restrict x\n\\! exit\n", 10);
    if (/\brestrict/.test(result.stderr) && !result.stderr.includes("invalid command")) return;
    throw new Error(
      "psql does not know \\restrict, without which a dump could run programs: it takes 15.14, 16.10, 17.6 or later",
    );
  }

  /**
   * Runs statements of our own as the superuser.
   *
   * @throws Error where one fails.
   */
  async command(database: string, ...statements: string[]): Promise<void> {
    const script = `${statements.join(";\n")};\n`;
    const result = await this.psql(database, SUPERUSER, script, 600, ["-v", "ON_ERROR_STOP=1"]);
    if (result.exitCode !== 0) throw new Error(result.problem.replaceAll(/psql:\S+ /g, ""));
  }

  /** Runs what another machine wrote, as the loader. */
  async load(database: string, script: Readable, timeoutSeconds: number): Promise<ProgramResult> {
    return await this.psql(database, LOADER, script, timeoutSeconds);
  }

  private async psql(
    database: string,
    user: string,
    input: Readable | string,
    timeoutSeconds: number,
    options: readonly string[] = [],
  ): Promise<ProgramResult> {
    return await runProgram({
      command: [
        this.#programs.psql,
        ...["--no-psqlrc", "--quiet", "--no-password", "--output", "/dev/null", ...options],
        ...["--host", this.#folder, "--username", user, "--dbname", database, "--file", "-"],
      ],
      cwd: this.#folder,
      env: { HOME: this.#folder, PGCONNECT_TIMEOUT: "10", LC_ALL: "C" },
      input,
      timeoutSeconds,
      account: this.#account,
    });
  }

  /** Stops the server; what it wrote stays. */
  async stop(): Promise<void> {
    this.#server.stdin?.destroy();
    if (this.#server.exitCode === null && this.#server.signalCode === null) {
      await once(this.#server, "exit");
    }
  }
}

function serve(
  program: string,
  folder: string,
  data: string,
  account: Account | undefined,
): ChildProcess {
  const settings = {
    listen_addresses: "",
    unix_socket_directories: folder,
    unix_socket_permissions: "0700",
    // Nothing of it is to last.
    fsync: "off",
    full_page_writes: "off",
    synchronous_commit: "off",
    wal_level: "minimal",
    max_wal_senders: "0",
    autovacuum: "off",
    max_connections: "10",
    shared_buffers: "64MB",
    maintenance_work_mem: "64MB",
    logging_collector: "off",
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn("sh", ["-c", GUARD, "sh", program, "-D", data, ...options], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, LC_ALL: "C" },
    stdio: ["pipe", "ignore", "ignore"],
    // A signal from the terminal is for the agent; it ends the server by the input's end.
    detached: true,
    ...(account !== undefined && { uid: account.uid, gid: account.gid }),
  });
  child.stdin.on("error", () => undefined);
  child.on("error", () => undefined);
  // Before its folder is removed.
  const stop = (): void => void child.stdin.destroy();
  process.prependListener("exit", stop);
  child.on("exit", () => process.off("exit", stop));
  return child;
}
