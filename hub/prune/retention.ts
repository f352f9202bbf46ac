/**
 * Which snapshots the retention keeps: the ones that restic's own policy of so many daily, weekly
 * and monthly ones keeps (its internal/restic/snapshot_policy.go). It is computed here so that
 * only snapshots that are trusted are counted, and the others are left alone.
 */
import type { Retention } from "../settings.ts";
import { byTime, groups, type Snapshot, type SnapshotTime } from "./snapshot.ts";

/** A snapshot with this tag is never removed. */
export const KEEP_TAG = "keep";

/**
 * The ids of the snapshots that the retention keeps. In each group of host name and paths: the
 * newest snapshot of each of the last days, weeks (from Monday) and months that have any, on the
 * calendar of who wrote it; and the oldest snapshot, while there are fewer periods than may be
 * kept. What has the tag `keep` is kept beside those.
 */
export function keptBy(snapshots: Iterable<Snapshot>, retention: Retention): Set<string> {
  const kept = new Set<string>();
  for (const group of groups(snapshots)) keepOfGroup(group.toSorted(byTime).reverse(), kept);
  return kept;

  function keepOfGroup(newestFirst: readonly Snapshot[], into: Set<string>): void {
    const rules = [
      { left: retention.daily, last: Infinity, periodOf: (time: SnapshotTime) => time.day },
      { left: retention.weekly, last: Infinity, periodOf: weekOf },
      { left: retention.monthly, last: Infinity, periodOf: (time: SnapshotTime) => time.month },
    ];
    newestFirst.forEach((snapshot, at) => {
      if (snapshot.tags.includes(KEEP_TAG)) into.add(snapshot.id);
      for (const rule of rules) {
        const period = rule.periodOf(snapshot.time);
        // restic asks for a period other than the last one. Where time zones alternate around
        // midnight, that would count one night as many days.
        const isNew = period < rule.last || at === newestFirst.length - 1;
        if (rule.left === 0 || !isNew) continue;
        into.add(snapshot.id);
        rule.left -= 1;
        rule.last = period;
      }
    });
  }
}

/** 1970 began on a Thursday. */
function weekOf(time: SnapshotTime): number {
  return Math.floor((time.day + 3) / 7);
}
