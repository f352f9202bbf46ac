/**
 * Reads the hub's files that have not been read before: whether each is what its name says, and what
 * its SHA-1 is, which is what a B2 listing tells of a file. Content never changes under a name, so a
 * file is read once, and again only to look for rot.
 */
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import type { Ledger } from "../ledger.ts";
import { HASHED_KINDS, pathOf, type HashedKind } from "../repository/layout.ts";
import type { LocalListing } from "../repository/listing.ts";
import { digestFile, openIfPresent, type Digests } from "../repository/verified-read.ts";
import type { ReadReport } from "./report.ts";

// What a run that is killed has to read again.
const FLUSH_FILES = 500;
const FLUSH_BYTES = 1024 ** 3;

/** How much of a listing {@link learn} will read. */
export function unread(listing: LocalListing, ledger: Ledger): { files: number; bytes: number } {
  const sum = { files: 0, bytes: 0 };
  for (const kind of HASHED_KINDS) {
    for (const [name, size] of listing.files[kind].entries()) {
      if (isRead(ledger, kind, name, size)) continue;
      sum.files += 1;
      sum.bytes += size;
    }
  }
  return sum;
}

/**
 * Reads what the ledger knows no SHA-1 of, or another size, and notes it there; and what is to be
 * read again.
 *
 * @param directory - the repository's folder.
 * @param report - filled in as it goes on.
 * @param again - whether to read a file, by its path, that was read before.
 * @returns one line for each file that cannot be read, and the paths of all that are damaged.
 * @throws Error where the ledger cannot be written.
 */
export async function learn(
  directory: string,
  listing: LocalListing,
  ledger: Ledger,
  report: ReadReport,
  again: (path: string) => boolean,
): Promise<{ unreadable: string[]; damaged: Set<string> }> {
  const unreadable: string[] = [];
  const damaged = new Set<string>();
  let files = 0;
  let bytes = 0;
  for (const kind of HASHED_KINDS) {
    for (const [name, size] of listing.files[kind].entries()) {
      const path = pathOf(kind, name);
      const known = isRead(ledger, kind, name, size);
      if (known && !again(path)) continue;
      let digests: Digests | undefined;
      try {
        digests = await digestsOf(join(directory, path));
      } catch (error) {
        report.damaged.add(kind, name, size);
        damaged.add(path);
        unreadable.push(`${path}: ${messageOf(error)}`);
        continue;
      }
      if (digests === undefined) continue;
      report.files += 1;
      report.bytes += digests.bytes;
      if (digests.sha256 !== name) {
        report.damaged.add(kind, name, size);
        damaged.add(path);
        continue;
      }
      if (known) continue;
      ledger.learn(kind, name, digests.bytes, digests.sha1);
      files += 1;
      bytes += digests.bytes;
      if (files < FLUSH_FILES && bytes < FLUSH_BYTES) continue;
      ledger.flush();
      files = 0;
      bytes = 0;
    }
  }
  ledger.flush();
  return { unreadable, damaged };
}

function isRead(ledger: Ledger, kind: HashedKind, name: string, size: number): boolean {
  return ledger.fingerprint(kind, name) !== undefined && ledger.size(kind, name) === size;
}

/** Hashes a file; undefined where it is no longer there. */
async function digestsOf(path: string): Promise<Digests | undefined> {
  const open = await openIfPresent(path);
  if (open === undefined) return undefined;
  try {
    return await digestFile(open);
  } finally {
    await open.handle.close();
  }
}
