import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { NameTable } from "../repository/name-table.ts";
import { listRepository, type LocalListing } from "../repository/listing.ts";

/** A listing of the hub's repository for the mirror. */
export interface HubListing extends LocalListing {
  /**
   * Whether none of its snapshots and index files had gone when all of it had been listed. If so,
   * it has the packs of all its index files, and these cover all its snapshots. If not, a prune was
   * at work, and nothing must be concluded from what it lacks.
   */
  readonly settled: boolean;
}

const TRIES = 3;

/**
 * Lists a repository, again while something goes from it meanwhile, up to three times.
 *
 * @throws Error where a folder cannot be read, or where the index changes without pause.
 */
export async function listForMirror(directory: string): Promise<HubListing> {
  for (let attempt = 1; ; attempt += 1) {
    const listing = await list(directory);
    const { index, snapshots } = listing.files;
    const settled =
      holds(join(directory, "index"), index) && holds(join(directory, "snapshots"), snapshots);
    if (settled || attempt === TRIES) return { ...listing, settled };
  }
}

async function list(directory: string): Promise<LocalListing> {
  try {
    return await listRepository(directory);
  } catch (error) {
    throw new Error("cannot list the hub's repository", { cause: error });
  }
}

function holds(folder: string, table: NameTable): boolean {
  if (table.count === 0) return true;
  const names = new Set(readdirSync(folder));
  for (const [name] of table.entries()) if (!names.has(name)) return false;
  return true;
}
