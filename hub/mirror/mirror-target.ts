import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { counted, size } from "../format.ts";
import type { Progress } from "../progress.ts";
import { HASHED_KINDS } from "../repository/layout.ts";
import { fileCount, listRepository } from "../repository/listing.ts";
import type { Retention } from "../settings.ts";
import { StopError, type CredentialAge, type Inventory, type Target } from "../targets/target.ts";
import { refusal } from "./identity.ts";
import { lacking, mirrorHosts, type HostRun } from "./mirror-hosts.ts";
import { arrivals, recall, remember, unexplained, type Arrivals } from "./shrinkage.ts";
import { newHostReport, type HostReport, type TargetReport } from "./report.ts";

/** What to mirror to a target. */
export interface MirrorTargetOptions {
  readonly hosts: readonly string[];
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** The agent's folder for what it remembers. */
  readonly state: string;
  readonly retention: Retention;
  /** Go on although the hub has lost more snapshots than its retention takes. */
  readonly allowRemoval: boolean;
  readonly dryRun: boolean;
  readonly progress: Progress;
  /** Called when a host is done with; `errors` are those that concern it and not the target. */
  readonly onHost: (host: string, report: HostReport, errors: readonly string[]) => void;
}

interface Planned extends HostRun {
  readonly files: number;
  readonly bytes: number;
  /** The hub's snapshots. */
  readonly arrivals: Arrivals;
}

/** Mirrors hosts to one target. Whatever goes wrong is in the report. */
export async function mirrorTarget(
  target: Target,
  options: MirrorTargetOptions,
): Promise<TargetReport> {
  const report: TargetReport = { credential: null, hosts: {}, errors: [] };
  for (const host of options.hosts) report.hosts[host] = newHostReport();
  const finish = (host: string): void => {
    const done = report.hosts[host];
    if (done === undefined) return;
    done.credential = target.credential(host) ?? null;
    const errors = done.errors.filter((error) => !report.errors.includes(error));
    options.onHost(host, done, errors);
  };
  const inventories = await inventory(target, options.hosts, report);
  const runs: Planned[] = [];
  for (const [host, found] of inventories) {
    const run = await plan(target, host, found, report, options);
    if (run === undefined) finish(host);
    else runs.push(run);
  }
  const fitting = refuseOverQuota(target, inventories, runs, finish);
  options.progress.expect(target.name, sum(fitting, "files"), sum(fitting, "bytes"));
  for (const group of groups(fitting, target.groupBytes)) {
    try {
      if (options.dryRun) group.forEach(estimate);
      else if (report.errors.length === 0) await mirrorHosts(target, group, options.progress);
      else for (const run of group) run.report.errors.push(...report.errors);
    } catch (error) {
      report.errors.push(messageOf(error));
    }
    for (const run of group) {
      if (run.report.outcome === "complete") rememberSnapshots(target, run, options);
      finish(run.host);
    }
  }
  report.credential = worst(Object.values(report.hosts));
  return report;
}

async function inventory(
  target: Target,
  hosts: readonly string[],
  report: TargetReport,
): Promise<Map<string, Inventory | Error>> {
  try {
    return await target.inventory(hosts);
  } catch (error) {
    report.errors.push(messageOf(error));
    return new Map(hosts.map((host) => [host, new Error(messageOf(error))]));
  }
}

/** Looks at one host before anything is sent; undefined where nothing is to be done for it. */
async function plan(
  target: Target,
  host: string,
  found: Inventory | Error,
  targetReport: TargetReport,
  options: MirrorTargetOptions,
): Promise<Planned | undefined> {
  const report = targetReport.hosts[host] ?? newHostReport();
  if (found instanceof Error) {
    const message = messageOf(found);
    report.errors.push(message);
    const whole = found instanceof StopError && found.scope === "target";
    if (whole && !targetReport.errors.includes(message)) targetReport.errors.push(message);
    return undefined;
  }
  const directory = join(options.repositories, host);
  const run: HostRun = { host, directory, inventory: found, report };
  try {
    const listing = await listRepository(directory);
    const now = arrivals(directory, listing.files.snapshots);
    const reason = refusal(directory, listing, found) ?? shrunk(target, host, now, options);
    if (reason !== undefined) {
      report.outcome = "refused";
      report.errors.push(reason);
      return undefined;
    }
    if (listing.config === undefined) {
      report.outcome = "absent";
      report.notices.push("the host has not backed up to the hub yet");
      return undefined;
    }
    const lack = lacking(run, listing);
    const odd = listing.files.snapshots.count > 0 && listing.files.index.count === 0;
    if (lack.files === 0 && !odd && !options.dryRun) {
      // Most nights of most hosts: what was just listed is all there, so it need not be listed again.
      report.outcome = "complete";
      report.skipped = fileCount(listing);
      report.snapshots = listing.files.snapshots.count;
      rememberSnapshots(target, { ...run, ...lack, arrivals: now }, options);
      return undefined;
    }
    return { ...run, ...lack, arrivals: now };
  } catch (error) {
    report.errors.push(`cannot list the hub's repository: ${messageOf(error)}`);
    return undefined;
  }
}

function shrunk(
  target: Target,
  host: string,
  now: Arrivals,
  options: MirrorTargetOptions,
): string | undefined {
  if (options.allowRemoval) return undefined;
  const before = recall(statePath(target, host, options));
  const gone = unexplained(before, now, options.retention);
  if (gone === 0) return undefined;
  return (
    `the hub has lost ${counted(gone, "snapshot")} since the last mirror that the retention keeps; the target ` +
    "still has them. Look into it, then run once with --allow-removal"
  );
}

function rememberSnapshots(target: Target, run: Planned, options: MirrorTargetOptions): void {
  try {
    remember(statePath(target, run.host, options), run.arrivals);
  } catch (error) {
    run.report.notices.push(`cannot remember the snapshots: ${messageOf(error)}`);
  }
}

function statePath(target: Target, host: string, options: MirrorTargetOptions): string {
  return join(options.state, "snapshots", target.name, `${host}.json`);
}

/**
 * Lets through the hosts that fit into what the target may hold, those that need least first, so
 * that one host that has outgrown the target does not cost the others their night.
 */
function refuseOverQuota(
  target: Target,
  inventories: ReadonlyMap<string, Inventory | Error>,
  runs: readonly Planned[],
  finish: (host: string) => void,
): Planned[] {
  const { maxBytes } = target;
  if (maxBytes === undefined) return [...runs];
  let held = 0;
  for (const found of inventories.values()) {
    if (found instanceof Error) continue;
    for (const kind of HASHED_KINDS) held += found.files[kind].bytes;
  }
  const refused = new Set<Planned>();
  for (const run of [...runs].sort((a, b) => a.bytes - b.bytes)) {
    if (held + run.bytes <= maxBytes || run.bytes === 0) {
      held += run.bytes;
      continue;
    }
    refused.add(run);
    run.report.outcome = "refused";
    run.report.errors.push(
      `${size(run.bytes)} to send, but the target holds ${size(held)} of the ${size(maxBytes)} that it may; ` +
        "raise maxSizeGiB or prune there",
    );
    finish(run.host);
  }
  return runs.filter((run) => !refused.has(run));
}

function groups(runs: readonly Planned[], groupBytes: number): Planned[][] {
  const all: Planned[][] = [];
  let bytes = Infinity;
  for (const run of runs) {
    if (bytes + run.bytes > groupBytes) {
      all.push([]);
      bytes = 0;
    }
    all.at(-1)?.push(run);
    // With a group of no bytes, each host is a group of its own.
    bytes += Math.max(1, run.bytes);
  }
  return all;
}

function estimate(run: Planned): void {
  run.report.outcome = "planned";
  run.report.files = run.files;
  run.report.bytes = run.bytes;
}

function sum(runs: readonly Planned[], what: "files" | "bytes"): number {
  return runs.reduce((total, run) => total + run[what], 0);
}

/** What says most about a deployment that is owed: "previous", then "next", then "current". */
function worst(reports: readonly HostReport[]): CredentialAge | null {
  const ages = reports.map((report) => report.credential);
  return (["previous", "next", "current"] as const).find((age) => ages.includes(age)) ?? null;
}
