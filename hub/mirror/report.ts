import type { CredentialAge } from "../targets/target.ts";

/**
 * How the mirror of one host to one target ended:
 * - `complete`: the target holds all that the hub held when it was listed;
 * - `incomplete`: it does not; `errors` say why, and the next run goes on;
 * - `refused`: nothing was sent, because that might do harm; `errors` or `asks` say what to do;
 * - `absent`: the hub has no repository of the host, nor has the target;
 * - `planned`: a dry run; `files` and `bytes` are what would be sent.
 */
export type Outcome = "complete" | "incomplete" | "refused" | "absent" | "planned";

/** The mirror of one host to one target. */
export interface HostReport {
  outcome: Outcome;
  /** Files sent. */
  files: number;
  /** The sizes of the files sent, together. */
  bytes: number;
  /** Files that were at the target already. */
  skipped: number;
  /** Snapshots of the hub that are at the target. */
  snapshots: number;
  /** Files of the hub that the target does not have, as far as is known, and their sizes together. */
  waitingFiles: number;
  waitingBytes: number;
  /** What the target holds of the host, in bytes; null where it was not listed. */
  heldBytes: number | null;
  /** Whether a listing of the target, made after the last file was sent, bears `complete` out. */
  verified: boolean;
  /** Files that were hidden at the target, for the hub has them no more; in a dry run: would be. */
  hidden: number;
  /** How long it took, waiting for other hosts of the same batch included. */
  seconds: number;
  /** The credential that the target accepted, or null where it accepted none. */
  credential: CredentialAge | null;
  /** That credential's generation, and when it was last accepted, ISO 8601; null where none was. */
  generation: number | null;
  accepted: string | null;
  /** One line each; not empty where the run failed for this host. */
  errors: string[];
  /** What was not done without the operator's word, one line each, with the option that gives it. */
  asks: string[];
  /** What is worth knowing and no failure, one line each. */
  notices: string[];
}

/** The mirror to one target. */
export interface TargetReport {
  /** The oldest, else newest credential in use: whatever is not "current" is a deployment owed. */
  credential: CredentialAge | null;
  hosts: Record<string, HostReport>;
  /** What stopped the target as a whole, one line each. */
  errors: string[];
}

/** What `offsite-hub mirror --json` writes. It changes only compatibly. */
export interface MirrorReport {
  readonly version: 1;
  /** When the run began, ISO 8601 in UTC. */
  started: string;
  seconds: number;
  targets: Record<string, TargetReport>;
  /** What concerns the hub and no target, one line each. */
  notices: string[];
}

/** A report of nothing done yet. */
export function newHostReport(): HostReport {
  return {
    outcome: "incomplete",
    files: 0,
    bytes: 0,
    skipped: 0,
    snapshots: 0,
    waitingFiles: 0,
    waitingBytes: 0,
    heldBytes: null,
    verified: false,
    hidden: 0,
    seconds: 0,
    credential: null,
    generation: null,
    accepted: null,
    errors: [],
    asks: [],
    notices: [],
  };
}

/** The exit code that a run calls for: 0, 1 where something failed, 3 where it asks only. */
export function exitCodeOf(report: MirrorReport): 0 | 1 | 3 {
  const targets = Object.values(report.targets);
  const hosts = targets.flatMap((target) => Object.values(target.hosts));
  const asks = hosts.some((host) => host.asks.length > 0);
  const failed = (host: HostReport): boolean =>
    host.errors.length > 0 ||
    (["incomplete", "refused"].includes(host.outcome) && host.asks.length === 0);
  if (targets.some((target) => target.errors.length > 0) || hosts.some(failed)) return 1;
  return asks ? 3 : 0;
}
