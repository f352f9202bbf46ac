import { lstatSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { execa, type Options } from "execa";
import { z } from "zod";
import { messageOf, UsageError } from "./errors.ts";

const COMPLAINTS_KEPT = 5;

/** The account that a process runs under. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** One run of restic. */
export interface ResticRun {
  /** The program, by name or path. */
  readonly program: string;
  /** What `--repo` gets. */
  readonly repository: string;
  /** The repository's password. It reaches restic on its standard input. */
  readonly password: string;
  readonly args: readonly string[];
  /** Beside this process's own variables, of which restic's own are left out. */
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Run as this account, with no other groups and little of this process's environment; this
   * process's own where it is left out.
   */
  readonly account?: Account | undefined;
  readonly cwd?: string;
  /** Called with each line of standard output, which is not kept then. */
  readonly onLine?: (line: string) => void;
  /** Ends the run. */
  readonly signal?: AbortSignal;
}

/** What a run of restic came to. */
export interface ResticResult {
  /** restic's: 0 ok, 1 failed, 3 incomplete, 10 no repository, 11 locked, 12 wrong password. */
  readonly exitCode: number;
  readonly stdout: string;
  /** The last of what restic complained of, on one line. */
  readonly problem: string;
  /** The first few of its complaints, each on one line with the file that it concerns. */
  readonly complaints: readonly string[];
}

/** What another account's restic gets of this process's variables. */
const FOR_ANYBODY = ["PATH", "TZ", "TZDIR", "LANG", "LC_ALL", "GOMAXPROCS", "GOMEMLIMIT"];

/**
 * Runs restic to its end. Whatever RESTIC_* this process was given is not passed on.
 *
 * @throws UsageError where the program cannot be started.
 */
export async function runRestic(run: ResticRun): Promise<ResticResult> {
  const { account } = run;
  const passesOn = (name: string): boolean =>
    account === undefined ? !name.startsWith("RESTIC_") : FOR_ANYBODY.includes(name);
  const inherited = Object.entries(process.env).filter(([name]) => passesOn(name));
  // This process's folder may be one that the account cannot enter.
  const cwd = run.cwd ?? (account === undefined ? undefined : "/");
  const options = {
    env: { ...Object.fromEntries(inherited), ...run.env },
    extendEnv: false,
    input: `${run.password}\n`,
    reject: false,
    // Node leaves all other groups when it is to start a program as another user.
    ...(account !== undefined && { uid: account.uid, gid: account.gid }),
    ...(cwd !== undefined && { cwd }),
    ...(run.signal !== undefined && { cancelSignal: run.signal }),
    buffer: { stdout: run.onLine === undefined, stderr: true },
  } satisfies Options;
  const child = execa(run.program, ["--repo", run.repository, ...run.args], options);
  // Before whatever else is to be done at the end, so that restic no longer writes then.
  const stop = (): void => void child.kill();
  process.prependListener("exit", stop);
  let result;
  try {
    if (run.onLine !== undefined) {
      for await (const line of createInterface({ input: child.stdout, crlfDelay: Infinity })) {
        run.onLine(line);
      }
    }
    result = await child;
  } finally {
    process.off("exit", stop);
  }
  if (result.code === "ENOENT" && result.exitCode === undefined) {
    throw new UsageError(
      `cannot start "${run.program}": not found. Install restic or give --restic.`,
    );
  }
  if (result.code === "EACCES" && result.exitCode === undefined) {
    const who = account === undefined ? "this user" : `user ${account.uid}`;
    throw new UsageError(
      `cannot start "${run.program}": ${who} may not. Let ${who} read and run it, or give --restic.`,
    );
  }
  const complaints = complaintsOf(result.stderr);
  const ended = result.signal === undefined ? result.shortMessage : `ended by ${result.signal}`;
  return {
    exitCode: result.exitCode ?? 1,
    stdout: run.onLine === undefined ? result.stdout : "",
    problem: complaints.at(-1) ?? ended ?? "",
    complaints: [...new Set(complaints)].slice(0, COMPLAINTS_KEPT),
  };
}

/** The messages of restic's standard error, which is JSON with `--json`. */
function complaintsOf(stderr: string): string[] {
  const lines = stderr.split("\n").map((line) => line.trim());
  // Where the program crashed, the rest is its stack.
  const crash = lines.find((line) => line.startsWith("panic:"));
  if (crash !== undefined) return [crash];
  return withoutStack(lines)
    .filter((line) => line !== "" && !line.startsWith("reading repository password"))
    .map((line) =>
      withoutStack(
        messageIn(line)
          .trim()
          .split(/\s*\n\s*/),
      ).join(" "),
    );
}

/** Drops the stack that restic adds to some errors: a line with a function, one with a place. */
function withoutStack(lines: readonly string[]): string[] {
  const isPlace = (line: string | undefined): boolean => /^\S+\.(go|s):\d+$/.test(line ?? "");
  return lines.filter((line, at) => !isPlace(line) && !isPlace(lines[at + 1]));
}

const complaintSchema = z.union([
  z
    .object({ item: z.string(), error: z.object({ message: z.string() }) })
    .transform(({ item, error }) => (item === "" ? "" : `${item}: `) + error.message),
  z.object({ message: z.string() }).transform(({ message }) => message),
]);

function messageIn(line: string): string {
  try {
    return complaintSchema.parse(JSON.parse(line));
  } catch {
    return line;
  }
}

/**
 * Who must work on a repository: its owner, so that everything in it goes on to belong to whom the
 * server runs as. Where this process is root, restic is to be run as the owner; root itself is
 * never taken for an owner.
 *
 * @returns undefined where this process is the owner.
 * @throws UsageError where the owner is root, or somebody whom this process cannot become.
 */
export function ownerOf(directory: string): Account | undefined {
  let stat;
  try {
    stat = lstatSync(directory);
  } catch (error) {
    throw new UsageError(`cannot look at "${directory}": ${messageOf(error)}`);
  }
  const self = process.getuid?.() ?? 0;
  if (stat.uid === 0) {
    throw new UsageError(
      `"${directory}" belongs to root. A repository must belong to whom the hub's rest-server runs as: ` +
        `chown it, and everything in it`,
    );
  }
  if (stat.uid === self) return undefined;
  if (self === 0) return { uid: stat.uid, gid: stat.gid };
  throw new UsageError(
    `"${directory}" belongs to user ${stat.uid}, and this is user ${self}. Run it as the owner, or as root`,
  );
}

/**
 * Reads a file that holds a password on its first line.
 *
 * @throws UsageError where it cannot be read or is empty.
 */
export function readPassword(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read the password file "${path}": ${messageOf(error)}`);
  }
  const [password = ""] = text.split(/\r?\n/, 1);
  if (password === "") throw new UsageError(`the password file "${path}" has an empty first line`);
  return password;
}
