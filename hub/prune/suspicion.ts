/**
 * Snapshots that are not what they claim. Whoever may append to a repository may write a snapshot
 * with any time, and so have the retention remove good ones in its favour (restic issue 22057).
 * But the hub's own clock stamps the file as it arrives, and no client can change that.
 */
import { counted, duration, size } from "../format.ts";
import { byTime, DAY_MS, groups, type Snapshot } from "./snapshot.ts";

/** How a snapshot is judged. */
export interface Limits {
  /** The longest that a backup takes, in milliseconds: its time is that of its beginning. */
  readonly longestBackup: number;
  /** When each snapshot's file arrived at the hub, in milliseconds since 1970. */
  readonly arrivals: ReadonlyMap<string, number>;
  /** Ids of snapshots that the operator trusts. */
  readonly trusted: ReadonlySet<string>;
}

/** By how much a host's clock may be ahead of the hub's. */
const SKEW_MS = 10 * 60_000;
/** Summer time and its like; a machine does not move further. */
const ZONE_MINUTES = 120;
/** Below this size a change of size says nothing. */
const NOTABLE_BYTES = 1024 ** 2;

/**
 * Why snapshots are suspicious, by id:
 *
 * - it claims a time after its file arrived, or so long before that no backup takes that long;
 * - it is less than half as large as its group's largest since the last that the operator trusts:
 *   an empty folder, or a disk that was not mounted;
 * - its time zone is another than that of the trusted one before it: which day it is of could be
 *   chosen so.
 */
export function suspicions(snapshots: readonly Snapshot[], limits: Limits): Map<string, string> {
  const found = new Map<string, string>();
  for (const group of groups(snapshots)) {
    let largest = 0;
    let zone: number | undefined;
    for (const snapshot of group.toSorted(byTime)) {
      const { bytes, time } = snapshot;
      const trusted = limits.trusted.has(snapshot.id);
      const reason = trusted
        ? undefined
        : (forgedTime(snapshot, limits) ?? moved(snapshot, zone) ?? shrunk(snapshot, largest));
      if (reason !== undefined) {
        found.set(snapshot.id, reason);
        continue;
      }
      zone = time.offsetMinutes;
      if (bytes !== undefined) largest = trusted ? bytes : Math.max(largest, bytes);
    }
  }
  return found;
}

function forgedTime(snapshot: Snapshot, limits: Limits): string | undefined {
  const arrived = limits.arrivals.get(snapshot.id);
  if (arrived === undefined) return "when its file arrived is not known";
  const took = arrived - snapshot.time.milliseconds;
  if (took < -SKEW_MS) return `claims a time ${span(-took)} after its file arrived`;
  if (took > limits.longestBackup) return `claims a time ${span(took)} before its file arrived`;
  return undefined;
}

function moved(snapshot: Snapshot, zone: number | undefined): string | undefined {
  if (zone === undefined) return undefined;
  const { offsetMinutes } = snapshot.time;
  if (Math.abs(offsetMinutes - zone) <= ZONE_MINUTES) return undefined;
  return `its time zone is ${hours(offsetMinutes)}, the one before it had ${hours(zone)}`;
}

function shrunk(snapshot: Snapshot, largest: number): string | undefined {
  const { bytes } = snapshot;
  if (bytes === undefined || largest < NOTABLE_BYTES || bytes >= largest / 2) return undefined;
  return `holds ${size(bytes)}, where one before it held ${size(largest)}`;
}

/**
 * Says so where far more snapshots arrived in the last 24 hours than do on the days before; each
 * takes the place of the day's one before it.
 */
export function crowd(arrivals: ReadonlyMap<string, number>, now: number): string | undefined {
  const perDay = new Map<number, number>();
  for (const arrived of arrivals.values()) {
    const daysAgo = Math.floor((now - arrived) / DAY_MS);
    perDay.set(daysAgo, (perDay.get(daysAgo) ?? 0) + 1);
  }
  const today = perDay.get(0) ?? 0;
  const before = [...perDay].filter(([daysAgo]) => daysAgo > 0).map(([, count]) => count);
  const usual = Math.max(0, ...before);
  if (before.length === 0 || today <= Math.max(6, 2 * usual)) return undefined;
  return `${counted(today, "snapshot")} arrived in 24 hours, where there were never more than ${usual}`;
}

function span(milliseconds: number): string {
  if (milliseconds >= 2 * DAY_MS) return counted(Math.round(milliseconds / DAY_MS), "day");
  return duration(milliseconds / 1000);
}

function hours(minutes: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const of = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(of / 60))}:${two(of % 60)}`;
}
