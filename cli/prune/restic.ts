/** restic on one host's repository, through one of the peer's servers. */
import { join } from "node:path";
import { reasonOf } from "../../hub/restic-repository.ts";
import { runRestic, type ResticResult } from "../../hub/restic.ts";
import { interruption } from "../interruption.ts";
import type { Door } from "./door.ts";

/** Runs restic. */
export type Run = (args: readonly string[]) => Promise<ResticResult>;

/** What restic is run with. */
export interface ResticOptions {
  /** restic's program. */
  readonly restic: string;
  /** By host: the repository's password. Secret. */
  readonly repositoryPasswords: ReadonlyMap<string, string>;
}

/** Through the open door. */
export function resticThrough(
  door: Door,
  host: string,
  options: ResticOptions,
  cache: string,
): Run {
  return resticAt(
    `http://127.0.0.1:${door.port}/`,
    host,
    door.password,
    options,
    cache,
    door.signal,
  );
}

/** Through a rest-server. */
export function resticAt(
  url: string,
  host: string,
  password: string,
  options: ResticOptions,
  cache: string,
  signal: AbortSignal = interruption,
): Run {
  return async (args) => {
    const result = await runRestic({
      program: options.restic,
      repository: `rest:${url}${host}/`,
      password: options.repositoryPasswords.get(host) ?? "",
      args: ["--cache-dir", join(cache, host), ...args],
      env: { RESTIC_REST_USERNAME: host, RESTIC_REST_PASSWORD: password },
      signal,
    });
    signal.throwIfAborted();
    return result;
  };
}

/** @throws Error where restic does not end well, with the way out. */
export async function must(run: Run, args: readonly string[]): Promise<ResticResult> {
  const result = await run(args);
  if (result.exitCode === 0) return result;
  throw new Error(`restic ${args[0] ?? ""}: ${reasonOf(result)}`);
}

/** What restic's prune says that it removes, and what remains. */
export function outline(stdout: string): string {
  const lines = [...stdout.matchAll(/^(total prune|remaining):\s+(.+)$/gm)];
  return lines.map(([, what = "", amount = ""]) => `${what} ${amount.trim()}`).join(", ");
}

/** Whether an {@link outline} says that nothing is to be removed. */
export function isEmpty(prune: string): boolean {
  return prune === "" || prune.startsWith("total prune 0 blobs");
}
