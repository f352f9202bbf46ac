import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { counted } from "../format.ts";
import { fileCount } from "../repository/listing.ts";
import type { Inventory, Target } from "../targets/target.ts";
import { refusal } from "./identity.ts";
import { lacking, type HostRun } from "./mirror-hosts.ts";
import type { HostReport } from "./report.ts";
import type { MirrorTargetOptions } from "./mirror-target.ts";
import { listForMirror, type HubListing } from "./settled.ts";
import { arrivals, recall, remember, unexplained, type Arrivals } from "./shrinkage.ts";

/** A host that may be mirrored. */
export interface Planned extends HostRun {
  listing: HubListing;
  /** How many files the target lacked at first, and their sizes together. */
  readonly files: number;
  readonly bytes: number;
  /** The hub's snapshots. */
  readonly arrivals: Arrivals;
}

/**
 * Looks at one host before anything is sent.
 *
 * @param inventory - what the target has of it.
 * @returns undefined where nothing is to be done, which the report explains. A host that lacks
 * nothing is `complete` already.
 */
export async function plan(
  target: Target,
  host: string,
  inventory: Inventory,
  report: HostReport,
  options: MirrorTargetOptions,
): Promise<Planned | undefined> {
  const directory = join(options.repositories, host);
  try {
    const listing = await listForMirror(directory);
    const run: HostRun = { host, directory, inventory, report };
    const lack = lacking(run, listing);
    report.waitingFiles = lack.files;
    report.waitingBytes = lack.bytes;
    const reason = refusal(directory, listing, inventory);
    if (reason !== undefined) {
      report.outcome = "refused";
      report.errors.push(reason);
      return undefined;
    }
    const now = arrivals(directory, listing.files.snapshots);
    const question = shrunk(target, host, now, options);
    if (question !== undefined) {
      report.outcome = "refused";
      report.asks.push(question);
      return undefined;
    }
    if (listing.config === undefined) {
      report.outcome = "absent";
      report.notices.push("the host has not backed up to the hub yet");
      return undefined;
    }
    const odd = listing.files.snapshots.count > 0 && listing.files.index.count === 0;
    if (lack.files === 0 && !odd && !options.dryRun) {
      // Most nights of most hosts: what was just listed is all there, so it need not be listed again.
      report.outcome = "complete";
      report.verified = true;
      report.skipped = fileCount(listing);
      report.snapshots = listing.files.snapshots.count;
    }
    return { ...run, ...lack, listing, arrivals: now };
  } catch (error) {
    report.errors.push(messageOf(error));
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

/** Remembers the hub's snapshots, for the next run to tell what has gone. */
export function rememberSnapshots(
  target: Target,
  run: Planned,
  options: MirrorTargetOptions,
): void {
  try {
    remember(statePath(target, run.host, options), run.arrivals);
  } catch (error) {
    run.report.notices.push(`cannot remember the snapshots: ${messageOf(error)}`);
  }
}

function statePath(target: Target, host: string, options: MirrorTargetOptions): string {
  return join(options.state, "snapshots", target.name, `${host}.json`);
}
