/** Programs that a drill runs on what it restored. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Account } from "../restic.ts";

const KEPT_BYTES = 32 * 1024;

/** Stands for what was left out of a program's output. */
export const LEFT_OUT = "\n[…]\n";

const TAIL_LINES = 3;

/** One run of a program. */
export interface ProgramRun {
  readonly command: readonly [string, ...string[]];
  readonly cwd: string;
  /** Beside this process's own variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** What its standard input gets; nothing where it is left out. */
  readonly input?: Readable | string;
  readonly timeoutSeconds: number;
  readonly account?: Account | undefined;
}

/** What a run of a program came to. */
export interface ProgramResult {
  /** null where a signal ended it, or it could not be started. */
  readonly exitCode: number | null;
  /** Its output; of a long one the first and the last 32 KiB with {@link LEFT_OUT} in between. */
  readonly stdout: string;
  readonly stderr: string;
  /** Why it did not end well, on one line with the last of its output. */
  readonly problem: string;
  /** There is no such program. */
  readonly missing: boolean;
}

/**
 * Runs a program in a process group of its own, which is killed as a whole when the time is over or
 * this process ends. Variables that hold credentials or steer restic, rclone or PostgreSQL are not
 * passed on.
 */
export async function runProgram(run: ProgramRun): Promise<ProgramResult> {
  const [program, ...args] = run.command;
  const child = spawn(program, args, {
    cwd: run.cwd,
    env: { ...harmless(), ...run.env },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
    ...(run.account !== undefined && { uid: run.account.uid, gid: run.account.gid }),
  });
  const stop = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  };
  process.prependListener("exit", stop);
  const time = { over: false };
  const timer = setTimeout(() => {
    time.over = true;
    stop();
  }, run.timeoutSeconds * 1000);
  const stdout = endsOf(child.stdout);
  const stderr = endsOf(child.stderr);
  const feeding = feed(run.input, child.stdin);
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    await feeding;
    const ended = signal === null ? `exit code ${code ?? "?"}` : `ended by ${signal}`;
    const why = time.over ? `not done after ${run.timeoutSeconds} s` : ended;
    const said = lastLines(stderr()) || lastLines(stdout());
    return {
      exitCode: time.over ? null : code,
      stdout: stdout(),
      stderr: stderr(),
      problem: said === "" ? why : `${why}: ${said}`,
      missing: false,
    };
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const problem = missing ? `cannot start "${program}": not found` : String(error);
    return { exitCode: null, stdout: "", stderr: "", problem, missing };
  } finally {
    clearTimeout(timer);
    // What it started and left behind.
    stop();
    process.off("exit", stop);
  }
}

function harmless(): NodeJS.ProcessEnv {
  const withheld = /^(RESTIC_|RCLONE_|OFFSITE_|PG|CREDENTIALS_DIRECTORY$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !withheld.test(name)));
}

async function feed(input: Readable | string | undefined, stdin: NodeJS.WritableStream) {
  try {
    if (input === undefined || typeof input === "string") {
      stdin.on("error", () => undefined);
      stdin.end(input ?? "");
    } else await pipeline(input, stdin);
  } catch {
    // A program that ends early closes its input; its exit code says why.
  }
}

function endsOf(stream: Readable): () => string {
  let head = "";
  let tail = "";
  let left = false;
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    const room = KEPT_BYTES - head.length;
    head += chunk.slice(0, room);
    const rest = tail + chunk.slice(room);
    left ||= rest.length > KEPT_BYTES;
    tail = rest.slice(-KEPT_BYTES);
  });
  return () => head + (left ? LEFT_OUT : "") + tail;
}

/** The last lines of a program's output, on one line. */
export function lastLines(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines
    .filter((line) => line !== "")
    .slice(-TAIL_LINES)
    .join("; ");
}
