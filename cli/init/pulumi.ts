/** Pulumi's own program, asked before a stack is there. */
import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { UsageError } from "../../hub/errors.ts";
import { interruption } from "../interruption.ts";
import { PULUMI_MISSING } from "../stack.ts";

/** How a command of Pulumi ended. */
export interface PulumiResult {
  /** Undefined where the program is not on PATH. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where, and with what besides the environment. */
export interface PulumiOptions {
  /** A folder with Pulumi.yaml in it. */
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Comes on standard input. Secrets go this way. */
  readonly input?: string;
  /** Milliseconds. A look that takes longer is given up. */
  readonly timeout?: number;
}

/**
 * Runs Pulumi without a terminal and gives what it printed, whatever its end.
 *
 * @throws Interrupted when the operator ended it.
 */
export async function runPulumi(
  args: readonly string[],
  { cwd, env = {}, input, timeout }: PulumiOptions,
): Promise<PulumiResult> {
  const result = await execa("pulumi", [...args, "--non-interactive", "--color", "never"], {
    cwd,
    env: { PULUMI_SKIP_UPDATE_CHECK: "true", ...env },
    ...(input === undefined ? { stdin: "ignore" as const } : { input }),
    ...(timeout !== undefined && { timeout }),
    cancelSignal: interruption,
    killSignal: "SIGINT",
    forceKillAfterDelay: 30_000,
    reject: false,
  });
  interruption.throwIfAborted();
  if (result.code === "ENOENT") return { exitCode: undefined, stdout: "", stderr: "" };
  const late = result.timedOut ? `\ngave no answer within ${(timeout ?? 0) / 1000} s` : "";
  return {
    exitCode: result.exitCode ?? 1,
    stdout: result.stdout,
    stderr: `${result.stderr}${late}`,
  };
}

/** How long Pulumi's backend may take to answer, in milliseconds. */
export const BACKEND_PATIENCE = 30_000;

const whoamiSchema = z.object({ url: z.string().optional(), user: z.string().optional() });

/**
 * The backend that Pulumi is logged in to, as `PULUMI_BACKEND_URL` or `pulumi login` says.
 *
 * @returns its URL, or `error` with Pulumi's words where there is none.
 * @throws UsageError where the program pulumi is missing.
 */
export async function currentBackend(
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly url: string } | { readonly error: string }> {
  const args = ["whoami", "--json"];
  const result = await runPulumi(args, { cwd, env, timeout: BACKEND_PATIENCE });
  if (result.exitCode === undefined) {
    throw new UsageError(PULUMI_MISSING);
  }
  if (result.exitCode !== 0) return { error: lastLine(result.stderr) };
  return { url: whoamiSchema.parse(JSON.parse(result.stdout)).url ?? "" };
}

const stacksSchema = z.array(z.object({ name: z.string(), resourceCount: z.number().optional() }));

/** A stack as its backend knows it. */
export interface KnownStack {
  readonly name: string;
  /** What it has made; undefined where no update ever ran. */
  readonly resourceCount?: number | undefined;
}

/** The stacks of the project in the backend; undefined where it does not answer. */
export async function knownStacks(
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<readonly KnownStack[] | undefined> {
  const args = ["stack", "ls", "--json"];
  const result = await runPulumi(args, { cwd, env, timeout: BACKEND_PATIENCE });
  if (result.exitCode !== 0) return undefined;
  return stacksSchema.parse(JSON.parse(result.stdout));
}

/** Whether a backend is a folder or a bucket, where a passphrase encrypts the secrets. */
export function usesPassphrase(backend: string): boolean {
  return !/^https?:/.test(backend);
}

/** The folder of a `file://` backend; undefined for any other. */
export function folderOf(backend: string): string | undefined {
  if (!backend.startsWith("file://")) return undefined;
  const folder = backend.slice("file://".length);
  return folder === "~" || folder.startsWith("~/") ? join(homedir(), folder.slice(1)) : folder;
}

/** Makes the folder of a `file://` backend where it is missing, for its owner alone. */
export function makeBackendFolder(backend: string): void {
  const folder = folderOf(backend);
  if (folder !== undefined) mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** The last line that says something, without Pulumi's `error: `. */
export function lastLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return (lines.findLast((line) => line !== "") ?? "no reason given").replace(/^error: /, "");
}
