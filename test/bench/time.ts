/** Times whole processes, by the operating system's own account of them. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { ensurePrograms } from "../../tools/index.ts";

/** A command to be timed. Standard output and error are read and thrown away while it succeeds. */
export interface TimedCommand {
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What one run took. */
export interface Timed {
  /** From start to end. */
  readonly seconds: number;
  /** User and system time of the process and of all that it started and waited for. */
  readonly cpuSeconds: number;
  /** The largest resident size of the largest single process among them, in 10^6 bytes. */
  readonly megabytes: number;
}

/**
 * Runs a command under GNU time.
 *
 * @throws where it ends with another exit code than 0; the text ends with its last lines.
 */
export async function time(
  { command, cwd, env }: TimedCommand,
  signal: AbortSignal,
): Promise<Timed> {
  const program = (await ensurePrograms(["time"])).get("time");
  if (program === undefined) throw new Error("GNU time was not made ready");
  const folder = await mkdtemp(path.join(os.tmpdir(), "fort-offsite-bench-"));
  try {
    const account = path.join(folder, "account");
    const started = performance.now();
    signal.throwIfAborted();
    // A group of its own: GNU time would leave behind what it runs.
    const running = execa(program.path, ["--format=%U %S %M", `--output=${account}`, ...command], {
      ...(cwd === undefined ? {} : { cwd }),
      ...{ env: env ?? {}, all: true, reject: false, stdin: "ignore", maxBuffer: 1e8 },
      detached: true,
    });
    const end = () => {
      if (running.pid !== undefined && running.exitCode === null) {
        process.kill(-running.pid, "SIGTERM");
      }
    };
    signal.addEventListener("abort", end);
    const result = await running.finally(() => signal.removeEventListener("abort", end));
    const seconds = (performance.now() - started) / 1000;
    signal.throwIfAborted();
    if (result.failed) {
      const words = result.all.trimEnd().split("\n").slice(-30).join("\n");
      throw new Error(`${command.join(" ")} ended with ${String(result.exitCode)}:\n${words}`);
    }
    // Above its own line GNU time writes one where the command was ended by a signal.
    const last = (await readFile(account, "utf8")).trimEnd().split("\n").at(-1) ?? "";
    const [user = NaN, system = NaN, kibibytes = NaN] = last.split(" ").map(Number);
    return { seconds, cpuSeconds: user + system, megabytes: (kibibytes * 1024) / 1e6 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
