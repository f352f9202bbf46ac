/**
 * Removal at a target where it is hiding, after a prune at the hub; and why `restic check` accepts
 * the target at every moment of it.
 *
 * A mirror that is complete and confirmed, and whose listing is settled, takes notes: what the
 * target has and the hub no longer (an extra) goes into a batch, one for each mirror that finds
 * new ones. Say that mirror n found the hub to have the snapshots S(n), index files I(n) and packs
 * D(n). The listing being settled, I(n) covers S(n), and D(n) has all packs of I(n) (b in
 * `mirror-hosts.ts`); the mirror being complete, all of I(n) and its packs are at the target.
 *
 *   1. An extra is noted by mirror n only if it is in none of S(n), I(n), D(n). A note whose file
 *      is at the hub again, or no longer at the target, is dropped.
 *   2. A snapshot or index file that is found to be an extra for the first time by mirror n was in
 *      S(n-1) or I(n-1), n-1 being the mirror that took notes before: the notes remember these
 *      names. If one was not (it was sent by a mirror that was not completed, or by what a killed
 *      one left running; or the notes were lost), all notes of the host begin anew with n.
 *   3. What a file of batch n needs is therefore in no batch before n: S(n-1) is covered by I(n-1),
 *      whose packs are in D(n-1), so by 1 none of these was noted at n-1 or has a note from before.
 *   4. Hidden are batches from the oldest on, without a gap, and none that is younger than the
 *      grace period. What remains needs nothing of it: the hub's own files because hidden is only
 *      what is not in the listing of this same run, which was completed before; the others by 3.
 *   5. Within what is hidden, snapshots go first, then index files, then packs, then keys. A kind
 *      is begun when the target has confirmed all of the kind before, so a run may be killed, or
 *      fail, anywhere. What is left has its note and goes with the next run.
 *
 * Snapshots and index files at the target that the hub never had would not be covered by 2; while
 * there are any, nothing is hidden. A grace period that changes between runs changes how many
 * batches are hidden, and not their order; the ages count what passed between mirrors and at most
 * two days for each, so a clock that jumps cannot make a file old at once.
 */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { counted, size } from "../format.ts";
import { openLedger } from "../ledger.ts";
import {
  HASHED_KINDS,
  pathOf,
  type HashedKind,
  type RepositoryFile,
} from "../repository/layout.ts";
import type { Inventory, Target } from "../targets/target.ts";
import { confirmSent } from "./confirm.ts";
import type { HostRun } from "./mirror-hosts.ts";
import {
  absentFrom,
  mustWrite,
  readNotes,
  ripe,
  takeNotes,
  writeNotes,
  type Notes,
} from "./removal-notes.ts";
import type { HubListing } from "./settled.ts";

/** What removal needs to know. */
export interface RemovalOptions {
  /** The agent's folder for what it remembers. */
  readonly state: string;
  /** Days between a file's removal at the hub and its hiding. */
  readonly graceDays: number;
  /** Hide also more than half of a host's bytes, or all of its snapshots. */
  readonly allowRemoval: boolean;
  /** Say what would be hidden, and change neither the target nor the notes. */
  readonly dryRun: boolean;
}

/** The kinds in the order in which they are hidden. */
const ORDER = ["snapshots", "index", "data", "keys"] as const satisfies readonly HashedKind[];

interface Removal {
  readonly run: HostRun;
  readonly files: readonly RepositoryFile[];
  /** Why later kinds must not be hidden. */
  stopped: boolean;
}

/**
 * Takes notes of what the hub no longer has, and hides at the target what is due. To be called for
 * hosts whose mirror is complete and confirmed; in a dry run, for those that were listed.
 */
export async function removeGone(
  target: Target,
  runs: readonly HostRun[],
  options: RemovalOptions,
): Promise<void> {
  if (target.hide === undefined) return;
  const removals: Removal[] = [];
  for (const run of runs) {
    try {
      const files = await due(target, run, options);
      if (files.length > 0) removals.push({ run, files, stopped: false });
    } catch (error) {
      run.report.errors.push(`nothing was hidden: ${messageOf(error)}`);
    }
  }
  if (options.dryRun) {
    for (const { run, files } of removals) run.report.hidden = files.length;
    return;
  }
  for (const kind of ORDER) await hideKind(target, kind, removals);
  await confirmHidden(
    target,
    removals.filter(({ run }) => run.report.hidden > 0).map(({ run }) => run),
  );
}

/** Lists the target once more: of the hub's files none may have gone along, nor any other. */
async function confirmHidden(target: Target, runs: readonly HostRun[]): Promise<void> {
  const before = runs.map(({ inventory }) => fileCount(inventory));
  await confirmSent(target, runs);
  runs.forEach((run, at) => {
    const { report, inventory } = run;
    if (!report.verified) return;
    const more = (before[at] ?? 0) - report.hidden - fileCount(inventory);
    if (more > 0) {
      report.errors.push(`${counted(more, "file")} went from the target beside what was hidden`);
    } else if (more < 0) {
      report.errors.push(`${counted(-more, "file")} that were hidden are still listed`);
    }
  });
}

/** What is to be hidden of a host now. */
async function due(
  target: Target,
  run: HostRun,
  options: RemovalOptions,
): Promise<RepositoryFile[]> {
  const { host, report, listing } = run;
  if (listing === undefined) return [];
  const path = join(options.state, "removals", target.name, `${host}.json`);
  const before = readNotes(path);
  // Without notes nothing is due, and a dry run takes none.
  if (options.dryRun && before.batches.length === 0) return [];
  const extras = absentFrom(run.inventory, listing);
  if (!listing.settled) {
    if (extras.length > 0) {
      report.notices.push(
        "pruned while it was listed; what is to be hidden waits for the next run",
      );
    }
    return [];
  }
  const known = await knownTo(target, run, listing, extras, options);
  const paths = new Set(known.map(({ kind, name }) => pathOf(kind, name)));
  let notes: Notes = before;
  if (!options.dryRun) {
    notes = takeNotes(before, listing, paths, Date.now());
    if (mustWrite(before, notes)) writeNotes(path, notes);
  }
  const now = ripe(notes, options.graceDays * 86_400_000);
  const files = known
    .filter(({ kind, name }) => now.has(pathOf(kind, name)))
    .map((file) => ({ ...file, host }));
  if (files.length === 0) return [];
  const strangers = count(extras, refersToOthers) - count(known, refersToOthers);
  const reason = objection(run, listing, files, strangers);
  if (reason !== undefined) {
    report.notices.push(`${counted(files.length, "file")} not hidden: ${reason}`);
    return [];
  }
  const question = unusual(run.inventory, listing, files);
  if (question === undefined || options.allowRemoval) return files;
  report.asks.push(`${question}. Look into it, then run once with --allow-removal`);
  return [];
}

type Extra = ReturnType<typeof absentFrom>[number];

/** Those of the extras that the hub ever had. */
async function knownTo(
  target: Target,
  run: HostRun,
  listing: HubListing,
  extras: readonly Extra[],
  options: RemovalOptions,
): Promise<Extra[]> {
  if (extras.length === 0) return [];
  const ledger = await openLedger(options.state, run.host);
  try {
    if (!options.dryRun) {
      ledger.addListing(listing);
      ledger.baseline(target.name, run.inventory);
    }
    return extras.filter(({ kind, name }) => ledger.has(kind, name));
  } finally {
    ledger.close();
  }
}

/** Why nothing of a host may be hidden now. */
function objection(
  run: HostRun,
  listing: HubListing,
  files: readonly RepositoryFile[],
  strangers: number,
): string | undefined {
  if (strangers > 0) {
    return (
      `the target has ${counted(strangers, "snapshot or index file")} that the hub never had, ` +
      "which may need them; see offsite-hub verify"
    );
  }
  if (listing.config === undefined) return "the hub has no repository";
  if (listing.files.keys.count === 0) return "the hub's repository has no key";
  const back = files.find(({ kind, name }) => {
    const path = join(run.directory, pathOf(kind, name));
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  });
  return back && `${pathOf(back.kind, back.name)} is at the hub again`;
}

/** What an operator should look at before so much is hidden. */
function unusual(
  inventory: Inventory,
  listing: HubListing,
  files: readonly RepositoryFile[],
): string | undefined {
  const { snapshots, index } = listing.files;
  if (snapshots.count === 0 && inventory.files.snapshots.count > 0) {
    return "the hub has no snapshot left, and those at the target would be hidden";
  }
  if (index.count === 0 && inventory.files.index.count > 0) {
    return "the hub has no index left, and the target's would be hidden";
  }
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const held = HASHED_KINDS.reduce((sum, kind) => sum + inventory.files[kind].bytes, 0);
  if (bytes * 2 <= held) return undefined;
  return `${size(bytes)} of the ${size(held)} that the target holds of the host would be hidden`;
}

function fileCount(inventory: Inventory): number {
  return HASHED_KINDS.reduce((sum, kind) => sum + inventory.files[kind].count, 0);
}

function count(files: readonly Extra[], predicate: (file: Extra) => boolean): number {
  return files.filter(predicate).length;
}

function refersToOthers({ kind }: Extra): boolean {
  return kind === "snapshots" || kind === "index";
}

async function hideKind(
  target: Target,
  kind: HashedKind,
  removals: readonly Removal[],
): Promise<void> {
  const going = removals.filter(({ stopped }) => !stopped);
  const files = going.flatMap((removal) => removal.files.filter((file) => file.kind === kind));
  if (files.length === 0 || target.hide === undefined) return;
  const { hidden, reason = "the target did not confirm it" } = await target.hide(files);
  for (const removal of going) {
    const own = removal.files.filter((file) => file.kind === kind);
    const done = own.filter((file) => hidden.has(file)).length;
    removal.run.report.hidden += done;
    if (done === own.length) continue;
    removal.stopped = true;
    const rest = counted(own.length - done, `${kind === "data" ? "pack" : kind} file`);
    removal.run.report.errors.push(`${rest} could not be hidden, the rest waits: ${reason}`);
  }
}
