/** What a prune of a peer has to say: lines for people, one document for programs. */
import { counted, size } from "../../hub/format.ts";

/** What a prune came to for one host. */
export interface HostReport {
  /**
   * `absent`: the peer has no repository of it; `nothing`: there is nothing to remove; `planned`: a
   * dry run; `removed`: what was planned is gone; `refused`: see the reasons, nothing was removed;
   * `failed`: see the reasons, some of it may be gone.
   */
  outcome: "absent" | "nothing" | "planned" | "removed" | "refused" | "failed";
  /** Snapshots at the peer before. */
  snapshots: number;
  /** Those of them that go, or went. */
  going: number;
  /** Files that go, or went; with --forget only restic knows. */
  files: number | null;
  bytes: number | null;
  reasons: string[];
}

/** What `offsite prune --json` writes. It changes only compatibly. */
export interface PruneReport {
  readonly version: 1;
  readonly target: string;
  readonly mode: "mirror" | "forget" | "close";
  readonly dryRun: boolean;
  /** Whether a door was opened, and proven to be closed since. */
  door: "unused" | "closed";
  readonly hosts: Record<string, HostReport>;
}

/** Says things to the operator: on standard error where standard output is for a program. */
export class Speaker {
  readonly #json: boolean;

  constructor(json: boolean) {
    this.#json = json;
  }

  readonly say = (line = ""): void => {
    (this.#json ? process.stderr : process.stdout).write(`${line}\n`);
  };

  report(report: PruneReport): void {
    if (this.#json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  }
}

/** One line on how it ended. */
export function summary(report: PruneReport): string {
  const hosts = Object.values(report.hosts);
  const removed = hosts.filter(({ outcome }) => outcome === "removed");
  const left = hosts.filter(({ outcome }) => outcome === "refused" || outcome === "failed");
  const snapshots = removed.reduce((sum, { going }) => sum + going, 0);
  const bytes = removed.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
  const what =
    removed.length === 0
      ? "Nothing was removed"
      : `Removed ${counted(snapshots, "snapshot")} of ${counted(removed.length, "host")}${bytes > 0 ? `, ${size(bytes)}` : ""}`;
  return left.length === 0
    ? `${what}.`
    : `${what}; ${counted(left.length, "host")} left as ${left.length === 1 ? "it is" : "they are"}, see above.`;
}

/** The command's exit code: 1 too where the operator did not agree. */
export function exitCodeOf(report: PruneReport): 0 | 1 {
  const bad = Object.values(report.hosts).some(
    ({ outcome }) =>
      outcome === "refused" || outcome === "failed" || (outcome === "planned" && !report.dryRun),
  );
  return bad ? 1 : 0;
}

/** Notes that a host failed. */
export function fail(report: PruneReport, host: string, reason: string): void {
  const before = report.hosts[host];
  report.hosts[host] = {
    ...(before ?? { snapshots: 0, going: 0, files: null, bytes: null }),
    outcome: "failed",
    reasons: [reason],
  };
}

/** The report of a host of which the peer has no repository. */
export function absent(): HostReport {
  return { outcome: "absent", snapshots: 0, going: 0, files: 0, bytes: 0, reasons: [] };
}
