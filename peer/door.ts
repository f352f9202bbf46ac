/** What is sent to the peer's shell for a prune, and what comes back. */
import { readFileSync } from "node:fs";
import { SERVER_UID } from "./compose.ts";
import { quote } from "./script.ts";
import type { SshConnection } from "./ssh.ts";

/** Seconds without a sign of life after which the door closes by itself. */
export const PATIENCE_SECONDS = 30;

/** The server beside which the door is opened. */
export interface DoorPlace {
  readonly connection: SshConnection;
  /** The compose project's name of the server. */
  readonly project: string;
  readonly dataDir: string;
}

/** What the peer's shell is to do. */
export type DoorTask =
  /** To look at the server, and to list when these hosts' snapshots arrived. */
  | { readonly mode: "look"; readonly hosts: readonly string[] }
  /**
   * To open the door, and to close it when standard input ends, after `limit` seconds, or after
   * `patience` seconds without a line, {@link PATIENCE_SECONDS} when left out.
   */
  | { readonly mode: "open"; readonly limit: number; readonly patience?: number }
  /** To see to it that the door is closed; `port` is where it was, where that is known. */
  | { readonly mode: "check"; readonly port?: number | undefined };

const script = readFileSync(new URL("door.sh", import.meta.url), "utf8");

/**
 * The command that runs what arrives as the first line of standard input, and leaves the rest of
 * standard input to it: a shell that reads its script from there may read ahead.
 */
export function doorCommand({ user = "root" }: SshConnection): string {
  const run = `sh -c 'IFS= read -r script && eval "$(printf %s "$script" | base64 -d)"'`;
  return user === "root" ? run : `sudo -n ${run}`;
}

/** The first line of standard input of {@link doorCommand}. There is no secret in it. */
export function doorScript(place: DoorPlace, task: DoorTask): string {
  const variables = {
    mode: task.mode,
    project: place.project,
    data_dir: place.dataDir,
    uid: String(SERVER_UID),
    hosts: task.mode === "look" ? task.hosts.join(" ") : "",
    limit: task.mode === "open" ? String(Math.max(1, Math.round(task.limit))) : "0",
    patience: String((task.mode === "open" ? task.patience : undefined) ?? PATIENCE_SECONDS),
    port: task.mode === "check" ? String(task.port ?? 0) : "0",
  };
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${quote(value)}\n`);
  return `${Buffer.from(`${assignments.join("")}${script}`, "utf8").toString("base64")}\n`;
}

/** What a look at the peer found. Times in milliseconds since 1970, by the peer's clock. */
export interface Look {
  /** Whether another prune holds the door. */
  readonly busy: boolean;
  /** Doors that a prune had left behind, and that are gone now. */
  readonly swept: number;
  readonly now: number;
  /** By host and name: when the files of the snapshots arrived. */
  readonly snapshots: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** By host: when restic's locks were written. */
  readonly locks: ReadonlyMap<string, readonly number[]>;
}

/**
 * Reads what a look printed.
 *
 * @returns undefined where it is cut short.
 */
export function parseLook(stdout: string): Look | undefined {
  const lines = stdout.split("\n");
  if (!lines.includes("looked")) return undefined;
  const snapshots = new Map<string, Map<string, number>>();
  const locks = new Map<string, number[]>();
  for (const line of lines) {
    const match = /^(snapshots|locks) (\S+) (\d+) \/.*\/([0-9a-f]{64})$/.exec(line);
    const [, kind, host = "", seconds, name = ""] = match ?? [];
    const time = Number(seconds) * 1000;
    if (kind === "snapshots") {
      const own = snapshots.get(host) ?? new Map<string, number>();
      snapshots.set(host, own.set(name, time));
    } else if (kind === "locks") {
      locks.set(host, [...(locks.get(host) ?? []), time]);
    }
  }
  return {
    busy: lines.includes("busy"),
    swept: lines.filter((line) => line.startsWith("swept ")).length,
    now: Number(/^now (\d+)$/m.exec(stdout)?.[1] ?? 0) * 1000,
    snapshots,
    locks,
  };
}
