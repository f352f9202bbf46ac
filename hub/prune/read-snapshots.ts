/** Reads a repository's snapshots, where anybody who may append could have written anything. */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { counted } from "../format.ts";
import { listSnapshots, type OwnedRepository } from "../restic-repository.ts";
import { shown, type Snapshot } from "./snapshot.ts";

/**
 * Reads all snapshots.
 *
 * @param names - the names of their files, listed before.
 * @throws Error where one of them cannot be read; restic's prune would not work either.
 */
export async function readSnapshots(
  repository: OwnedRepository,
  names: readonly string[],
): Promise<Snapshot[]> {
  let snapshots: Snapshot[];
  try {
    snapshots = await listSnapshots((args) => repository.run(args));
  } catch (error) {
    const short = names.filter((name) => isShort(join(repository.directory, "snapshots", name)));
    const which = short.length === 0 ? "" : ` (too short for one: ${few(short)})`;
    const message = `cannot read the snapshots${which}, so nothing was removed`;
    throw new Error(message, { cause: error });
  }
  // One that came since is of no consequence: it is kept, being new.
  const read = new Set(snapshots.map(({ id }) => id));
  const unread = names.filter((name) => !read.has(name));
  if (unread.length > 0) {
    throw new Error(
      `${counted(unread.length, "file")} cannot be read as a snapshot, so nothing was removed: ${few(unread)}. ` +
        "Rot, or written by somebody without the right key: look, then move them away",
    );
  }
  return snapshots;
}

function few(names: readonly string[]): string {
  return names
    .slice(0, 3)
    .map((name) => `snapshots/${name}`)
    .join(", ");
}

/** Whether a file has no room for more than what every encrypted one begins and ends with. */
function isShort(path: string): boolean {
  return (lstatSync(path, { throwIfNoEntry: false })?.size ?? Infinity) <= 32;
}

/** Names the snapshot over which restic's prune stumbled: that of data that is not there. */
export function incomplete(snapshots: readonly Snapshot[], problem: string): string {
  const broken = snapshots.find(({ tree }) => tree !== "" && problem.includes(tree));
  if (broken === undefined) return "";
  return (
    `. The snapshot ${shown(broken)} refers to it: where it is of no use, remove it with ` +
    `\`restic forget ${broken.id.slice(0, 8)}\` as the repository's owner`
  );
}
