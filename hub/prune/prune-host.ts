/**
 * The prune of one host's repository, step by step. It may be killed anywhere: until `forget`
 * nothing has changed; after it a note says that the data of forgotten snapshots is still to be
 * removed, and the next run does that; restic's own prune removes nothing before what replaces it
 * is in place.
 */
import { lstatSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { UsageError } from "../errors.ts";
import { counted } from "../format.ts";
import { lockRepository, type Patience } from "../locks.ts";
import { ownerOf, readPassword, type Account } from "../restic.ts";
import { ownedRepository, reasonOf, type OwnedRepository } from "../restic-repository.ts";
import { readHistory, readTrusted, unusual, writeHistory, writeTrusted } from "./notes.ts";
import { findStrangers } from "./ownership.ts";
import {
  arrivalsOf,
  forgetMirrored,
  mirrorMemories,
  plan,
  snapshotNames,
  type Policy,
} from "./plan.ts";
import { incomplete, readSnapshots } from "./read-snapshots.ts";
import type { HostPruneReport } from "./report.ts";
import { clearStaleLocks } from "./restic-locks.ts";
import { DAY_MS, type Snapshot } from "./snapshot.ts";

/** How a host is pruned. */
export interface HostPruneOptions {
  /** The host's repository; absolute. */
  readonly directory: string;
  /** The agent's folder for what it remembers. */
  readonly state: string;
  /** restic's program. */
  readonly restic: string;
  /** A file with a password of the repository. */
  readonly passwordFile: string | undefined;
  readonly policy: Policy;
  /** The manifest's targets; where there are any, only what one of them has is removed. */
  readonly targets: readonly string[];
  readonly patience: Patience;
  readonly dryRun: boolean;
  readonly allowRemoval: boolean;
  /** Ids of snapshots that the operator now trusts. */
  readonly trust: readonly string[];
  /** Asks the operator; undefined where nobody is there. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
}

/** restic waits so long for a lock that came up after ours was looked at. */
const RETRY_LOCK = ["--retry-lock", "2m"];
/** An interrupted backup leaves data of no snapshot; it goes at least so often. */
const PRUNE_DAYS = 6.5;
const FORGET_AT_ONCE = 500;
const POLL_MS = 2000;

/**
 * Prunes a host and fills its report in.
 *
 * @throws Error where it cannot be done.
 */
export async function pruneHost(
  host: string,
  options: HostPruneOptions,
  report: HostPruneReport,
): Promise<void> {
  const { directory, state, dryRun, patience } = options;
  // Throws where it cannot be told, as of a folder that is closed to this user.
  if (lstatSync(join(directory, "config"), { throwIfNoEntry: false }) === undefined) {
    report.outcome = "absent";
    return;
  }
  const repository = open(host, options);
  const owner = repository.account ?? {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
  };
  const until = performance.now() + patience.seconds * 1000;
  for (let first = true; ; first = false) {
    const seconds = Math.max(0, until - performance.now()) / 1000;
    const mode = dryRun ? "shared" : "exclusive";
    const release = await lockRepository(state, host, mode, { ...patience, seconds });
    try {
      checkOwnership(directory, owner, dryRun, report);
      const locks = await clearStaleLocks(repository, dryRun);
      report.staleLocks.push(...locks.removed);
      if (locks.held.length === 0 || dryRun) {
        await pruneLocked(host, repository, options, report);
        checkOwnership(directory, owner, dryRun, report);
        return;
      }
      if (performance.now() >= until) {
        throw new Error(
          `the repository is locked by ${locks.held.join(" and by ")}. Nothing was removed; it goes on once that has ended`,
        );
      }
      if (first) patience.onWait?.(`${host} is locked by ${locks.held.join(" and by ")}`);
    } finally {
      release();
    }
    // Others may read the repository meanwhile.
    await setTimeout(Math.min(POLL_MS, Math.max(1, until - performance.now())));
  }
}

function open(host: string, options: HostPruneOptions): OwnedRepository {
  const { directory, restic, passwordFile } = options;
  const account = ownerOf(directory);
  if (passwordFile === undefined) {
    throw new UsageError(
      `no password is known: give a file with one in the settings, as passwordFiles.${host}`,
    );
  }
  return ownedRepository({ restic, directory, password: readPassword(passwordFile), account });
}

function checkOwnership(
  directory: string,
  owner: Account,
  dryRun: boolean,
  report: HostPruneReport,
): void {
  const mayRepair = process.getuid?.() === 0 && !dryRun;
  const { repaired, left } = findStrangers(directory, owner, mayRepair);
  report.repaired.push(...repaired);
  if (left.length === 0) return;
  const all = `${left.slice(0, 3).join(", ")}${left.length > 3 ? `, and ${left.length - 3} more` : ""}`;
  const message = `in the repository, not everything belongs to its owner, user ${owner.uid}: ${all}`;
  if (dryRun) report.warnings.push(message);
  else throw new Error(`${message}. Run it once as root, which repairs that`);
}

async function pruneLocked(
  host: string,
  repository: OwnedRepository,
  options: HostPruneOptions,
  report: HostPruneReport,
): Promise<void> {
  const { state, targets, policy, dryRun } = options;
  const now = Date.now();
  const history = readHistory(state, host);
  const before = snapshotNames(repository.directory);
  const snapshots = await readSnapshots(repository, before);
  const memories = mirrorMemories(state, targets, host);
  const known = {
    snapshots,
    arrivals: arrivalsOf(repository.directory, before, memories),
    mirrored:
      targets.length === 0 ? undefined : new Set(memories.flatMap((memory) => [...memory.keys()])),
    trusted: trusted(host, snapshots, options, now),
  };
  const going = plan(known, policy, now, report);
  if (dryRun) {
    report.outcome = "planned";
    return;
  }
  if (!(await allowed(host, going, snapshots.length, options, report))) return;
  const unfinished = history.unfinished || going.length > 0;
  if (going.length > 0) {
    writeHistory(state, host, { ...history, unfinished });
    forgetMirrored(state, targets, host, going);
    await forget(repository, going);
    history.runs.push({ at: new Date(now).toISOString(), removed: going.length });
    writeHistory(state, host, { ...history, unfinished });
  } else {
    history.runs.push({ at: new Date(now).toISOString(), removed: 0 });
  }
  const idle = history.pruned === null ? Infinity : now - Date.parse(history.pruned);
  if (unfinished || idle > PRUNE_DAYS * DAY_MS) {
    const result = await repository.run(["prune", "--quiet", ...RETRY_LOCK]);
    if (result.exitCode !== 0) {
      throw new Error(`restic prune: ${reasonOf(result)}${incomplete(snapshots, result.problem)}`);
    }
    history.pruned = new Date(now).toISOString();
  }
  writeHistory(state, host, { ...history, unfinished: false });
  report.outcome = "pruned";
}

/** Whom the operator trusts; what is new is remembered, what is gone is forgotten. */
function trusted(
  host: string,
  snapshots: readonly Snapshot[],
  options: HostPruneOptions,
  now: number,
): Set<string> {
  const before = readTrusted(options.state, host);
  const after = new Map<string, string>();
  for (const { id } of snapshots) {
    const since = options.trust.includes(id) ? new Date(now).toISOString() : before.get(id);
    if (since !== undefined) after.set(id, since);
  }
  const changed = after.size !== before.size || options.trust.length > 0;
  if (changed && !options.dryRun) writeTrusted(options.state, host, after);
  return new Set(after.keys());
}

async function allowed(
  host: string,
  going: readonly Snapshot[],
  total: number,
  options: HostPruneOptions,
  report: HostPruneReport,
): Promise<boolean> {
  if (options.allowRemoval) return true;
  const reason = unusual(going.length, total, readHistory(options.state, host), Date.now());
  if (reason === undefined) return true;
  const what = `${counted(going.length, "snapshot")} of ${total}`;
  if ((await options.confirm?.(`${host}: remove ${what}? ${capital(reason)}.`)) === true) {
    return true;
  }
  report.outcome = "refused";
  report.kept = total;
  report.errors.push(
    `would remove ${what}: ${reason}. Nothing was removed. Look with --dry-run, then run once with --allow-removal`,
  );
  return false;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

async function forget(repository: OwnedRepository, going: readonly Snapshot[]): Promise<void> {
  const ids = going.map(({ id }) => id);
  for (let at = 0; at < ids.length; at += FORGET_AT_ONCE) {
    const some = ids.slice(at, at + FORGET_AT_ONCE);
    const result = await repository.run(["forget", "--quiet", ...RETRY_LOCK, ...some]);
    if (result.exitCode !== 0) throw new Error(`restic forget: ${reasonOf(result)}`);
  }
  // restic goes on over a file that it cannot remove.
  const there = new Set(snapshotNames(repository.directory));
  const left = ids.filter((id) => there.has(id));
  if (left.length > 0) {
    throw new Error(`restic could not remove ${counted(left.length, "snapshot")} of ${ids.length}`);
  }
}
