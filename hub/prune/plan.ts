/** What a prune of one host would remove, and why not more. Nothing is changed here. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { counted } from "../format.ts";
import { recall, remember } from "../mirror/shrinkage.ts";
import { isFileName } from "../repository/layout.ts";
import type { Retention } from "../settings.ts";
import { lineOf, type HostPruneReport } from "./report.ts";
import { keptBy } from "./retention.ts";
import type { Snapshot } from "./snapshot.ts";
import { crowd, suspicions } from "./suspicion.ts";

/** What decides which snapshots go. */
export interface Policy {
  readonly retention: Retention;
  /** Nothing goes in the first so many hours after it arrived. */
  readonly keepHours: number;
  /** The longest that a backup takes. */
  readonly maxBackupHours: number;
}

/** A host's snapshots and what is known about them. */
export interface Known {
  readonly snapshots: readonly Snapshot[];
  /** When each one's file arrived at the hub, in milliseconds since 1970. */
  readonly arrivals: ReadonlyMap<string, number>;
  /** Those that a target is known to have; undefined where there are no targets. */
  readonly mirrored: ReadonlySet<string> | undefined;
  /** Those that the operator trusts. */
  readonly trusted: ReadonlySet<string>;
}

const HOUR_MS = 3_600_000;

/**
 * Decides which snapshots go, and fills the report in.
 *
 * @returns them.
 */
export function plan(
  known: Known,
  policy: Policy,
  now: number,
  report: HostPruneReport,
): Snapshot[] {
  const { snapshots, arrivals, mirrored, trusted } = known;
  const longestBackup = policy.maxBackupHours * HOUR_MS;
  const suspicious = suspicions(snapshots, { longestBackup, arrivals, trusted });
  const counting = snapshots.filter(({ id }) => !suspicious.has(id));
  const kept = keptBy(counting, policy.retention);
  const superfluous = counting.filter(
    ({ id }) => !kept.has(id) && now - (arrivals.get(id) ?? now) > policy.keepHours * HOUR_MS,
  );
  const [removed, waiting] = partition(superfluous, ({ id }) => mirrored?.has(id) ?? true);
  report.snapshots = snapshots.length;
  report.kept = snapshots.length - removed.length;
  report.removed = removed.map((each) => lineOf(each, arrivals));
  report.unmirrored = waiting.map((each) => lineOf(each, arrivals));
  report.suspicious = snapshots.flatMap((each) => {
    const reason = suspicious.get(each.id);
    return reason === undefined ? [] : [{ ...lineOf(each, arrivals), reason }];
  });
  let first = Infinity;
  for (const arrived of arrivals.values()) first = Math.min(first, arrived - longestBackup);
  const older = snapshots.filter(({ id, time }) => suspicious.has(id) && time.milliseconds < first);
  report.restored = older.length > 0 && older.length >= snapshots.length / 2;
  if (waiting.length > 0) {
    report.warnings.push(
      `${counted(waiting.length, "snapshot")} stay, which the retention does not keep: not yet mirrored to any target`,
    );
  }
  const crowded = crowd(arrivals, now);
  if (crowded !== undefined) report.warnings.push(`${crowded}: does the host do that?`);
  return removed;
}

/** The names of the snapshots' files in a repository. */
export function snapshotNames(directory: string): string[] {
  try {
    return readdirSync(join(directory, "snapshots")).filter(isFileName);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/**
 * When the snapshots' files arrived: their time of change, which the hub's clock made; or what a
 * mirror remembers, where that is earlier, because the repository was copied back since.
 */
export function arrivalsOf(
  directory: string,
  names: Iterable<string>,
  memories: readonly ReadonlyMap<string, number>[],
): Map<string, number> {
  const found = new Map<string, number>();
  for (const name of names) {
    const stat = lstatSync(join(directory, "snapshots", name), { throwIfNoEntry: false });
    const times = [stat?.mtimeMs, ...memories.map((memory) => memory.get(name))];
    const known = times.filter((time) => time !== undefined);
    if (known.length > 0) found.set(name, Math.min(...known));
  }
  return found;
}

/** What the mirrors of a host remember: its snapshots at each target, with their arrivals. */
export function mirrorMemories(
  state: string,
  targets: readonly string[],
  host: string,
): ReadonlyMap<string, number>[] {
  return targets.map((target) => recall(memoryPath(state, target, host)));
}

/**
 * Has the mirrors no longer expect what is about to be removed, so that they do not take it for
 * lost. Where it is not removed after all, the next mirror remembers it again.
 */
export function forgetMirrored(
  state: string,
  targets: readonly string[],
  host: string,
  going: readonly Snapshot[],
): void {
  const ids = new Set(going.map(({ id }) => id));
  for (const target of targets) {
    const path = memoryPath(state, target, host);
    const before = recall(path);
    const after = new Map([...before].filter(([id]) => !ids.has(id)));
    if (after.size < before.size) remember(path, after);
  }
}

function memoryPath(state: string, target: string, host: string): string {
  return join(state, "snapshots", target, `${host}.json`);
}

function partition<Item>(items: readonly Item[], test: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}
