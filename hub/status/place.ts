import type { HubCredentials } from "../../config/manifest.ts";
import { counted } from "../format.ts";
import { unexplained, type Arrivals } from "../mirror/shrinkage.ts";
import type { Result, Run } from "../results.ts";
import type { Retention } from "../settings.ts";
import { GENERATION_OFFSETS, owedDeployment } from "../targets/target.ts";
import { age, when, type Findings } from "./findings.ts";
import { judgeRun, runStatus } from "./host.ts";
import type { CredentialStatus, HostAtTarget, Thresholds } from "./report.ts";
import type { Scan } from "./scan.ts";

/** What is remembered of one host at one target. */
export interface Memory {
  readonly mirror: Result<"mirror"> | undefined;
  readonly verify: Result<"verify"> | undefined;
  readonly drill: Result<"drill"> | undefined;
  readonly control: Result<"control"> | undefined;
}

/** What one host at one target is judged by. */
export interface PlaceEvidence {
  readonly target: string;
  readonly host: string;
  /** Its user name at the target, where that is a rest-server. */
  readonly user: string;
  readonly scan: Scan;
  readonly memory: Memory;
  /** The snapshots that were at the hub at the last complete mirror. */
  readonly mirrored: Arrivals;
  readonly credentials: HubCredentials | undefined;
  readonly retention: Retention;
  readonly thresholds: Thresholds;
  readonly now: number;
}

/** Judges one host at one target by what the commands remembered. */
export function judgePlace(
  evidence: PlaceEvidence,
  problems: Findings,
  notices: Findings,
): HostAtTarget {
  const { target, host, scan, memory, mirrored, thresholds, now } = evidence;
  const { mirror, verify, drill, control } = memory;
  const freshAsOf = freshSince(memory);
  const seconds = freshAsOf === null ? Infinity : (now - Date.parse(freshAsOf)) / 1000;
  // A time in the future says that a clock was wrong, and nothing about the target.
  const fresh = seconds <= thresholds.backup && seconds > -3600;
  const runs = [
    ["mirror", mirror, Infinity],
    ["verify", verify, thresholds.verify],
    ["drill", drill, thresholds.drill],
    ["drill --control", control, Infinity],
  ] as const;
  for (const [what, result, threshold] of runs) {
    if (result !== undefined) judgeRun(target, host, what, result, threshold, now, problems);
  }
  if (scan.snapshots.size > 0) {
    if (!fresh) problems.add(target, host, notFresh(freshAsOf, seconds, memory, thresholds));
    if (verify === undefined) notices.add(target, host, "never verified");
    if (drill === undefined) notices.add(target, host, "no drill yet");
  }
  const lostSnapshots =
    scan.errors.length > 0 ? null : unexplained(mirrored, scan.snapshots, evidence.retention);
  if (lostSnapshots !== null && lostSnapshots > 0 && scan.snapshots.size > 0) {
    problems.add(
      target,
      host,
      `the hub has lost ${counted(lostSnapshots, "snapshot")} that the retention keeps, and the target still has: find out why before the next prune`,
    );
  }
  const credential = credentialOf(evidence);
  if (credential !== null && credential.age !== "current") {
    notices.add(target, host, owedDeployment(credential.age));
  }
  return {
    fresh,
    freshAsOf,
    snapshots: [...scan.snapshots.keys()].filter((id) => mirrored.has(id)).length,
    ...waiting(scan, mirror),
    heldBytes: mirror?.last.facts.heldBytes ?? mirror?.lastSuccess?.facts.heldBytes ?? null,
    lostSnapshots,
    credential,
    mirror: runStatus(mirror),
    verify: runStatus(verify),
    drill: runStatus(drill),
    control: runStatus(control),
  };
}

/**
 * The start of the last mirror that was completed and verified, unless a verify has found fault
 * since. A mirror compares names and sizes, so what a verify found damaged stays so until a verify
 * has passed.
 */
function freshSince({ mirror, verify }: Memory): string | null {
  const success = mirror?.lastSuccess;
  if (!success) return null;
  if (verify?.last.outcome === "failed") {
    const { started, facts } = verify.last;
    if (facts.damaged > 0 || Date.parse(started) > Date.parse(success.started)) return null;
  }
  return success.started;
}

function notFresh(
  freshAsOf: string | null,
  seconds: number,
  { mirror }: Memory,
  thresholds: Thresholds,
): string {
  if (freshAsOf !== null) {
    return seconds < 0
      ? `fresh as of a time in the future (${when(freshAsOf)}): the hub's clock was wrong; run mirror again`
      : `not fresh: complete as of ${when(freshAsOf)}, ${age(seconds)} ago, and ${age(thresholds.backup)} are allowed. Look at the mirror`;
  }
  return mirror?.lastSuccess
    ? "not fresh: a verify failed after the last complete mirror. Look at what it found, mend it, and run verify again"
    : "not fresh: no mirror of it has been completed yet. Look at the mirror";
}

/**
 * What the last mirror left over, and what has arrived since: a successful one has everything that
 * was there when it began.
 */
function waiting(
  scan: Scan,
  mirror: Result<"mirror"> | undefined,
): Pick<HostAtTarget, "waitingFiles" | "waitingBytes"> {
  const last = mirror?.last;
  const sum = {
    waitingFiles: last?.facts.waitingFiles ?? 0,
    waitingBytes: last?.facts.waitingBytes ?? 0,
  };
  const since = last === undefined ? 0 : last.outcome === "ok" ? begin(last) : end(last);
  for (const [time, bytes] of scan.arrivals) {
    if (time < since) continue;
    sum.waitingFiles += 1;
    sum.waitingBytes += bytes;
  }
  return sum;
}

function begin(run: Run<"mirror">): number {
  return Date.parse(run.started);
}

function end(run: Run<"mirror">): number {
  return begin(run) + run.seconds * 1000;
}

/** The credential that a mirror or a verify used last. */
function credentialOf(evidence: PlaceEvidence): CredentialStatus | null {
  const { mirror, verify } = evidence.memory;
  const uses = [mirror?.last, mirror?.lastSuccess, verify?.last, verify?.lastSuccess].flatMap(
    (run) => {
      if (!run?.facts.credential) return [];
      const { credential: used, generation, accepted } = run.facts;
      return [{ used, generation, accepted, time: Date.parse(accepted ?? run.started) }];
    },
  );
  const [last] = uses.sort((a, b) => b.time - a.time);
  if (last === undefined) return null;
  return {
    age: last.used,
    generation: last.generation ?? fromFile(evidence, last.used),
    lastUsed: last.accepted ?? null,
  };
}

/** Where the mirror did not note it: what the credentials that the hub now has make likely. */
function fromFile(
  { target, user, credentials }: PlaceEvidence,
  used: keyof typeof GENERATION_OFFSETS,
): number | null {
  const credential = credentials?.targets[target];
  const generation =
    credential?.type === "rest-server"
      ? credential.users[user]?.generation
      : credential?.generation;
  return generation === undefined ? null : generation + GENERATION_OFFSETS[used];
}
