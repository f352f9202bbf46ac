import { counted } from "../format.ts";
import type { Result, ResultKind } from "../results.ts";
import { age, firstOf, when, type Findings } from "./findings.ts";
import type { BackupOutcome, HostStatus, LastBackup, RunStatus, Thresholds } from "./report.ts";
import type { Scan } from "./scan.ts";
import type { Details } from "./snapshots.ts";

/** What one host's backups are judged by. */
export interface HostEvidence {
  readonly host: string;
  /** Whether the folder of all repositories can be read; where not, that is a problem of its own. */
  readonly readable: boolean;
  readonly scan: Scan;
  /** Who must own its repository. */
  readonly owner: number;
  readonly details: Details;
  readonly prune: Result<"prune"> | undefined;
  /** Of the hub's own files. */
  readonly verify: Result<"verify"> | undefined;
  /** When a target last got a snapshot of it from here, ISO 8601; undefined where none did. */
  readonly mirrored: string | undefined;
  readonly thresholds: Thresholds;
  readonly now: number;
}

/** How long a client goes without sending anything before it counts as gone. */
const QUIET_MS = 3_600_000;
/** restic refreshes its lock every 5 minutes, and takes one of 30 for stale. */
const LOCK_MS = 1_800_000;
/** What a clock may be wrong by before it is worth a line. */
const SKEW_MS = 3_600_000;

/** Judges a host by its repository at the hub. */
export function judgeHost(
  evidence: HostEvidence,
  problems: Findings,
  notices: Findings,
): HostStatus {
  const { host, scan, details, prune, verify, thresholds, now } = evidence;
  const newest = newestSnapshot(scan, details);
  const { outcome, active } = judgeBackup(evidence, newest, problems);
  judgeFiles(evidence, problems);
  if (details.problem !== undefined) problems.add("", host, details.problem);
  if (details.notice !== undefined) notices.add("", host, details.notice);
  if (verify !== undefined) {
    const what = "verify of the hub's own files";
    judgeRun("", host, what, verify, thresholds.verify, now, problems);
  }
  if (prune !== undefined) {
    judgeRun("", host, "prune", prune, thresholds.prune, now, problems);
    const { suspicious } = prune.last.facts;
    if (suspicious > 0) {
      notices.add(
        "",
        host,
        `the last prune found ${counted(suspicious, "snapshot")} with a suspicious time, which it neither counted nor removed: see "offsite-hub prune --dry-run"`,
      );
    }
  }
  return {
    seen: scan.present || scan.files > 0,
    readable: evidence.readable && scan.errors.length === 0,
    outcome,
    active,
    lastBackup: newest === undefined ? null : lastBackup(newest, details, now),
    snapshots: scan.snapshots.size,
    files: scan.files,
    bytes: scan.bytes,
    foreign: scan.foreignCount,
    prune: runStatus(prune),
    verify: runStatus(verify),
  };
}

/** A result as the report shows it. */
export function runStatus<Kind extends ResultKind>(
  result: Result<Kind> | undefined,
): RunStatus<Kind> | null {
  if (result === undefined) return null;
  const { last, lastSuccess } = result;
  const { started, seconds, outcome, errors, facts } = last;
  return { started, seconds, outcome, errors, lastSuccess: lastSuccess?.started ?? null, facts };
}

/** Finds fault with a command's last run, or with its last success being too long ago. */
export function judgeRun(
  place: string,
  host: string,
  what: string,
  result: Result<ResultKind>,
  threshold: number,
  now: number,
  problems: Findings,
): void {
  const { last, lastSuccess } = result;
  if (last.outcome === "failed") {
    const problem = `the last ${what} (${when(last.started)}) failed: ${firstOf(last.errors)}`;
    problems.add(place, host, problem);
    return;
  }
  if (lastSuccess === null) return;
  const seconds = (now - Date.parse(lastSuccess.started)) / 1000;
  if (seconds <= threshold) return;
  problems.add(
    place,
    host,
    `the last ${what} is ${age(seconds)} old, and ${age(threshold)} are allowed. Look at its timer`,
  );
}

type Newest = readonly [id: string, arrived: number];

/**
 * The snapshot that arrived last; of several at once, the one whose id sorts last. A file that
 * restic cannot read counts for nothing: whoever may append could send one each day.
 */
function newestSnapshot(scan: Scan, { unreadable }: Details): Newest | undefined {
  let newest: Newest | undefined;
  for (const [id, arrived] of scan.snapshots) {
    if (unreadable.has(id)) continue;
    if (newest === undefined || arrived > newest[1] || (arrived === newest[1] && id > newest[0])) {
      newest = [id, arrived];
    }
  }
  return newest;
}

function lastBackup([snapshot, arrived]: Newest, details: Details, now: number): LastBackup {
  const summary = details.snapshots.get(snapshot)?.summary ?? null;
  return {
    snapshot,
    arrived: new Date(arrived).toISOString(),
    ageSeconds: Math.max(0, Math.round((now - arrived) / 1000)),
    started: summary?.started ?? details.snapshots.get(snapshot)?.time ?? null,
    seconds: summary?.seconds ?? null,
    bytesProcessed: summary?.bytes ?? null,
    bytesAdded: summary?.bytesAdded ?? null,
  };
}

function judgeBackup(
  evidence: HostEvidence,
  newest: Newest | undefined,
  problems: Findings,
): { outcome: BackupOutcome; active: boolean } {
  const { host, scan, mirrored, thresholds, now } = evidence;
  const { newestData, newestIndex, newestLock } = scan;
  const told = (outcome: BackupOutcome, problem: string): BackupOutcome => {
    problems.add("", host, problem);
    return outcome;
  };
  // A backup writes packs, then an index, then its snapshot; a prune packs, then an index. Packs
  // that nothing followed are of one that was cut off, or is at work.
  const trailing = newestData > Math.max(newestIndex, newest?.[1] ?? 0);
  const active = now - newestLock < LOCK_MS || (trailing && now - newestData < QUIET_MS);
  if (newest === undefined) {
    if (scan.errors.length > 0 || !evidence.readable) return { outcome: "unknown", active };
    const outcome =
      mirrored === undefined
        ? told(
            "never",
            "never seen: the hub has no snapshot of it. Look whether it backs up here, or take it out of the config",
          )
        : told(
            "lost",
            `the hub has no snapshot of it any more, and a target got some from here at ${when(mirrored)}: find out why, and restore its repository from there`,
          );
    return { outcome, active };
  }
  const [, arrived] = newest;
  const seconds = (now - arrived) / 1000;
  if (arrived > now + SKEW_MS) {
    problems.add(
      "",
      host,
      `its newest snapshot arrived in the future (${when(arrived)}): the hub's clock is or was wrong`,
    );
  }
  if (seconds > thresholds.backup) {
    const outcome = told(
      "overdue",
      `overdue: its newest snapshot arrived ${age(seconds)} ago (${when(arrived)}), and ${age(thresholds.backup)} are allowed. Look at its backup`,
    );
    return { outcome, active };
  }
  if (trailing && !active) {
    const outcome = told(
      "unfinished",
      `unfinished: data arrived until ${when(newestData)}, and no snapshot after it: a backup was cut off. Look at its backup`,
    );
    return { outcome, active };
  }
  return { outcome: "ok", active };
}

function judgeFiles({ host, scan, owner }: HostEvidence, problems: Findings): void {
  for (const error of scan.errors) {
    problems.add(
      "",
      host,
      `cannot read all of its repository: ${error}; it should be user ${owner}'s, and so should who runs this`,
    );
  }
  if (scan.foreignCount > 0) {
    const more = scan.foreignCount - scan.foreign.length;
    problems.add(
      "",
      host,
      `${scan.foreignCount === 1 ? "1 file or folder" : `${scan.foreignCount} files or folders`} of its repository the hub's server cannot read or does not own ` +
        `(${scan.foreign.join(", ")}${more > 0 ? `, and ${more} more` : ""}), so that backups fail: ` +
        `chown them to user ${owner}, and see what ran as another user`,
    );
  }
  if (!scan.present && scan.files > 0 && scan.errors.length === 0) {
    problems.add(
      "",
      host,
      "its repository has no config and cannot be opened: restore that file from a target",
    );
  }
}
