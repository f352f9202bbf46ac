import { lstatSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { isFileName, pathOf, type HashedKind } from "./layout.ts";
import { NameTable } from "./name-table.ts";

/** What a host's repository at the hub holds, as far as it is mirrored. */
export interface LocalListing {
  /** The size of `config` in bytes, or undefined where there is no repository. */
  readonly config: number | undefined;
  readonly files: Readonly<Record<HashedKind, NameTable>>;
}

/**
 * Lists a repository for the mirror: snapshots first, then keys, then a consistent view of the
 * index, and the data last. Why this order is safe is explained in `mirror/mirror-hosts.ts`.
 *
 * @param directory - the repository's folder.
 * @throws Error where a folder cannot be read, or where the index changes without pause.
 */
export async function listRepository(directory: string): Promise<LocalListing> {
  const slices = new Slices();
  const snapshots = await listFolders(directory, "snapshots", slices);
  const keys = await listFolders(directory, "keys", slices);
  const config = statSync(join(directory, "config"), { throwIfNoEntry: false })?.size;
  const index = await listIndex(directory, slices);
  const data = await listFolders(directory, "data", slices);
  return { config, files: { keys, data, index, snapshots } };
}

/** How many files a listing has. */
export function fileCount(listing: LocalListing): number {
  const { keys, data, index, snapshots } = listing.files;
  const config = listing.config === undefined ? 0 : 1;
  return keys.count + data.count + index.count + snapshots.count + config;
}

// The clock that stamps folders ticks every few milliseconds: a change within the tick of the last
// one is not seen. A folder that has been quiet for longer than that cannot hide one.
const QUIET_MS = 50;
const INDEX_TRIES = 100;

/**
 * Lists the index as it was at one moment. A prune adds new index files and then removes old ones;
 * a listing that runs meanwhile could lack both, and so lack packs that snapshots need. The
 * folder's time of change tells whether anything came or went.
 */
async function listIndex(directory: string, slices: Slices): Promise<NameTable> {
  const folder = join(directory, "index");
  for (let attempt = 0; attempt < INDEX_TRIES; attempt += 1) {
    const before = lstatSync(folder, { bigint: true, throwIfNoEntry: false });
    if (before === undefined) return new NameTable();
    const quietFor = Math.abs(Date.now() - Number(before.mtimeNs / 1_000_000n));
    if (quietFor > QUIET_MS) {
      const table = await listFolders(directory, "index", slices);
      const after = lstatSync(folder, { bigint: true, throwIfNoEntry: false });
      if (after?.mtimeNs === before.mtimeNs) return table;
    }
    await setTimeout(QUIET_MS);
  }
  throw new Error(
    `"${folder}" changes without pause, so that no consistent view of it can be had.`,
  );
}

async function listFolders(
  directory: string,
  kind: HashedKind,
  slices: Slices,
): Promise<NameTable> {
  const table = new NameTable();
  if (kind !== "data") {
    await listFolder(join(directory, kind), directory, kind, table, slices);
    return table;
  }
  for (const prefix of namesIn(join(directory, "data"))) {
    if (/^[0-9a-f]{2}$/.test(prefix)) {
      await listFolder(join(directory, "data", prefix), directory, kind, table, slices);
    }
  }
  return table;
}

async function listFolder(
  folder: string,
  directory: string,
  kind: HashedKind,
  table: NameTable,
  slices: Slices,
): Promise<void> {
  for (const name of namesIn(folder)) {
    if (!isFileName(name)) continue;
    const path = join(directory, pathOf(kind, name));
    // Gone since the folder was read: a prune or a forget took it, and it is not listed.
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() === true) table.set(name, stat.size);
    if (stat === undefined && lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
      // To leave it out would be to mirror an index without its packs.
      throw new Error(`"${path}" is a link to nothing. Put the file back, or remove the link`);
    }
    await slices.pause();
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

// Synchronous calls list a warm folder ten times as fast as asynchronous ones. The event loop gets
// its turn every few milliseconds, so that transfers to other targets go on.
class Slices {
  #since = performance.now();

  async pause(): Promise<void> {
    if (performance.now() - this.#since < 10) return;
    await setImmediate();
    this.#since = performance.now();
  }
}
