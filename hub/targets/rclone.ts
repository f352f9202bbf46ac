import { lstatSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { messageOf } from "../errors.ts";
import { parsePath, pathOf, type RepositoryFile } from "../repository/layout.ts";
import { openIfPresent, RottenFileError, verifyFile } from "../repository/verified-read.ts";
import { KeyWatch } from "./key-watch.ts";
import type { RcloneService } from "./rclone-services.ts";
import { runRclone, type RcloneOptions, type RcloneResult } from "./rclone-process.ts";
import {
  emptyInventory,
  GENERATION_OFFSETS,
  StopError,
  type AcceptedCredential,
  type CredentialAge,
  type Inventory,
  type SendObserver,
  type SendResult,
  type Target,
} from "./target.ts";

// A run of rclone costs three billable calls before its first file, so that files go in batches;
// a batch is hashed while the one before it travels, and must not be so long that a prune at the
// hub often takes files between the two.
const BATCH_BYTES = 1024 ** 3;
const BATCH_FILES = 5000;

const TRIES = 3;
const PAUSE_MS = 2000;
const DIRECTORY_NOT_FOUND = 3;

/** What a run of rclone is given and told to. */
type Handlers = Parameters<typeof runRclone>[2];

/** How an rclone target is reached. */
export interface RcloneTargetOptions extends RcloneOptions {
  readonly name: string;
  readonly service: RcloneService;
  /** How many bytes all repositories may hold together, where there is a limit. */
  readonly maxBytes?: number | undefined;
  /** Where the hosts' repositories are below a remote. */
  readonly path: string;
  /** The generation of the current remote's key. */
  readonly generation: number;
  /** The remotes to try, in this order. */
  readonly remotes: readonly { readonly age: CredentialAge; readonly remote: string }[];
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** KiB a second; undefined for no limit. */
  readonly uploadLimitKiB: number | undefined;
}

/**
 * A target reached through rclone. One listing tells what is there for all hosts; files are sent by
 * explicit lists without asking for each. rclone hashes each file again, with what the service
 * checks, so what left is what arrived.
 */
export class RcloneTarget implements Target {
  readonly name: string;
  readonly maxBytes: number | undefined;
  readonly groupBytes = BATCH_BYTES;
  readonly replaces: boolean;
  readonly hide?: NonNullable<Target["hide"]>;
  readonly #options: RcloneTargetOptions;
  #accepted: AcceptedCredential | undefined;
  #others = new Map<string, number>();

  constructor(options: RcloneTargetOptions) {
    this.name = options.name;
    this.maxBytes = options.maxBytes;
    this.replaces = options.service.replaces;
    this.#options = options;
    const { hide } = options.service;
    if (hide !== undefined) this.hide = async (files) => await this.#hide(files, hide);
  }

  async inventory(hosts: readonly string[]): Promise<Map<string, Inventory | Error>> {
    // rclone tries a refused key as often as a lost connection, and each try is billed.
    const listing = [
      "lsf",
      "--recursive",
      "--fast-list",
      "--files-only",
      "--low-level-retries",
      "2",
    ];
    const { hash } = this.#options.service;
    const format = ["--format", hash === undefined ? "sp" : "sph", "--separator", ";"];
    if (hash !== undefined) format.push("--hash", hash);
    for (let attempt = 1; ; attempt += 1) {
      let found = new Map<string, Inventory>();
      const result = await this.#run(
        [...listing, ...format],
        (remote) => [remote],
        () => {
          found = new Map(hosts.map((host) => [host, emptyInventory()]));
          this.#others = new Map();
          return { onLine: (line) => addLine(found, this.#others, line) };
        },
      );
      if (result.exitCode === 0 || result.exitCode === DIRECTORY_NOT_FOUND) return found;
      if (attempt === TRIES) throw new StopError("target", `cannot list it: ${explain(result)}`);
      await setTimeout(attempt * PAUSE_MS);
    }
  }

  get others(): ReadonlyMap<string, number> {
    return this.#others;
  }

  async send(files: Iterable<RepositoryFile>, observer: SendObserver): Promise<void> {
    let sending: Promise<void> = Promise.resolve();
    for (const batch of batches(files)) {
      const good = await this.#verify(batch, observer);
      await sending;
      sending = this.#sendBatch(good, observer);
      // Awaited after the next batch is hashed; what it throws is not lost till then.
      sending.catch(() => undefined);
    }
    await sending;
  }

  async #hide(
    files: readonly RepositoryFile[],
    how: readonly string[],
  ): Promise<{ hidden: ReadonlySet<RepositoryFile>; reason: string | undefined }> {
    const waiting = new Map(files.map((file) => [remotePathOf(file), file]));
    const hidden = new Set<RepositoryFile>();
    // A list of no names would be one more thing to trust rclone with.
    if (waiting.size === 0) return { hidden, reason: undefined };
    // One listing of all, instead of a call a name.
    const lists = ["--files-from-raw", "-", "--fast-list", ...how];
    const options = ["--checkers", "16", "--retries", "1", "--log-level", "INFO"];
    try {
      const result = await this.#run(
        ["delete", ...lists, ...options],
        (remote) => [remote],
        () => ({
          input: [...waiting].flatMap(([path, file]) => (hidden.has(file) ? [] : [path])),
          onLog: ({ level, object, msg }) => {
            const file = waiting.get(object ?? "");
            if (level === "info" && file !== undefined && msg === "Deleted") hidden.add(file);
          },
        }),
      );
      return { hidden, reason: result.exitCode === 0 ? undefined : explain(result) };
    } catch (error) {
      return { hidden, reason: messageOf(error) };
    }
  }

  credential(): AcceptedCredential | undefined {
    return this.#accepted;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #verify(
    batch: readonly RepositoryFile[],
    observer: SendObserver,
  ): Promise<RepositoryFile[]> {
    const good: RepositoryFile[] = [];
    for (const file of batch) {
      const result = await verify(this.#pathOf(file), file);
      if (result === undefined) good.push(file);
      else observer.done(file, result);
    }
    return good;
  }

  async #sendBatch(batch: readonly RepositoryFile[], observer: SendObserver): Promise<void> {
    const waiting = new Map(batch.map((file) => [remotePathOf(file), file]));
    let result: RcloneResult | undefined;
    for (let attempt = 0; waiting.size > 0 && attempt < TRIES; attempt += 1) {
      result = await this.#copy(waiting, observer);
      if (waiting.size > 0 && !this.replaces) await this.#noteArrived(waiting, observer);
      for (const [path, file] of waiting) {
        if (lstatSync(this.#pathOf(file), { throwIfNoEntry: false }) !== undefined) continue;
        waiting.delete(path);
        observer.done(file, { result: "vanished" });
      }
    }
    if (waiting.size === 0 || result === undefined) return;
    // Nothing of a batch arrived: it is the target, not the files.
    if (waiting.size === batch.length) throw new StopError("target", explain(result));
    const reason = explain(result);
    for (const file of waiting.values()) observer.done(file, { result: "failed", reason });
  }

  /**
   * Takes those out of `waiting` that are there, though nobody has said so: an answer was lost. They
   * must not be sent over themselves where that is refused, or where it is a deletion.
   */
  async #noteArrived(waiting: Map<string, RepositoryFile>, observer: SendObserver): Promise<void> {
    await this.#run(
      ["lsf", "--files-from-raw", "-", "--files-only", "--recursive", "--format", "sp"],
      (remote) => [remote],
      () => ({
        input: [...waiting.keys()],
        onLine: (line) => {
          const [, size = "", path = ""] = /^(\d+);(.*)$/.exec(line) ?? [];
          const file = waiting.get(path);
          if (file?.size !== Number(size)) return;
          waiting.delete(path);
          observer.done(file, { result: "sent" });
        },
      }),
    );
  }

  /** Takes those that arrived out of `waiting`. */
  async #copy(waiting: Map<string, RepositoryFile>, observer: SendObserver): Promise<RcloneResult> {
    // The destination is known, so rclone is not to look at it; tries are counted here, since rclone
    // would send what has arrived again.
    const lists = ["--files-from-raw", "-", "--no-traverse", "--no-check-dest", "--retries", "1"];
    const speed = ["--transfers", "8", "--checkers", "8", "--stats", "1s"];
    const limit = this.#options.uploadLimitKiB;
    if (limit !== undefined) speed.push("--bwlimit", `${limit}K`);
    let bytes = 0;
    return await this.#run(
      ["copy", ...lists, ...speed, "--log-level", "INFO"],
      (remote) => [this.#options.repositories, remote],
      // What has arrived before a key was refused is not sent again with the next one.
      () => ({
        input: [...waiting.keys()],
        onLog: (line) => {
          if (line.stats !== undefined && line.stats.bytes > bytes) {
            observer.bytes(line.stats.bytes - bytes);
            bytes = line.stats.bytes;
          }
          if (line.object === undefined || !line.msg.startsWith("Copied (")) return;
          const file = waiting.get(line.object);
          if (file === undefined) return;
          waiting.delete(line.object);
          observer.done(file, { result: "sent" });
        },
      }),
    );
  }

  async #run(
    options: readonly string[],
    operands: (remote: string) => string[],
    handlers: () => Handlers,
  ): Promise<RcloneResult> {
    const remotes = [...this.#options.remotes];
    // The one that was accepted last goes first.
    const accepted = remotes.findIndex(({ age }) => age === this.#accepted?.age);
    remotes.unshift(...remotes.splice(Math.max(0, accepted), 1));
    const refusals: string[] = [];
    for (const { age, remote } of remotes) {
      const operand = `${remote}:${this.#options.path}`;
      const result = await this.#watched(remote, [...options, ...operands(operand)], handlers());
      if (result !== "refused" && !this.#isRefused(result)) {
        // A run that failed otherwise, such as for want of a network, proves no key.
        if ([0, DIRECTORY_NOT_FOUND].includes(result.exitCode)) {
          const generation = this.#options.generation + GENERATION_OFFSETS[age];
          this.#accepted = { age, generation, at: new Date() };
        }
        return result;
      }
      const why = result === "refused" ? "401: the key was taken away meanwhile" : explain(result);
      refusals.push(`${age} (remote "${remote}"): ${why}`);
    }
    throw new StopError(
      "target",
      `accepts none of its credentials: ${refusals.join("; ")}. Deploy the hub with the bundle that pulumi up wrote last`,
    );
  }

  /** Runs rclone, and ends it when the service comes to refuse the remote's key. */
  async #watched(
    remote: string,
    args: readonly string[],
    handlers: Handlers,
  ): Promise<RcloneResult | "refused"> {
    const watch = new KeyWatch(this.#options.config, remote);
    try {
      const result = await runRclone(this.#options, args, {
        ...handlers,
        signal: watch.refused,
        onLine: (line) => {
          watch.progress();
          handlers.onLine?.(line);
        },
        onLog: (line) => {
          watch.progress(line.stats?.bytes);
          handlers.onLog?.(line);
        },
      });
      return watch.refused.aborted && result.exitCode !== 0 ? "refused" : result;
    } finally {
      watch.end();
    }
  }

  #isRefused({ exitCode, errors }: RcloneResult): boolean {
    return exitCode !== 0 && errors.some((error) => this.#options.service.refused.test(error));
  }

  #pathOf(file: RepositoryFile): string {
    return join(this.#options.repositories, file.host, pathOf(file.kind, file.name));
  }
}

/** Adds a line of the listing, `size;path` or `size;path;sha1`. */
function addLine(found: Map<string, Inventory>, others: Map<string, number>, line: string): void {
  const first = line.indexOf(";");
  const second = line.lastIndexOf(";");
  if (first === -1) return;
  const last = second === first ? line.length : second;
  const size = Number(line.slice(0, first));
  const path = line.slice(first + 1, last);
  const slash = path.indexOf("/");
  const folder = slash === -1 ? path : path.slice(0, slash);
  const inventory = slash === -1 ? undefined : found.get(folder);
  if (inventory === undefined) {
    others.set(folder, (others.get(folder) ?? 0) + 1);
    return;
  }
  const file = parsePath(path.slice(slash + 1));
  if (file === undefined) {
    inventory.oddities?.add(path.slice(slash + 1));
    return;
  }
  // The service may not know the hash of a file that was sent in parts.
  const sha1 = last + 1 < line.length ? line.slice(last + 1) : undefined;
  if (file.kind !== "config") inventory.files[file.kind].set(file.name, size, sha1);
  else inventory.config = { size, ...(sha1 !== undefined && { sha1 }) };
}

async function verify(path: string, file: RepositoryFile): Promise<SendResult | undefined> {
  try {
    const open = await openIfPresent(path);
    if (open === undefined) return { result: "vanished" };
    try {
      if (file.kind !== "config") await verifyFile(open, file.name);
    } finally {
      await open.handle.close();
    }
    return undefined;
  } catch (error) {
    const result = error instanceof RottenFileError ? "rotten" : "failed";
    return { result, reason: messageOf(error) };
  }
}

function* batches(files: Iterable<RepositoryFile>): Generator<RepositoryFile[]> {
  let batch: RepositoryFile[] = [];
  let bytes = 0;
  for (const file of files) {
    batch.push(file);
    bytes += file.size;
    if (bytes < BATCH_BYTES && batch.length < BATCH_FILES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function remotePathOf(file: RepositoryFile): string {
  return `${file.host}/${pathOf(file.kind, file.name)}`;
}

function explain(result: RcloneResult): string {
  return result.errors.at(-1) ?? `rclone ended with exit code ${result.exitCode}`;
}
