/**
 * What the mirror remembers of a host's files that a target has and the hub no longer: since when,
 * and in which order they went. What these notes are good for is proven in `removal.ts`.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { HASHED_KINDS, parsePath, pathOf, type HashedKind } from "../repository/layout.ts";
import type { LocalListing } from "../repository/listing.ts";
import { writeStateFile } from "../state-file.ts";

/** Files that one mirror was the first to find gone from the hub. */
export interface Batch {
  /** For how long mirrors have seen them gone, in milliseconds. */
  readonly age: number;
  /** Paths below the repository. */
  readonly files: ReadonlySet<string>;
}

/** The notes on one host at one target. */
export interface Notes {
  /** When they were last brought up to date, in milliseconds since 1970. */
  readonly time: number;
  /** The snapshots and index files that the hub had then. */
  readonly seen: ReadonlySet<string>;
  /** Oldest first. */
  readonly batches: readonly Batch[];
}

export const NO_NOTES: Notes = { time: 0, seen: new Set(), batches: [] };

// A clock that was wrong for a while, at either mirror, makes files at most so much older.
const LONGEST_STEP_MS = 2 * 86_400_000;

/**
 * Brings notes up to date after a mirror that was complete and confirmed.
 *
 * @param listing - what the hub had; settled.
 * @param extras - paths of what the target has, the hub had once, and has no longer.
 * @param now - milliseconds since 1970.
 */
export function takeNotes(
  before: Notes,
  listing: Pick<LocalListing, "files">,
  extras: ReadonlySet<string>,
  now: number,
): Notes {
  const seen = new Set([...pathsOf(listing, "snapshots"), ...pathsOf(listing, "index")]);
  const noted = new Set(before.batches.flatMap(({ files }) => [...files]));
  const fresh = [...extras].filter((path) => !noted.has(path));
  const arrivedLate = fresh.some((path) => refersToOthers(path) && !before.seen.has(path));
  if (arrivedLate) return { time: now, seen, batches: [{ age: 0, files: extras }] };
  const step = Math.min(Math.max(0, now - before.time), LONGEST_STEP_MS);
  const batches = before.batches
    .map(({ age, files }) => ({ age: age + step, files: intersection(files, extras) }))
    .filter(({ files }) => files.size > 0);
  if (fresh.length > 0) batches.push({ age: 0, files: new Set(fresh) });
  return { time: now, seen, batches };
}

/** The files that mirrors have seen gone for at least so long, in milliseconds. */
export function ripe(notes: Notes, grace: number): Set<string> {
  const due = notes.batches.findIndex(({ age }) => age < grace);
  const batches = due === -1 ? notes.batches : notes.batches.slice(0, due);
  return new Set(batches.flatMap(({ files }) => [...files]));
}

const storedSchema = z.object({
  version: z.literal(1),
  time: z.number(),
  seen: z.array(z.string()),
  batches: z.array(z.object({ age: z.number().min(0), files: z.array(z.string()) })),
});

/** Notes as they were written; none where there are none or they are unreadable. */
export function readNotes(path: string): Notes {
  try {
    const stored = storedSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    const paths = [...stored.seen, ...stored.batches.flatMap(({ files }) => files)];
    if (paths.some((each) => parsePath(each) === undefined)) return NO_NOTES;
    return {
      time: stored.time,
      seen: new Set(stored.seen),
      batches: stored.batches.map(({ age, files }) => ({ age, files: new Set(files) })),
    };
  } catch {
    return NO_NOTES;
  }
}

/**
 * Writes notes, in one step.
 *
 * @throws Error where they cannot be written; the ones before are still there then.
 */
export function writeNotes(path: string, notes: Notes): void {
  const batches = notes.batches.map(({ age, files }) => ({ age, files: [...files] }));
  writeStateFile(path, { version: 1, time: notes.time, seen: [...notes.seen], batches }, true);
}

/** Whether the notes differ in more than their time, which says nothing without a batch. */
export function mustWrite(before: Notes, after: Notes): boolean {
  if (before.batches.length > 0 || after.batches.length > 0) return true;
  if (before.seen.size !== after.seen.size) return true;
  for (const path of after.seen) if (!before.seen.has(path)) return true;
  return false;
}

/** What a listing has of a kind and another lacks, as paths. */
export function absentFrom(
  one: Pick<LocalListing, "files">,
  other: Pick<LocalListing, "files">,
): { kind: HashedKind; name: string; size: number }[] {
  return HASHED_KINDS.flatMap((kind) =>
    [...one.files[kind].entries()]
      .filter(([name]) => !other.files[kind].has(name))
      .map(([name, size]) => ({ kind, name, size })),
  );
}

function pathsOf(listing: Pick<LocalListing, "files">, kind: HashedKind): string[] {
  return [...listing.files[kind].entries()].map(([name]) => pathOf(kind, name));
}

function refersToOthers(path: string): boolean {
  return path.startsWith("snapshots/") || path.startsWith("index/");
}

function intersection(one: ReadonlySet<string>, other: ReadonlySet<string>): Set<string> {
  return new Set([...one].filter((each) => other.has(each)));
}
