/**
 * The mirror's order, and why it is safe.
 *
 * At every moment the target must be a repository that `restic check` accepts, so nothing may be
 * there that refers to something which is not: no index file without all its packs, no snapshot
 * without index files for all its blobs. The mirror cannot read either; it relies on the order in
 * which restic changes a repository, and on names being hashes of the content:
 *
 *   a. a backup writes packs, then index files for them, then the snapshot;
 *   b. a prune writes new packs, then new index files, then removes old index files, then packs;
 *      it keeps whatever the snapshots need that are there.
 *
 * So at any time T, each index file there at T has its packs there at T, and the index files there
 * at T together cover each snapshot there at T.
 *
 * A run lists snapshots (S), then the index as of one moment T1 (I), then packs (D). It sends the
 * missing of D, then opens and sends the missing of I, then opens and sends the missing of S.
 *
 *   1. An index file of I that can be opened after D was sent was there from T1 until now, hence
 *      so were its packs (b): all of them are in D, none vanished, all are at the target.
 *   2. A snapshot of S that can be opened at the end was there at T1, hence I covers it (a, b).
 *      When all of I is at the target, and with 1 all its packs, the snapshot is complete there.
 *   3. Nothing goes from the target but what `removal.ts` hides, which nothing there needs, so
 *      what held once goes on to hold, and a run may be killed anywhere.
 *
 * A pack that vanishes while it is sent is therefore no error: if an index file of I needed it,
 * that one vanished before. An index file that vanishes means a prune: I no longer covers S, no
 * snapshot is sent, and the run lists again. A pack that is rotten, unreadable or refused could be
 * needed by any index file that the target does not have yet, so none of them is sent, and no
 * snapshot; an index file that cannot be sent holds back the snapshots only.
 */
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { counted } from "../format.ts";
import type { Progress } from "../progress.ts";
import { FOREIGN_KEY, isForeignKey } from "../repository/key-file.ts";
import { KINDS, pathOf, type Kind, type RepositoryFile } from "../repository/layout.ts";
import { fileCount, type LocalListing } from "../repository/listing.ts";
import { openIfPresent, RottenFileError, verifyFile } from "../repository/verified-read.ts";
import { StopError, type Inventory, type SendResult, type Target } from "../targets/target.ts";
import type { HostReport } from "./report.ts";
import { listForMirror, type HubListing } from "./settled.ts";

/** How often a repository is listed in one run when prunes keep changing it. */
const LISTINGS = 4;

/** One host on its way to one target. */
export interface HostRun {
  readonly host: string;
  /** Its repository at the hub. */
  readonly directory: string;
  inventory: Inventory;
  readonly report: HostReport;
  /** The hub's repository as it was listed last; all that is said of the target refers to it. */
  listing?: HubListing;
}

/** One listing of a host's repository, and how far it has come. */
interface Pass {
  readonly run: HostRun;
  readonly listing: HubListing;
  /** Why later phases must not send anything; undefined while all is well. */
  held: string | undefined;
  /** Files of the phase at work that are no longer at the hub. */
  vanished: number;
  /** Names of keys that are none. */
  readonly foreign: Set<string>;
}

/**
 * Mirrors a group of hosts to a target, phase by phase, and fills in their reports. Failures of
 * single hosts are in the reports.
 *
 * @param beforeSending - called with every listing, before anything of it is sent; a host for which
 * it throws is not mirrored.
 * @throws StopError of scope "target" where the target cannot be worked with any longer; the
 * reports are filled in before.
 */
export async function mirrorHosts(
  target: Target,
  runs: readonly HostRun[],
  progress: Progress,
  beforeSending: (run: HostRun, listing: LocalListing) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const started = performance.now();
  try {
    let pending = runs;
    for (let left = LISTINGS; pending.length > 0; left -= 1) {
      const passes = await listAll(pending, beforeSending);
      if (left === LISTINGS) passes.forEach(countPresent);
      const pruned = await mirrorOnce(target, passes, left > 1, progress);
      for (const run of pruned) {
        run.report.notices.push("pruned at the hub during the mirror; listed again");
      }
      pending = pruned;
    }
  } finally {
    for (const run of runs) {
      run.report.seconds = (performance.now() - started) / 1000;
      run.report.outcome = run.report.errors.length === 0 ? "complete" : "incomplete";
    }
  }
}

/** The files of a listing that the target does not have, or has in another size. */
export function* missing(
  run: HostRun,
  listing: LocalListing,
  kind: Kind,
): Generator<RepositoryFile> {
  const { host, inventory } = run;
  if (kind === "config") {
    if (listing.config !== undefined && inventory.config === undefined) {
      yield { host, kind, name: "config", size: listing.config };
    }
    return;
  }
  for (const [name, size] of listing.files[kind].entries()) {
    if (inventory.files[kind].get(name) !== size) yield { host, kind, name, size };
  }
}

/** How many files a repository lacks at the target, and their sizes together. */
export function lacking(run: HostRun, listing: LocalListing): { files: number; bytes: number } {
  const sum = { files: 0, bytes: 0 };
  for (const kind of KINDS) {
    for (const file of missing(run, listing, kind)) {
      sum.files += 1;
      sum.bytes += file.size;
    }
  }
  return sum;
}

// Returns the hosts whose index changed meanwhile, so that they are to be listed again; none of
// them when this was the last time.
async function mirrorOnce(
  target: Target,
  passes: readonly Pass[],
  mayListAgain: boolean,
  progress: Progress,
): Promise<HostRun[]> {
  const again: HostRun[] = [];
  try {
    for (const kind of KINDS) {
      await sendPhase(target, kind, passes, progress);
      for (const pass of passes) {
        if (judge(pass, kind) === "pruned" && mayListAgain) again.push(pass.run);
      }
    }
  } catch (error) {
    for (const { run, listing } of passes) {
      if (lacking(run, listing).files > 0) run.report.errors.push(messageOf(error));
    }
    if (!(error instanceof StopError && error.scope === "host")) throw error;
    return [];
  } finally {
    for (const pass of passes) if (!again.includes(pass.run)) conclude(pass);
  }
  return again;
}

function countPresent({ run, listing }: Pass): void {
  run.report.skipped = fileCount(listing) - lacking(run, listing).files;
}

async function listAll(
  runs: readonly HostRun[],
  beforeSending: (run: HostRun, listing: LocalListing) => Promise<void>,
): Promise<Pass[]> {
  const passes: Pass[] = [];
  for (const run of runs) {
    try {
      const listing = await listForMirror(run.directory);
      run.listing = listing;
      const pass: Pass = { run, listing, held: undefined, vanished: 0, foreign: new Set() };
      if (listing.files.snapshots.count > 0 && listing.files.index.count === 0) {
        // Only a prune with --unsafe-recover-no-free-space leaves a repository so, for a while.
        pass.held = "the hub's repository has snapshots but no index: is a repair at work?";
      }
      await beforeSending(run, listing);
      passes.push(pass);
    } catch (error) {
      run.report.errors.push(messageOf(error));
    }
  }
  return passes;
}

async function sendPhase(
  target: Target,
  kind: Kind,
  passes: readonly Pass[],
  progress: Progress,
): Promise<void> {
  const byHost = new Map<string, Pass>();
  for (const pass of passes) {
    pass.vanished = 0;
    if (pass.held !== undefined || missing(pass.run, pass.listing, kind).next().done === true)
      continue;
    byHost.set(pass.run.host, pass);
    if (kind === "keys") reportForeignKeys(pass);
    if (!target.replaces) await reportDamaged(pass, kind);
  }
  if (byHost.size === 0) return;
  progress.phase(target.name, kind);
  await target.send(sendable(target, kind, [...byHost.values()]), {
    bytes: (count) => progress.bytes(target.name, count),
    done: (file, result) => {
      progress.file(target.name);
      const pass = byHost.get(file.host);
      if (pass !== undefined) record(pass, file, result);
    },
  });
}

function* sendable(target: Target, kind: Kind, passes: readonly Pass[]): Generator<RepositoryFile> {
  for (const { run, listing, foreign } of passes) {
    for (const file of missing(run, listing, kind)) {
      if (foreign.has(file.name)) continue;
      if (target.replaces || !isDamaged(run, file)) yield file;
    }
  }
}

function record(pass: Pass, file: RepositoryFile, result: SendResult): void {
  const { run } = pass;
  switch (result.result) {
    case "sent":
      if (isDamaged(run, file)) {
        run.report.errors.push(
          `${pathOf(file.kind, file.name)}: the target's copy had another size; a good one was sent ` +
            "over it, and the old version can still be looked at",
        );
      }
      run.report.files += 1;
      run.report.bytes += file.size;
      markPresent(run, file);
      break;
    case "present":
      run.report.skipped += 1;
      markPresent(run, file);
      break;
    case "vanished":
      pass.vanished += 1;
      break;
    case "rotten":
      run.report.errors.push(
        `${pathOf(file.kind, file.name)}: rotten at the hub, not sent: ${result.reason}`,
      );
      break;
    case "failed":
      run.report.errors.push(`${pathOf(file.kind, file.name)}: not sent: ${result.reason}`);
      break;
  }
}

/**
 * Decides what the end of a phase means for the phases after it, from what the target now holds
 * rather than from what was heard on the way.
 */
function judge(pass: Pass, kind: Kind): "pruned" | undefined {
  if (pass.held !== undefined) return undefined;
  const { run, listing } = pass;
  const absent = count(missing(run, listing, kind));
  switch (kind) {
    case "keys":
      // Without any key the target would be no repository that can be opened.
      if (absent > 0 && absent === listing.files.keys.count) pass.held = "no key could be sent";
      return undefined;
    case "config":
      if (run.inventory.config === undefined) pass.held = "config could not be sent";
      return undefined;
    case "data":
      if (absent > pass.vanished) {
        pass.held = `not all packs are at the target (${counted(absent - pass.vanished, "pack")} missing), and any newer index may refer to them`;
      }
      return undefined;
    case "index":
      if (absent === 0) return undefined;
      pass.held = "the hub's repository was pruned again and again during the mirror";
      if (pass.vanished === absent) return "pruned";
      pass.held = "not all index files are at the target, and any newer snapshot may need them";
      return undefined;
    case "snapshots":
      return undefined;
  }
}

function conclude(pass: Pass): void {
  const { run, listing } = pass;
  const absent = count(missing(run, listing, "snapshots"));
  run.report.snapshots = listing.files.snapshots.count - absent;
  if (pass.held === undefined) return;
  const index = count(missing(run, listing, "index"));
  run.report.errors.push(
    `held back ${counted(index, "index file")} and ${counted(absent, "snapshot")}: ${pass.held}`,
  );
}

/** Says which files in `keys` are not sent, for nobody could open the target with them there. */
function reportForeignKeys({ run, listing, foreign }: Pass): void {
  for (const { name } of missing(run, listing, "keys")) {
    const path = pathOf("keys", name);
    if (!isForeignKey(join(run.directory, path), name)) continue;
    foreign.add(name);
    run.report.errors.push(`${path}: not sent: ${FOREIGN_KEY}`);
  }
}

/** Says which copies at the target have a wrong size while the hub's is good. */
async function reportDamaged(pass: Pass, kind: Kind): Promise<void> {
  for (const file of missing(pass.run, pass.listing, kind)) {
    if (!isDamaged(pass.run, file)) continue;
    const path = pathOf(kind, file.name);
    const problem = await problemAtHub(join(pass.run.directory, path), file.name);
    pass.run.report.errors.push(
      problem === undefined
        ? `${path}: damaged at the target, which has another size; there it can be removed by the operator alone`
        : `${path}: ${problem} at the hub, and of another size at the target`,
    );
  }
}

async function problemAtHub(path: string, name: string): Promise<string | undefined> {
  try {
    const file = await openIfPresent(path);
    if (file === undefined) return "gone";
    await verifyFile(file, name).finally(() => file.handle.close());
    return undefined;
  } catch (error) {
    return error instanceof RottenFileError ? "rotten" : messageOf(error);
  }
}

function isDamaged(run: HostRun, file: RepositoryFile): boolean {
  return file.kind !== "config" && run.inventory.files[file.kind].has(file.name);
}

function markPresent(run: HostRun, file: RepositoryFile): void {
  if (file.kind === "config") run.inventory.config = { size: file.size };
  else run.inventory.files[file.kind].set(file.name, file.size);
}

function count(files: Iterable<unknown>): number {
  const iterator = files[Symbol.iterator]();
  let sum = 0;
  while (iterator.next().done !== true) sum += 1;
  return sum;
}
