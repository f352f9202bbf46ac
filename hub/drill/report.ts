import type { CredentialAge } from "../targets/target.ts";

/** What one check said of what was restored. */
export interface CheckReport {
  readonly name: string;
  /** The file that it looked at, below the folder of what was restored. */
  readonly file: string | null;
  /** `skipped`: it could not be made here; the detail says why. */
  readonly outcome: "passed" | "failed" | "skipped";
  readonly seconds: number;
  /** What it found, on one line; why it failed or was skipped. */
  readonly detail: string;
}

/** One snapshot that was restored. */
export interface RestoredSnapshot {
  readonly id: string;
  readonly time: string;
  /** Its age when the drill began. */
  readonly ageHours: number;
  readonly paths: readonly string[];
  readonly files: number;
  readonly bytes: number;
}

/** One host's drill from one target. Times in seconds. */
export interface HostDrill {
  readonly target: string;
  readonly host: string;
  readonly started: string;
  outcome: "ok" | "failed";
  seconds: number;
  readonly phases: { find: number; restore: number; checks: number };
  credential: CredentialAge | "restore" | null;
  readonly snapshots: RestoredSnapshot[];
  readonly checks: CheckReport[];
  readonly notices: string[];
  readonly errors: string[];
  /** The folder of what was restored, where it was to be kept. */
  kept: string | null;
}

/** One breakage of a control, and whether the drill noticed it. */
export interface Breakage {
  /** What was broken, and where. */
  readonly what: string;
  readonly noticed: boolean;
  /** What the drill said of it, or that it said nothing. */
  readonly detail: string;
}

/** One host's control at one target. */
export interface HostControl {
  readonly target: string;
  readonly host: string;
  readonly started: string;
  outcome: "ok" | "failed";
  seconds: number;
  readonly breakages: Breakage[];
  readonly notices: string[];
  readonly errors: string[];
}

/** One rehearsal of a theft at a target. */
export interface ThiefReport {
  readonly target: string;
  readonly started: string;
  outcome: "ok" | "failed";
  seconds: number;
  /** Files of the canary. */
  files: number;
  /** What was done, in its order. */
  readonly steps: string[];
  readonly notices: string[];
  readonly errors: string[];
}

/** A drill that is to be reported on. */
export function newDrill(target: string, host: string): HostDrill {
  return {
    target,
    host,
    started: new Date().toISOString(),
    outcome: "failed",
    seconds: 0,
    phases: { find: 0, restore: 0, checks: 0 },
    credential: null,
    snapshots: [],
    checks: [],
    notices: [],
    errors: [],
    kept: null,
  };
}

/** What is wrong with what was asked for or found; it ends this host's drill. */
export class DrillError extends Error {
  override name = "DrillError";
}

/** Seconds since a moment of `performance.now()`. */
export function since(begin: number): number {
  return (performance.now() - begin) / 1000;
}
