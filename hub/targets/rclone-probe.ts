import { pathOf, type RepositoryFile } from "../repository/layout.ts";
import type { CanaryReport, Probe, ReadBack } from "./probe.ts";
import { runRclone, type RcloneOptions, type RcloneResult } from "./rclone-process.ts";
import { Oddities, StopError, type Inventory } from "./target.ts";

/** Files of one run of rclone, which holds their names. */
const BATCH_FILES = 5000;

/** How verify reaches a target behind rclone. */
export interface RcloneProbeOptions extends RcloneOptions {
  /** Where the hosts' repositories are below a remote. */
  readonly path: string;
  /** The remotes to read with, the one that can do nothing else first. */
  readonly remotes: readonly string[];
  /** What rclone says where a credential is refused. */
  readonly refused: RegExp;
  /** Tries what must be refused. It never throws. */
  readonly tryTarget: () => Promise<CanaryReport>;
}

/** A target behind rclone, which reads files and hashes them as they come. */
export class RcloneProbe implements Probe {
  readonly #options: RcloneProbeOptions;

  constructor(options: RcloneProbeOptions) {
    this.#options = options;
  }

  async readBack(
    files: Iterable<RepositoryFile>,
    done: (file: RepositoryFile, result: ReadBack) => void,
  ): Promise<void> {
    let batch = new Map<string, RepositoryFile>();
    for (const file of files) {
      batch.set(`${file.host}/${pathOf(file.kind, file.name)}`, file);
      if (batch.size < BATCH_FILES) continue;
      await this.#readBatch(batch, done);
      batch = new Map();
    }
    if (batch.size > 0) await this.#readBatch(batch, done);
  }

  oddities(_host: string, inventory: Inventory): Promise<Oddities> {
    return Promise.resolve(inventory.oddities ?? new Oddities());
  }

  tryHost(): Promise<CanaryReport> {
    return Promise.resolve({ errors: [], notices: [] });
  }

  async tryTarget(): Promise<CanaryReport> {
    return await this.#options.tryTarget();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Whether the service refused the key, and not some files. */
  #isRefused({ exitCode, errors }: RcloneResult, left: ReadonlyMap<string, unknown>): boolean {
    const { refused } = this.#options;
    const isOne = (error: string) =>
      refused.test(error) || error.includes("didn't find section in config file");
    return exitCode !== 0 && left.size > 0 && errors.some(isOne);
  }

  async #readBatch(
    batch: Map<string, RepositoryFile>,
    done: (file: RepositoryFile, result: ReadBack) => void,
  ): Promise<void> {
    const refusals: string[] = [];
    for (const remote of this.#options.remotes) {
      const reasons = new Map<string, string>();
      const result = await this.#hash(remote, batch, reasons, done);
      if (this.#isRefused(result, batch)) {
        refusals.push(`${remote}: ${explain(result)}`);
        continue;
      }
      for (const [path, file] of batch) {
        const reason = reasons.get(path) ?? result.errors.at(-1) ?? "it is listed and not found";
        done(file, { result: "unreadable", reason });
      }
      return;
    }
    throw new StopError("target", `accepts none of its credentials: ${refusals.join("; ")}`);
  }

  /** Takes what was read out of the batch. */
  async #hash(
    remote: string,
    batch: Map<string, RepositoryFile>,
    reasons: Map<string, string>,
    done: (file: RepositoryFile, result: ReadBack) => void,
  ): Promise<RcloneResult> {
    const lists = ["--files-from-raw", "-", "--checkers", "4"];
    const tries = ["--retries", "1", "--low-level-retries", "3"];
    return await runRclone(
      this.#options,
      ["hashsum", "SHA256", "--download", ...lists, ...tries, `${remote}:${this.#options.path}`],
      {
        input: [...batch.keys()],
        onLine: (line) => {
          const [, sha256, path = ""] = /^([0-9a-f]{64}) {2}(.*)$/.exec(line) ?? [];
          const file = batch.get(path);
          if (sha256 === undefined || file === undefined) return;
          batch.delete(path);
          done(file, { result: "read", bytes: file.size, sha256 });
        },
        onLog: ({ level, object, msg }) => {
          if (level === "error" && object !== undefined) reasons.set(object, msg.trim());
        },
      },
    );
  }
}

function explain(result: RcloneResult): string {
  return result.errors.at(-1) ?? `rclone ended with exit code ${result.exitCode}`;
}
