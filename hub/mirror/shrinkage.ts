/**
 * Notices when a hub's repository has lost more snapshots since the last mirror than its retention
 * takes. The mirror removes nothing, so the target keeps them; but a hub that is being emptied is
 * to be looked at before anything else happens.
 */
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { pathOf } from "../repository/layout.ts";
import type { NameTable } from "../repository/name-table.ts";
import type { Retention } from "../settings.ts";
import { writeStateFile } from "../state-file.ts";

/** Snapshots by name, with when their files arrived at the hub, in milliseconds since 1970. */
export type Arrivals = ReadonlyMap<string, number>;

const DAY_MS = 86_400_000;

// The names of snapshots that were at the hub at the end of a complete mirror.
const stateSchema = z.object({
  version: z.literal(1),
  snapshots: z.record(z.string(), z.number()),
});

/**
 * Which of the snapshots that went should have been kept.
 *
 * @returns their number where it is more than chance explains (a snapshot that was taken before
 * midnight and arrived after it), else 0.
 */
export function unexplained(before: Arrivals, now: Arrivals, retention: Retention): number {
  const kept = keep(new Map([...before, ...now]), retention);
  const expected = [...before.keys()].filter((name) => kept.has(name));
  const gone = expected.filter((name) => !now.has(name)).length;
  return gone > Math.max(1, expected.length / 4) ? gone : 0;
}

/** The newest snapshot of each of the last days, weeks and months that have one, in UTC. */
function keep(snapshots: Arrivals, retention: Retention): Set<string> {
  const newestFirst = [...snapshots].sort((a, b) => b[1] - a[1]);
  const kept = new Set<string>();
  const rules: [number, (time: number) => string | number][] = [
    [retention.daily, (time) => Math.floor(time / DAY_MS)],
    // 1970 began on a Thursday; weeks begin on Mondays.
    [retention.weekly, (time) => Math.floor((time / DAY_MS + 3) / 7)],
    [retention.monthly, (time) => new Date(time).toISOString().slice(0, 7)],
  ];
  for (const [count, periodOf] of rules) {
    const periods = new Set<string | number>();
    for (const [name, time] of newestFirst) {
      const period = periodOf(time);
      if (periods.size >= count || periods.has(period)) continue;
      periods.add(period);
      kept.add(name);
    }
  }
  return kept;
}

/** When the listed snapshots' files arrived; one that has gone since is left out. */
export function arrivals(directory: string, snapshots: NameTable): Arrivals {
  const found = new Map<string, number>();
  for (const [name] of snapshots.entries()) {
    const stat = lstatSync(join(directory, pathOf("snapshots", name)), { throwIfNoEntry: false });
    if (stat !== undefined) found.set(name, stat.mtimeMs);
  }
  return found;
}

/** What the last complete mirror remembered; nothing where there was none or it is unreadable. */
export function recall(path: string): Arrivals {
  try {
    const state = stateSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    return new Map(Object.entries(state.snapshots));
  } catch {
    return new Map();
  }
}

/** Remembers the hub's snapshots for the next mirror; the file is replaced in one step. */
export function remember(path: string, snapshots: Arrivals): void {
  writeStateFile(path, { version: 1, snapshots: Object.fromEntries(snapshots) });
}
