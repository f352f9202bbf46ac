import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { writeOwner } from "../lock.ts";

/** What one run of rclone came to. */
export interface RcloneResult {
  readonly exitCode: number;
  /** The last error messages, without times and duplicates. */
  readonly errors: readonly string[];
}

/** One line of rclone's JSON log, as far as it is used. */
export interface RcloneLogLine {
  readonly level: string;
  readonly msg: string;
  /** The file that the line is about, relative to the target's path. */
  readonly object?: string;
  readonly stats?: { readonly bytes: number };
}

/** How rclone is called. */
export interface RcloneOptions {
  /** The program, by name or path. */
  readonly program: string;
  /** The rclone.conf that has the remotes. Secrets are in it alone, never in arguments. */
  readonly config: string;
  /** Where processes that are given input are written down while they run; see `locks.ts`. */
  readonly children?: string | undefined;
}

const ERRORS_KEPT = 5;

const GRACE_MS = 3000;

/**
 * Runs rclone to its end.
 *
 * @param input - lines for its standard input; written as fast as rclone reads.
 * @param onLine - called with every line of standard output.
 * @param onLog - called with every line of the log.
 * @param signal - ends it.
 * @throws Error where the program cannot be started.
 */
export async function runRclone(
  options: RcloneOptions,
  args: readonly string[],
  handlers: {
    readonly input?: Iterable<string>;
    readonly onLine?: (line: string) => void;
    readonly onLog?: (line: RcloneLogLine) => void;
    /** Ends it, within seconds. */
    readonly signal?: AbortSignal;
  },
): Promise<RcloneResult> {
  const child = spawn(options.program, [...args, "--use-json-log"], {
    env: { ...process.env, RCLONE_CONFIG: options.config },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const errors: string[] = [];
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const stop = (): void => void child.kill();
  process.on("exit", stop);
  let kill: NodeJS.Timeout | undefined;
  const abort = (): void => {
    stop();
    // It may want to tidy up at a place that no longer lets it in.
    kill = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
  };
  handlers.signal?.addEventListener("abort", abort, { once: true });
  let release: (() => void) | undefined;
  // A program that ends early closes its input; its exit code says why.
  child.stdin.on("error", () => undefined);
  try {
    // Before it is told what to do: without its input, it does nothing.
    if (handlers.input !== undefined) release = writeDown(options.children, child.pid);
    const [[code, signal]] = await Promise.all([
      closed,
      eachLine(child.stdout, (line) => handlers.onLine?.(line)),
      eachLine(child.stderr, (text) => {
        const line = parseLog(text);
        if (isFailure(line, errors)) keep(errors, line);
        handlers.onLog?.(line);
      }),
      feed(child.stdin, handlers.input ?? []),
    ]);
    if (signal !== null) keep(errors, { level: "error", msg: `ended by ${signal}` });
    return { exitCode: code ?? 1, errors };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Error(
        `cannot start "${options.program}": not found. Install rclone or give --rclone.`,
        { cause: error },
      );
    }
    stop();
    throw error;
  } finally {
    process.off("exit", stop);
    handlers.signal?.removeEventListener("abort", abort);
    clearTimeout(kill);
    release?.();
  }
}

function writeDown(folder: string | undefined, pid: number | undefined): (() => void) | undefined {
  if (folder === undefined || pid === undefined) return undefined;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return writeOwner(folder, pid);
}

async function eachLine(stream: Readable, work: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream, crlfDelay: Infinity })) work(line);
}

async function feed(
  stdin: NodeJS.WritableStream & { destroyed?: boolean },
  lines: Iterable<string>,
): Promise<void> {
  let block = "";
  for (const line of lines) {
    block += `${line}\n`;
    if (block.length < 65_536) continue;
    if (!stdin.write(block)) await Promise.race([once(stdin, "drain"), once(stdin, "close")]);
    block = "";
  }
  stdin.end(block);
}

function parseLog(text: string): RcloneLogLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "msg" in value && "level" in value) {
      return value as RcloneLogLine;
    }
  } catch {
    // Not JSON: a line from before the log was set up, or a Go panic.
  }
  return { level: "error", msg: text };
}

/** What ended a run before its first file is only a notice, the last one. */
function isFailure({ level, msg }: RcloneLogLine, errors: readonly string[]): boolean {
  if (level === "error" || level === "critical") return true;
  return level === "notice" && errors.length === 0 && msg.startsWith("Failed to ");
}

function keep(errors: string[], line: RcloneLogLine): void {
  const text = (line.object === undefined ? "" : `${line.object}: `) + line.msg.trim();
  if (text === "" || errors.includes(text)) return;
  errors.push(text);
  if (errors.length > ERRORS_KEPT) errors.shift();
}
