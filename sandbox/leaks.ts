/** Looks for secrets where none may be: in what was printed, and in the processes' arguments. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseEnv } from "./hosts.ts";

/** Collects the command lines of every process that is seen while it watches. */
export class ProcessWatch {
  readonly #seen = new Set<string>();
  #watching = true;
  readonly #done: Promise<void>;

  constructor() {
    this.#done = this.#watch();
  }

  /** Ends the watch and gives all command lines, each once, arguments separated by spaces. */
  async end(): Promise<string[]> {
    this.#watching = false;
    await this.#done;
    return [...this.#seen];
  }

  async #watch(): Promise<void> {
    while (this.#watching) {
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        try {
          const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
          if (line !== "") this.#seen.add(line.replaceAll("\0", " "));
        } catch {
          // It has ended in the meantime.
        }
      }
      await sleep(50);
    }
  }
}

const SECRET_VARIABLE = /PASSWORD|_KEY$/;

/** The secrets of a host's env file. */
export function secretsOfEnv(content: string): string[] {
  return Object.entries(parseEnv(content))
    .filter(([name, value]) => SECRET_VARIABLE.test(name) && value !== "")
    .map(([, value]) => value);
}

/** The secrets of the hub's files: every value of rclone.conf's keys, every password. */
export function secretsOfHub(rcloneConf: string, hubCredentials: string): string[] {
  const keys = [...rcloneConf.matchAll(/^key = (.+)$/gm)].map((match) => match[1] ?? "");
  const passwords = [
    ...hubCredentials.matchAll(/"(?:current|next|previous)": "([A-Za-z0-9_-]{43})"/g),
  ].map((match) => match[1] ?? "");
  return [...keys, ...passwords];
}

/**
 * Names the places that hold a secret.
 *
 * @param secrets - at least one; an empty list would find nothing whatever the places hold.
 * @returns the names of the places, not the secrets.
 */
export function findLeaks(
  secrets: readonly string[],
  places: Readonly<Record<string, string>>,
): string[] {
  if (secrets.length === 0) throw new RangeError("There are no secrets to look for");
  return Object.entries(places)
    .filter(([, text]) => secrets.some((secret) => text.includes(secret)))
    .map(([place]) => place);
}
