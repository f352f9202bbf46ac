/**
 * The proof at the head of `hub/mirror/removal.ts`, against a model: a hub of small files in which
 * backups, prunes, forgets and restorations of an older state happen at random, also between the
 * steps of a mirror, and mirrors and removals that are cut off anywhere.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { mirrorTarget } from "../../../hub/mirror/mirror-target.ts";
import { noProgress } from "../../../hub/progress.ts";
import { HASHED_KINDS, pathOf, type RepositoryFile } from "../../../hub/repository/layout.ts";
import {
  emptyInventory,
  StopError,
  type AcceptedCredential,
  type Inventory,
  type SendObserver,
  type Target,
} from "../../../hub/targets/target.ts";

let root: string;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1.7e12 });
  root = mkdtempSync(join(tmpdir(), "offsite-model-"));
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(root, { recursive: true });
});

/** Numbers from 0 up to 1, the same ones for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A pack is a list of blobs; an index file says which pack has which; a snapshot lists blobs. */
interface Index {
  packs: Record<string, string[]>;
  salt: string;
}

/** A repository as restic would treat it, as far as which file needs which goes. */
class Model {
  readonly directory: string;
  readonly #random: () => number;
  #next = 0;

  constructor(directory: string, random: () => number) {
    this.directory = directory;
    this.#random = random;
    for (const kind of HASHED_KINDS) mkdirSync(join(directory, kind), { recursive: true });
    const bytes = Buffer.alloc(64).toString("base64");
    this.#write("keys", { kdf: "scrypt", N: 2, r: 8, p: 1, salt: bytes, data: bytes });
    writeFileSync(join(directory, "config"), "the config");
  }

  names(kind: "keys" | "data" | "index" | "snapshots"): string[] {
    return namesIn(this.directory, kind);
  }

  backup(): void {
    const known = this.names("snapshots").flatMap((name) => blobsOf(this.directory, name));
    const old = known.filter(() => this.#random() < 0.5);
    const fresh = [this.#blob(), this.#blob()];
    const pack = this.#write("data", fresh);
    this.#write("index", { packs: { [pack]: fresh }, salt: this.#blob() } satisfies Index);
    this.#write("snapshots", [...new Set([...old, ...fresh])]);
  }

  forget(): void {
    const names = this.names("snapshots");
    for (const name of names.slice(1)) {
      if (this.#random() < 0.5) rmSync(join(this.directory, pathOf("snapshots", name)));
    }
  }

  /** As restic does it: new packs, new index, then the old index files go, then the old packs. */
  *prune(): Generator<void> {
    const used = new Set(this.names("snapshots").flatMap((name) => blobsOf(this.directory, name)));
    const oldIndex = this.names("index");
    const packs: Index["packs"] = {};
    const doomed: string[] = [];
    for (const name of oldIndex) {
      for (const [pack, blobs] of Object.entries(indexOf(this.directory, name).packs)) {
        const kept = blobs.filter((blob) => used.has(blob));
        if (kept.length === blobs.length) packs[pack] = blobs;
        else doomed.push(pack);
        if (kept.length === 0 || kept.length === blobs.length) continue;
        // A repacked pack has another name, for its blobs are encrypted anew.
        packs[this.#write("data", [...kept, `salt ${this.#blob()}`])] = kept;
        yield;
      }
    }
    this.#write("index", { packs, salt: this.#blob() } satisfies Index);
    for (const name of oldIndex) {
      yield;
      rmSync(join(this.directory, pathOf("index", name)));
    }
    for (const name of doomed) {
      yield;
      rmSync(join(this.directory, pathOf("data", name)));
    }
  }

  /** A listing waits for an index that was changed just now; this one was changed long ago. */
  settle(): void {
    this.#next += 1;
    utimesSync(join(this.directory, "index"), 1, this.#next);
  }

  #blob(): string {
    this.#next += 1;
    return `${this.#next} ${this.#random()}`;
  }

  #write(kind: "keys" | "data" | "index" | "snapshots", value: unknown): string {
    const content = JSON.stringify(value);
    const name = createHash("sha256").update(content).digest("hex");
    const path = join(this.directory, pathOf(kind, name));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return name;
  }
}

function indexOf(directory: string, name: string): Index {
  return JSON.parse(readFileSync(join(directory, pathOf("index", name)), "utf8")) as Index;
}

function blobsOf(directory: string, snapshot: string): string[] {
  const path = join(directory, pathOf("snapshots", snapshot));
  return JSON.parse(readFileSync(path, "utf8")) as string[];
}

function namesIn(directory: string, kind: string): string[] {
  const folder = join(directory, kind);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => path.slice(path.lastIndexOf("/") + 1))
    .filter((name) => name.length === 64)
    .sort();
}

/** What `restic check` would complain of. */
function unsound(directory: string): string[] {
  const packs = new Set(namesIn(directory, "data"));
  const covered = new Set<string>();
  const problems: string[] = [];
  for (const name of namesIn(directory, "index")) {
    for (const [pack, blobs] of Object.entries(indexOf(directory, name).packs)) {
      if (!packs.has(pack)) problems.push(`index ${name} lacks pack ${pack}`);
      for (const blob of blobs) covered.add(blob);
    }
  }
  for (const name of namesIn(directory, "snapshots")) {
    const lost = blobsOf(directory, name).filter((blob) => !covered.has(blob));
    if (lost.length > 0) problems.push(`snapshot ${name} lacks ${lost.length} blobs`);
  }
  return problems;
}

/** A file that is on its way. */
interface Late {
  readonly file: RepositoryFile;
  readonly path: string;
  readonly content: string;
}

function readIfPresent(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** A target in a folder. Before each file something may happen; after each, it must be sound. */
class CheckedTarget implements Target {
  readonly name = "model";
  readonly maxBytes = undefined;
  readonly groupBytes = 1e9;
  readonly replaces = true;
  readonly #folder: string;
  readonly #hub: string;
  readonly #before: () => void;
  readonly #arriving: Late[];
  /** Files that are on their way when it is cut off. */
  readonly left: Late[] = [];
  hiddenFiles = 0;

  /** @param arriving - files that arrive, in their order, while it is at work. */
  constructor(folder: string, hub: string, arriving: readonly Late[], before: () => void) {
    this.#folder = folder;
    this.#hub = hub;
    this.#arriving = [...arriving];
    this.#before = before;
  }

  inventory(hosts: readonly string[]): Promise<Map<string, Inventory | Error>> {
    const found = new Map<string, Inventory | Error>();
    for (const host of hosts) {
      const inventory = emptyInventory();
      const directory = join(this.#folder, host);
      for (const kind of HASHED_KINDS) {
        for (const name of namesIn(directory, kind)) {
          inventory.files[kind].set(name, statSync(join(directory, pathOf(kind, name))).size);
        }
      }
      const config = statSync(join(directory, "config"), { throwIfNoEntry: false });
      if (config !== undefined) inventory.config = { size: config.size };
      found.set(host, inventory);
    }
    return Promise.resolve(found);
  }

  send(files: Iterable<RepositoryFile>, observer: SendObserver): Promise<void> {
    let cut: StopError | undefined;
    for (const file of files) {
      const path = join(file.host, pathOf(file.kind, file.name));
      const content = readIfPresent(join(this.#hub, path));
      try {
        if (cut === undefined) this.#before();
      } catch (error) {
        if (!(error instanceof StopError)) throw error;
        cut = error;
      }
      if (cut !== undefined) {
        // What a killed mirror left running goes on with it, and is done with it later.
        if (content !== undefined) this.left.push({ file, path, content });
        continue;
      }
      this.arrive(1);
      if (content !== undefined) this.#put({ file, path, content });
      observer.done(file, { result: content === undefined ? "vanished" : "sent" });
    }
    return cut === undefined ? Promise.resolve() : Promise.reject(cut);
  }

  /** Lets so many of what was on its way arrive. */
  arrive(count: number): void {
    for (const each of this.#arriving.splice(0, count)) this.#put(each);
  }

  #put({ file, path, content }: Late): void {
    mkdirSync(dirname(join(this.#folder, path)), { recursive: true });
    writeFileSync(join(this.#folder, path), content);
    this.#mustBeSound(file);
  }

  hide(
    files: readonly RepositoryFile[],
  ): Promise<{ hidden: ReadonlySet<RepositoryFile>; reason: string | undefined }> {
    const hidden = new Set<RepositoryFile>();
    try {
      for (const file of files) {
        this.#before();
        const path = join(this.#folder, file.host, pathOf(file.kind, file.name));
        renameSync(path, join(this.#folder, `hidden-${file.name}`));
        this.#mustBeSound(file);
        hidden.add(file);
        this.hiddenFiles += 1;
      }
    } catch (error) {
      if (!(error instanceof StopError)) throw error;
      return Promise.resolve({ hidden, reason: error.message });
    }
    return Promise.resolve({ hidden, reason: undefined });
  }

  credential(): AcceptedCredential {
    return { age: "current", generation: 1, at: new Date() };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #mustBeSound({ host, kind, name }: RepositoryFile): void {
    const problems = unsound(join(this.#folder, host));
    if (problems.length > 0) throw new Unsound(`after ${kind} ${name}: ${problems.join("; ")}`);
  }
}

class Unsound extends Error {}

/** A life of so many mirrors. */
async function live(seed: number, mirrors: number): Promise<{ hidden: number; complete: number }> {
  const random = numbers(seed);
  const chance = (share: number): boolean => random() < share;
  const folder = join(root, String(seed));
  const [hubFolder, cloud, old] = [join(folder, "hub"), join(folder, "cloud"), join(folder, "old")];
  const hub = new Model(join(hubFolder, "q"), random);
  let prune: Iterator<void> | undefined;
  const happen = (): void => {
    for (let steps = Math.floor(random() * 8); prune !== undefined && steps > 0; steps -= 1) {
      if (prune.next().done === true) prune = undefined;
    }
    // A prune has the repository to itself.
    if (prune === undefined && chance(0.6)) hub.backup();
    if (prune === undefined && chance(0.4)) hub.forget();
    if (prune === undefined && chance(0.4)) prune = hub.prune();
    if (chance(0.03)) {
      rmSync(old, { recursive: true, force: true });
      cpSync(hub.directory, old, { recursive: true, preserveTimestamps: true });
    }
    if (chance(0.03) && existsSync(old)) {
      prune = undefined;
      rmSync(hub.directory, { recursive: true });
      cpSync(old, hub.directory, { recursive: true, preserveTimestamps: true });
    }
    hub.settle();
    expect(unsound(hub.directory)).toEqual([]);
  };
  let late: readonly Late[] = [];
  const totals = { hidden: 0, complete: 0 };
  hub.backup();
  for (let run = 0; run < mirrors; run += 1) {
    happen();
    vi.setSystemTime(Date.now() + random() * 86_400_000);
    let steps = chance(0.4) ? Math.floor(random() * 25) : Infinity;
    const restless = chance(0.4);
    const target = new CheckedTarget(cloud, hubFolder, late, () => {
      if (steps <= 0) throw new StopError("target", "cut off");
      steps -= 1;
      if (restless && chance(0.1)) happen();
    });
    const where = `seed ${seed}, mirror ${run}`;
    const report = await mirrorTarget(target, {
      hosts: ["q"],
      repositories: hubFolder,
      state: join(folder, "state"),
      patience: { seconds: 0 },
      retention: { daily: 7, weekly: 4, monthly: 6 },
      // Above 0, or what arrives late could need what has just been hidden.
      graceDays: chance(0.2) ? 0.01 : random() * 5,
      allowRemoval: true,
      dryRun: false,
      progress: noProgress,
      onHost: () => undefined,
    });
    target.arrive(Infinity);
    const errors = [...report.errors, ...(report.hosts.q?.errors ?? [])];
    expect(
      errors.filter((error) => /lacks|beside|still listed/.test(error)),
      where,
    ).toEqual([]);
    expect(unsound(join(cloud, "q")), where).toEqual([]);
    late = target.left;
    totals.hidden += target.hiddenFiles;
    if (report.hosts.q?.outcome === "complete") totals.complete += 1;
    if (chance(0.05)) rmSync(join(folder, "state", "removals"), { recursive: true, force: true });
  }
  return totals;
}

describe("a random life of a hub and its cloud target", { timeout: 120_000 }, () => {
  it("leaves the target sound after every single file that is sent or hidden", async () => {
    let hidden = 0;
    let complete = 0;
    for (let seed = 1; seed <= 8; seed += 1) {
      const totals = await live(seed, 25);
      hidden += totals.hidden;
      complete += totals.complete;
    }
    expect(hidden).toBeGreaterThan(100);
    expect(complete).toBeGreaterThan(50);
  });
});
