/** What verify remembers of a run, for `status` and `metrics`. */
import { AT_HUB, recordResult, type Facts } from "../results.ts";
import type { HostVerification, HubVerification, TargetVerification } from "./report.ts";

const NOTHING: Facts<"verify"> = {
  files: 0,
  bytes: 0,
  missing: 0,
  damaged: 0,
  strangers: 0,
  readFiles: 0,
  readBytes: 0,
};

/** Remembers what a host's files at the hub were like. */
export function recordHub(
  state: string,
  host: string,
  started: Date,
  { read, errors }: HubVerification,
): void {
  recordResult(state, "verify", AT_HUB, host, {
    ...outcome(started, errors),
    facts: {
      ...NOTHING,
      damaged: read.damaged.count,
      readFiles: read.files,
      readBytes: read.bytes,
    },
  });
}

/**
 * Remembers a target's verification: under each host, with what failed for the target as a whole
 * under "*". A host that was not come to has failed.
 */
export function recordTarget(
  state: string,
  target: string,
  hosts: readonly string[],
  started: Date,
  report: TargetVerification,
): void {
  recordResult(state, "verify", target, "*", {
    ...outcome(started, report.errors),
    facts: {
      ...NOTHING,
      ...(report.keys !== undefined && { keys: [...report.keys] }),
      ...(report.certificate !== undefined && { certificate: report.certificate }),
    },
  });
  for (const host of hosts) {
    const each = report.hosts[host];
    const errors = each === undefined ? report.errors : each.errors;
    recordResult(state, "verify", target, host, {
      ...outcome(started, errors),
      ...(each !== undefined && { seconds: each.seconds }),
      facts: each === undefined ? NOTHING : factsOf(each),
    });
  }
}

function factsOf(report: HostVerification): Facts<"verify"> {
  const { wrongSize, wrongHash, read } = report;
  return {
    files: report.files,
    bytes: report.bytes,
    missing: report.missing.count,
    damaged: wrongSize.count + wrongHash.count + read.damaged.count,
    strangers: report.strangers.count,
    readFiles: read.files,
    readBytes: read.bytes,
    waiting: report.waiting.count,
    freshAsOf: report.freshAsOf,
    credential: report.credential,
    generation: report.generation,
    accepted: report.accepted,
  };
}

function outcome(started: Date, errors: readonly string[]) {
  return {
    started: started.toISOString(),
    seconds: (Date.now() - started.getTime()) / 1000,
    outcome: errors.length === 0 ? ("ok" as const) : ("failed" as const),
    errors: [...errors],
  };
}
