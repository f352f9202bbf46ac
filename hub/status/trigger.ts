import { spawn } from "node:child_process";
import { setImmediate } from "node:timers/promises";
import { UsageError } from "../errors.ts";

/** What `offsite-hub trigger --json` writes, and the capability `backup-trigger` answers. */
export interface TriggerReport {
  readonly version: 1;
  readonly host: string;
  /** The host's backup was started; how it ends is seen in its status. */
  readonly triggered: true;
}

/** The caller of a capability gives up after 30 seconds. */
const TIMEOUT_MS = 20_000;
const KEPT = 4096;

/**
 * Runs the command that starts a host's backup. No shell is involved.
 *
 * @param triggers - by host: a program and its arguments.
 * @throws UsageError where there is none for the host.
 * @throws Error where it fails, or does not return in time: it is ended then.
 */
export async function trigger(
  host: string,
  triggers: Readonly<Record<string, readonly string[]>>,
  timeoutMs = TIMEOUT_MS,
): Promise<TriggerReport> {
  const [program, ...args] = Object.hasOwn(triggers, host) ? (triggers[host] ?? []) : [];
  if (program === undefined) {
    const others = Object.keys(triggers);
    throw new UsageError(
      `the settings have no trigger for "${host}" (they have: ${others.join(", ") || "none"}): ` +
        "add the command that starts its backup to triggers",
    );
  }
  await run(program, args, timeoutMs);
  return { version: 1, host, triggered: true };
}

// What the command starts may keep its output open; its own end is what counts.
async function run(program: string, args: readonly string[], timeoutMs: number): Promise<void> {
  const failed = (why: string) => new Error(`the trigger "${program}" failed: ${why}`);
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-KEPT);
  });
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
    // With all that it started: it has a process group of its own.
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  }, timeoutMs);
  try {
    const end = await new Promise<number | NodeJS.Signals>((resolve, reject) => {
      child.once("error", (error) => reject(failed(`cannot start it: ${error.message}`)));
      child.once("exit", (code, signal) => resolve(signal ?? code ?? 1));
    });
    if (end === 0) return;
    if (late.signal.aborted) {
      throw failed(
        `it did not return within ${timeoutMs / 1000} s and was ended; it must only start the backup, ` +
          "as systemctl start --no-block does",
      );
    }
    // What it said last may be on its way still.
    await setImmediate();
    const how = typeof end === "number" ? `exit code ${end}` : end;
    throw failed(`it ended with ${how}${lastLine(said)}`);
  } finally {
    clearTimeout(timer);
    child.stderr.destroy();
  }
}

function lastLine(text: string): string {
  const line = text.trim().split("\n").at(-1)?.trim() ?? "";
  return line === "" ? "" : `: ${line}`;
}
