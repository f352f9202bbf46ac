/**
 * Everything in a repository must belong to whom the rest-server runs as: a file that root left
 * there costs every host its backups.
 */
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  type Stats,
} from "node:fs";
import type { Account } from "../restic.ts";

/** What belonged to somebody else, as paths below the repository. */
export interface Strangers {
  /** Given to the owner. */
  readonly repaired: string[];
  /** Still somebody else's, with the reason. */
  readonly left: string[];
}

const LINUX = process.platform === "linux";
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const ANY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Looks for what does not belong to the repository's owner.
 *
 * @param repair - give it to the owner, as root can.
 */
export function findStrangers(directory: string, owner: Account, repair: boolean): Strangers {
  const found: Strangers = { repaired: [], left: [] };
  visit(directory, "", (path, below, stat) => {
    if (stat.uid === owner.uid) return;
    if (!repair) found.left.push(`${below} belongs to user ${stat.uid}`);
    else if (giveTo(owner, path)) found.repaired.push(below);
    else found.left.push(`${below} belongs to user ${stat.uid} and cannot be given to the owner`);
  });
  return found;
}

// The owner can rename and link as he likes while root is at work here, and must not get a file of
// somebody else's given that way. So every folder is opened without following links, what is in it
// is reached through the open folder, and a file that has a second name is left alone.
function visit(
  path: string,
  below: string,
  look: (path: string, below: string, stat: Stats) => void,
): void {
  const folder = attempt(() => openSync(path, FOLDER));
  if (folder === undefined) return;
  try {
    const here = LINUX ? `/proc/self/fd/${folder}` : path;
    for (const name of readdirSync(here)) {
      const stat = lstatSync(`${here}/${name}`, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      const child = below === "" ? name : `${below}/${name}`;
      look(`${here}/${name}`, child, stat);
      if (stat.isDirectory()) visit(`${here}/${name}`, child, look);
    }
  } finally {
    closeSync(folder);
  }
}

function giveTo(owner: Account, path: string): boolean {
  const file = attempt(() => openSync(path, ANY));
  if (file === undefined) return false;
  try {
    const stat = fstatSync(file);
    if (!(stat.isDirectory() || (stat.isFile() && stat.nlink === 1))) return false;
    return attempt(() => (fchownSync(file, owner.uid, owner.gid), true)) ?? false;
  } finally {
    closeSync(file);
  }
}

function attempt<Result>(act: () => Result): Result | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
