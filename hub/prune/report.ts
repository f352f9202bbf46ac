import type { Snapshot } from "./snapshot.ts";

/** A snapshot in a report. */
export interface SnapshotLine {
  readonly id: string;
  /** As the snapshot claims, RFC 3339. */
  readonly time: string;
  /** When its file arrived at the hub, ISO 8601 in UTC; null where that is not known. */
  readonly arrived: string | null;
}

/** A snapshot that is not what it claims. */
export interface SuspiciousLine extends SnapshotLine {
  readonly reason: string;
}

/** What a prune came to for one host. */
export interface HostPruneReport {
  /**
   * `absent`: there is no repository yet; `planned`: a dry run; `pruned`: the retention is in
   * force, whether anything was to be removed or not; `refused`: it would remove more than usual,
   * and did nothing; `failed`: see the errors.
   */
  outcome: "absent" | "planned" | "pruned" | "refused" | "failed";
  /** Snapshots that were there before. */
  snapshots: number;
  /** Snapshots that are there afterwards, or would be. */
  kept: number;
  /** Snapshots that were removed, or would be. */
  removed: SnapshotLine[];
  /** Snapshots that count for nothing and are left alone. */
  suspicious: SuspiciousLine[];
  /**
   * Half of the snapshots or more claim to be older than the first of all files is: as after a
   * restore of the hub that lost the files' times.
   */
  restored: boolean;
  /** Snapshots that the retention does not keep, and that no target is known to have. */
  unmirrored: SnapshotLine[];
  /** restic's locks of processes that are gone. */
  staleLocks: string[];
  /** Files that did not belong to the repository's owner, and do now. */
  repaired: string[];
  warnings: string[];
  errors: string[];
  seconds: number;
}

/** What `offsite-hub prune --json` writes. It changes only compatibly. */
export interface PruneReport {
  readonly version: 1;
  readonly dryRun: boolean;
  readonly hosts: Record<string, HostPruneReport>;
}

export function newHostReport(): HostPruneReport {
  return {
    outcome: "failed",
    snapshots: 0,
    kept: 0,
    removed: [],
    suspicious: [],
    restored: false,
    unmirrored: [],
    staleLocks: [],
    repaired: [],
    warnings: [],
    errors: [],
    seconds: 0,
  };
}

/** The line of a snapshot in a report. */
export function lineOf(snapshot: Snapshot, arrivals: ReadonlyMap<string, number>): SnapshotLine {
  const arrived = arrivals.get(snapshot.id);
  return {
    id: snapshot.id,
    time: snapshot.time.text,
    arrived: arrived === undefined ? null : new Date(arrived).toISOString(),
  };
}

/** The exit code: 1 where something failed, 3 where a host wants the operator's word, else 0. */
export function exitCodeOf(report: PruneReport): 0 | 1 | 3 {
  const outcomes = Object.values(report.hosts).map(({ outcome }) => outcome);
  if (outcomes.includes("failed")) return 1;
  return outcomes.includes("refused") ? 3 : 0;
}
