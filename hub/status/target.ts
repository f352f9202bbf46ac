import { join } from "node:path";
import type { HubCredentials, Manifest } from "../../config/manifest.ts";
import { recall } from "../mirror/shrinkage.ts";
import type { Settings } from "../settings.ts";
import { readResults, type Result, type ResultKind } from "../results.ts";
import { keyEnd } from "../targets/key-end.ts";
import type { Findings } from "./findings.ts";
import { judgeRun, runStatus } from "./host.ts";
import { judgePlace, type Memory } from "./place.ts";
import type {
  CertificateStatus,
  CredentialStatus,
  HostAtTarget,
  KeyStatus,
  TargetStatus,
  Thresholds,
} from "./report.ts";
import type { Scan } from "./scan.ts";

/** Whom a result is for that concerns a target as a whole. */
const ALL_HOSTS = "*";
const GIB = 2 ** 30;

/** A host, and what the hub holds of it. */
export interface HostAtHub {
  readonly host: string;
  /** Its user name at a rest-server. */
  readonly user: string;
  readonly scan: Scan;
}

/** What a target is judged by. */
export interface TargetEvidence {
  readonly manifest: Manifest;
  readonly state: string;
  readonly credentials: HubCredentials | undefined;
  readonly settings: Settings;
  readonly thresholds: Thresholds;
  readonly now: Date;
}

/** Judges a target by what the commands remembered. */
export function judgeTarget(
  target: string,
  hosts: readonly HostAtHub[],
  evidence: TargetEvidence,
  problems: Findings,
  notices: Findings,
): TargetStatus {
  const { state, settings, thresholds, credentials } = evidence;
  const { retention } = settings;
  const now = evidence.now.getTime();
  const mirrors = resultsOf(state, "mirror", target);
  const verifies = resultsOf(state, "verify", target);
  const drills = resultsOf(state, "drill", target);
  const controls = resultsOf(state, "control", target);
  const found: [HostAtHub, HostAtTarget][] = hosts.map((each) => {
    const memory: Memory = {
      mirror: mirrors.get(each.host),
      verify: verifies.get(each.host),
      drill: drills.get(each.host),
      control: controls.get(each.host),
    };
    const mirrored = recall(join(state, "snapshots", target, `${each.host}.json`));
    const place = { ...each, target, memory, mirrored, credentials, retention, thresholds, now };
    return [each, judgePlace(place, problems, notices)];
  });
  const verify = verifies.get(ALL_HOSTS);
  if (verify !== undefined) {
    judgeRun(target, "", "verify", verify, thresholds.verify, now, problems);
  }
  const [thief] = resultsOf(state, "thief", target).values();
  if (thief !== undefined) {
    judgeRun(target, "", "drill --thief", thief, Infinity, now, problems);
  }
  const places = found.map(([, place]) => place);
  const expected = found.filter(([{ scan }]) => scan.snapshots.size > 0).map(([, place]) => place);
  const manifest = evidence.manifest.targets[target];
  return {
    type: manifest?.type ?? "",
    reachable: reachable(mirrors, verifies),
    fresh: expected.every((place) => place.fresh),
    freshAsOf: oldest(expected.map((place) => place.freshAsOf)),
    waitingFiles: places.reduce((sum, place) => sum + place.waitingFiles, 0),
    waitingBytes: places.reduce((sum, place) => sum + place.waitingBytes, 0),
    credential: worst(places.map((place) => place.credential)),
    keys: keysOf(target, verify, evidence, problems, notices),
    certificate: certificateOf(verify),
    limitBytes:
      manifest !== undefined && "maxSizeGiB" in manifest ? manifest.maxSizeGiB * GIB : null,
    verify: runStatus(verify),
    thief: runStatus(thief),
    hosts: Object.fromEntries(found.map(([{ host }, place]) => [host, place])),
  };
}

/** The certificate that was seen last: a verify that did not come so far saw none. */
function certificateOf(verify: Result<"verify"> | undefined): CertificateStatus | null {
  const runs = [verify?.last, verify?.lastSuccess];
  for (const run of runs) {
    if (run?.facts.certificate) return { ...run.facts.certificate, seen: run.started };
  }
  return null;
}

/** What the last verify found of the hub's keys, where the hub still has the same. */
function keysOf(
  target: string,
  verify: Result<"verify"> | undefined,
  { credentials, now }: TargetEvidence,
  problems: Findings,
  notices: Findings,
): readonly KeyStatus[] {
  const held = credentials?.targets[target];
  const keys = (verify?.last.facts.keys ?? []).filter(
    ({ role, generation }) =>
      held === undefined ||
      held.type === "rest-server" ||
      generation === held.generation + (role === "next" ? 1 : 0),
  );
  for (const { role, expires } of keys) {
    if (expires === null) continue;
    const end = keyEnd(role, target, Date.parse(expires), now.getTime());
    if (end !== undefined) {
      (end.isOver ? problems : notices).add(target, "", `the hub's ${role} key ${end.message}`);
    }
  }
  return keys;
}

function resultsOf<Kind extends ResultKind>(
  state: string,
  kind: Kind,
  target: string,
): Map<string, Result<Kind>> {
  const results = readResults(state, kind).filter(({ place }) => place === target);
  return new Map(results.map((result) => [result.host, result]));
}

/** The hosts of one run may be noted with times of their own. */
const SAME_RUN_MS = 60_000;

/** Whether the target answered the newest run of those that ask it; one host's answer is enough. */
function reachable(
  mirrors: ReadonlyMap<string, Result<"mirror">>,
  verifies: ReadonlyMap<string, Result<"verify">>,
): boolean | null {
  const runs = [
    ...[...mirrors.values()].map(({ kind, last }) => ({
      kind,
      started: Date.parse(last.started),
      answered: last.outcome === "ok" || last.facts.credential !== null,
    })),
    ...[...verifies.values()].map(({ kind, last }) => ({
      kind,
      started: Date.parse(last.started),
      answered: last.outcome === "ok" || last.facts.files > 0,
    })),
  ];
  const [newest] = runs.sort((a, b) => b.started - a.started);
  if (newest === undefined) return null;
  return runs.some(
    ({ kind, started, answered }) =>
      answered && kind === newest.kind && newest.started - started < SAME_RUN_MS,
  );
}

/** The earliest of the times; null where one is missing, or where there are none. */
function oldest(times: readonly (string | null)[]): string | null {
  const known = times.filter((time) => time !== null);
  if (known.length < times.length) return null;
  return known.sort().at(0) ?? null;
}

function worst(all: readonly (CredentialStatus | null)[]): CredentialStatus | null {
  for (const age of ["previous", "next", "current"] as const) {
    const found = all.find((each) => each?.age === age);
    if (found) return found;
  }
  return null;
}
