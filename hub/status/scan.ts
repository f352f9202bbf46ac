/** What a repository's files tell without its password: how many, since when, whose. */
import { lstatSync, readdirSync, statSync, type Stats } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { parsePath } from "../repository/layout.ts";

/** One repository at the hub. Times are milliseconds since 1970. */
export interface Scan {
  /** Whether it is a repository: it has a config. */
  readonly present: boolean;
  /** Files of the kinds that are mirrored, and their sizes together. */
  readonly files: number;
  readonly bytes: number;
  /** Snapshots by id, with when their files arrived. */
  readonly snapshots: ReadonlyMap<string, number>;
  /** When the newest pack, index file and lock arrived; 0 where there is none. */
  readonly newestData: number;
  readonly newestIndex: number;
  readonly newestLock: number;
  /** Time of arrival and size of each mirrored file, in no particular order. */
  readonly arrivals: readonly (readonly [time: number, bytes: number])[];
  /** Files and folders that belong to another user, or that their owner may not read. */
  readonly foreign: readonly string[];
  /** How many there are of them; `foreign` holds the first few. */
  readonly foreignCount: number;
  /** Repositories inside of this one's folder, by the name of their folder. */
  readonly nested: readonly string[];
  /** What could not be read, one line each; everything else here lacks it. */
  readonly errors: readonly string[];
}

const FOLDERS = ["keys", "data", "index", "snapshots", "locks"];
const NAMED = 3;

/**
 * Looks at every file of a repository once. What goes while it looks is left out.
 *
 * @param directory - the repository's folder.
 * @param owner - the user who must own everything in it.
 */
export function scanRepository(directory: string, owner: number): Scan {
  return new Scanner(directory, owner).run();
}

/**
 * Whose a host's repository must be: the hub's rest-server makes them in its own folder.
 *
 * @returns a user's number: the owner of the folder of repositories; the repository's own where that
 * one is root's, as a mount point may be.
 */
export function expectedOwner(repositories: string, directory: string): number {
  const shared = ownerOf(repositories) ?? 0;
  return shared === 0 ? (ownerOf(directory) ?? 0) : shared;
}

function ownerOf(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.uid;
  } catch {
    return undefined;
  }
}

class Scanner {
  readonly #directory: string;
  readonly #owner: number;
  readonly #snapshots = new Map<string, number>();
  readonly #newest: Record<string, number> = {};
  readonly #arrivals: [number, number][] = [];
  readonly #foreign: string[] = [];
  readonly #nested: string[] = [];
  readonly #errors: string[] = [];
  #present = false;
  #bytes = 0;
  #foreignCount = 0;

  constructor(directory: string, owner: number) {
    this.#directory = directory;
    this.#owner = owner;
  }

  run(): Scan {
    const top = this.#reading(() => statSync(this.#directory, { throwIfNoEntry: false }));
    if (top !== undefined) {
      this.#judge("", top);
      if (top.isDirectory()) this.#folder("");
    }
    return {
      present: this.#present,
      files: this.#arrivals.length,
      bytes: this.#bytes,
      snapshots: this.#snapshots,
      newestData: this.#newest.data ?? 0,
      newestIndex: this.#newest.index ?? 0,
      newestLock: this.#newest.locks ?? 0,
      arrivals: this.#arrivals,
      foreign: this.#foreign,
      foreignCount: this.#foreignCount,
      nested: this.#nested,
      errors: this.#errors,
    };
  }

  #folder(path: string): void {
    for (const name of this.#names(path)) {
      const child = path === "" ? name : `${path}/${name}`;
      const stat = this.#stat(child);
      if (stat === undefined) continue;
      if (path === "" && stat.isDirectory() && !FOLDERS.includes(name)) {
        // No folder of restic's. Where it is a repository, nobody mirrors it.
        if (this.#stat(`${name}/config`)?.isFile() === true) this.#nested.push(name);
        continue;
      }
      this.#judge(child, stat);
      if (stat.isDirectory()) this.#folder(child);
      else if (stat.isFile()) this.#file(child, stat);
    }
  }

  #file(path: string, stat: Stats): void {
    const [top = ""] = path.split("/", 1);
    const file = parsePath(path);
    if (file !== undefined || top === "locks") {
      this.#newest[top] = Math.max(this.#newest[top] ?? 0, stat.mtimeMs);
    }
    if (file === undefined) return;
    if (file.kind === "config") this.#present = true;
    if (file.kind === "snapshots") this.#snapshots.set(file.name, stat.mtimeMs);
    this.#arrivals.push([stat.mtimeMs, stat.size]);
    this.#bytes += stat.size;
  }

  #judge(path: string, stat: Stats): void {
    const needed = stat.isDirectory() ? 0o700 : 0o400;
    if (stat.uid === this.#owner && (stat.mode & needed) === needed) return;
    this.#foreignCount += 1;
    if (this.#foreign.length < NAMED) this.#foreign.push(path === "" ? "." : path);
  }

  #names(path: string): string[] {
    return this.#reading(() => readdirSync(join(this.#directory, path))) ?? [];
  }

  #stat(path: string): Stats | undefined {
    return this.#reading(() => lstatSync(join(this.#directory, path), { throwIfNoEntry: false }));
  }

  #reading<Result>(read: () => Result): Result | undefined {
    try {
      return read();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      if (this.#errors.length < NAMED) this.#errors.push(messageOf(error));
      return undefined;
    }
  }
}
