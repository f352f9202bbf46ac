/**
 * Tries at an SFTP directory what must be refused once the peer has sealed a file: to remove and to
 * overwrite it. All of it on a canary of its own, `offsite-canary/` beside the hosts' repositories,
 * and on nothing else. What a try did is judged by what is there afterwards.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CANARY } from "../../config/canary.ts";
import type { HubCredentials } from "../../config/manifest.ts";
import { messageOf } from "../errors.ts";
import type { CanaryReport } from "./probe.ts";
import { runRclone, type RcloneOptions, type RcloneResult } from "./rclone-process.ts";
import { RCLONE_SERVICES } from "./rclone-services.ts";

/** What is needed to try. */
export interface SftpCanaryOptions extends RcloneOptions {
  readonly remotes: Extract<HubCredentials["targets"][string], { type: "sftp" }>["remotes"];
  /** Where the hosts' repositories are below a remote. */
  readonly path: string;
}

const CONTENT = "A canary of offsite-hub verify. It can be removed; it is made again.\n";
const OTHER_CONTENT = "Whoever reads this has overwritten the canary; it is as long as that.\n";
const NAME = createHash("sha256").update(CONTENT).digest("hex");
const FILE = `data/${NAME.slice(0, 2)}/${NAME}`;

/** By then every file is sealed: three runs of the sealing. */
const SEALED_AFTER_MINUTES = 15;

const ONCE = ["--retries", "1", "--low-level-retries", "1"];

/** Tries all of it. It never throws. */
export async function trySftp(options: SftpCanaryOptions): Promise<CanaryReport> {
  const report: CanaryReport = { errors: [], notices: [] };
  const folder = mkdtempSync(join(tmpdir(), "offsite-canary-"));
  try {
    const attempt = new Attempt(options, folder, report);
    await attempt.run();
  } catch (error) {
    report.errors.push(`could not try whether removal is refused: ${messageOf(error)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return report;
}

class Attempt {
  readonly #options: SftpCanaryOptions;
  readonly #folder: string;
  readonly #report: CanaryReport;
  #remote = "";

  constructor(options: SftpCanaryOptions, folder: string, report: CanaryReport) {
    this.#options = options;
    this.#folder = folder;
    this.#report = report;
  }

  async run(): Promise<void> {
    const made = await this.#find();
    if (made === undefined) {
      await this.#make();
      this.#report.notices.push("the canary was made just now; it is tried once it is sealed");
      return;
    }
    const minutes = (Date.now() - made.getTime()) / 60_000;
    if (minutes < SEALED_AFTER_MINUTES) {
      this.#report.notices.push("the canary is new; it is tried once it is sealed");
      return;
    }
    await this.#tryAll();
  }

  async #tryAll(): Promise<void> {
    const other = this.#file("other", OTHER_CONTENT);
    const tries = [
      ["be overwritten", ["copyto", "--ignore-times", "--ignore-checksum", other, this.#place]],
      ["be written to", ["copyto", "--inplace", "--ignore-times", other, this.#place]],
      ["be removed", ["deletefile", this.#place]],
    ] as const;
    for (const [what, args] of tries) {
      await this.#rclone([...args, ...ONCE]);
      if ((await this.#read()) === CONTENT) continue;
      this.#report.errors.push(
        `the canary could ${what} with the hub's key, long after it arrived: nothing seals there. Whoever has the key can destroy the copies. Look at the peer: offsite verify`,
      );
      await this.#make();
      return;
    }
  }

  get #place(): string {
    return `${this.#remote}:${this.#options.path}/${CANARY}/${FILE}`;
  }

  /** When the canary was made; undefined where there is none. Finds the remote that is let in. */
  async #find(): Promise<Date | undefined> {
    const { current, next, previous } = this.#options.remotes;
    const refusals: string[] = [];
    for (const remote of [current, next, previous]) {
      if (remote === undefined) continue;
      this.#remote = remote;
      const lines: string[] = [];
      const place = `${remote}:${this.#options.path}/${CANARY}/data/${NAME.slice(0, 2)}`;
      const result = await this.#rclone(
        ["lsf", "--format", "tp", "--separator", ";", "--time-format", "RFC3339", ...ONCE, place],
        (line) => lines.push(line),
      );
      if (result.exitCode === 0) {
        const [time] = lines.find((line) => line.endsWith(`;${NAME}`))?.split(";") ?? [];
        return time === undefined ? undefined : new Date(time);
      }
      const last = result.errors.at(-1) ?? `rclone ended with exit code ${result.exitCode}`;
      if (!RCLONE_SERVICES.sftp.refused.test(last)) throw new Error(last);
      refusals.push(`${remote}: ${last}`);
    }
    throw new Error(`none of the hub's keys is let in: ${refusals.join("; ")}`);
  }

  async #make(): Promise<void> {
    const file = this.#file("canary", CONTENT);
    const result = await this.#rclone(["copyto", "--ignore-times", ...ONCE, file, this.#place]);
    if (result.exitCode === 0) return;
    throw new Error(`the canary cannot be made: ${result.errors.at(-1) ?? "rclone failed"}`);
  }

  async #read(): Promise<string> {
    const lines: string[] = [];
    await this.#rclone(["cat", ...ONCE, this.#place], (line) => lines.push(`${line}\n`));
    return lines.join("");
  }

  #file(name: string, content: string): string {
    const path = join(this.#folder, name);
    writeFileSync(path, content);
    return path;
  }

  async #rclone(
    args: readonly string[],
    onLine: (line: string) => void = () => undefined,
  ): Promise<RcloneResult> {
    return await runRclone(this.#options, args, { onLine });
  }
}
