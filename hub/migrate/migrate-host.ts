/**
 * One host's snapshots from the shared repository into its private one. It may be killed anywhere:
 * restic copies a snapshot's data before the snapshot, and skips what was copied.
 */
import { existsSync, lstatSync, lutimesSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { counted } from "../format.ts";
import { lockRepository, type Patience } from "../locks.ts";
import { clearStaleLocks } from "../prune/restic-locks.ts";
import { shown, type Snapshot } from "../prune/snapshot.ts";
import { ownerOf } from "../restic.ts";
import {
  listSnapshots,
  ownedRepository,
  reasonOf,
  type OwnedRepository,
} from "../restic-repository.ts";
import type { Source } from "./source.ts";

/** What a migration came to for one host. */
export interface HostMigrateReport {
  /**
   * `absent`: the source has no snapshot of it; `planned`: a dry run; `migrated`: all that the
   * source has is in the private repository, which was checked; `failed`: see the errors.
   */
  outcome: "absent" | "planned" | "migrated" | "failed";
  /** Its snapshots in the source. */
  snapshots: number;
  /** Those that were copied now, or would be. */
  copied: number;
  /** The private repository was made now. */
  created: boolean;
  errors: string[];
  seconds: number;
}

/** How a host is migrated. */
export interface HostMigrateOptions {
  readonly host: string;
  /** Its snapshots in the source. */
  readonly snapshots: readonly Snapshot[];
  /** Its private repository; absolute. */
  readonly directory: string;
  readonly password: string;
  readonly restic: string;
  readonly state: string;
  readonly patience: Patience;
  readonly dryRun: boolean;
  /** How much of the data to read back: restic's `--read-data-subset`. */
  readonly readData: string;
}

const RETRY_LOCK = ["--retry-lock", "2m"];
const COPY_AT_ONCE = 500;

/**
 * Migrates a host and fills its report in.
 *
 * @throws Error where it cannot be done, with what has been done still in place.
 */
export async function migrateHost(
  source: Source,
  options: HostMigrateOptions,
  report: HostMigrateReport,
): Promise<void> {
  const { host, snapshots, directory, state, patience, dryRun } = options;
  const release = await lockRepository(state, host, dryRun ? "shared" : "exclusive", patience);
  try {
    const isThere = existsSync(join(directory, "config"));
    if (!isThere) refuseRemains(directory);
    const account = ownerOf(existsSync(directory) ? directory : dirname(directory));
    const { restic, password } = options;
    const repository = ownedRepository({ restic, directory, password, account });
    const before = isThere ? await listSnapshots((args) => repository.run(args)) : [];
    const missing = withoutCopy(snapshots, before);
    report.copied = missing.length;
    if (dryRun) {
      report.outcome = "planned";
      return;
    }
    if (isThere) await makeRoom(repository);
    else await create(source, repository);
    report.created = !isThere;
    await copy(source, repository, missing);
    const copies = await listSnapshots((args) => repository.run(args));
    const lacking = withoutCopy(snapshots, copies);
    if (lacking.length > 0) {
      const few = lacking.slice(0, 3).map(shown).join(", ");
      throw new Error(
        `${counted(lacking.length, "snapshot")} did not arrive: ${few}. Run it again`,
      );
    }
    setTimes(source, snapshots, copies, directory);
    const args = ["check", "--quiet", "--read-data-subset", options.readData, ...RETRY_LOCK];
    const checked = await repository.run(args);
    if (checked.exitCode !== 0) throw new Error(`restic check: ${reasonOf(checked)}`);
    report.outcome = "migrated";
  } finally {
    release();
  }
}

function refuseRemains(directory: string): void {
  const remains = ["keys", "data", "index", "snapshots"].flatMap((kind) => {
    const folder = join(directory, kind);
    return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
  });
  // Empty folders: the making of the repository had not come to the key yet.
  if (!remains.some((name) => name.length >= 64)) return;
  throw new Error(
    `"${directory}" has no config, but other files of a repository: its making was interrupted, or it is ` +
      "damaged. Look; where it holds no snapshot, remove it, then run this again",
  );
}

async function create(source: Source, repository: OwnedRepository): Promise<void> {
  const args = ["init", "--quiet", "--copy-chunker-params"];
  const result = await repository.run(args, secondary(source));
  if (result.exitCode !== 0) throw new Error(`restic init: ${reasonOf(result)}`);
}

async function makeRoom(repository: OwnedRepository): Promise<void> {
  // An interrupted copy leaves its lock, and the check at the end must be alone.
  const { held } = await clearStaleLocks(repository, false);
  if (held.length > 0) {
    throw new Error(`the private repository is locked by ${held.join(" and by ")}`);
  }
}

async function copy(
  source: Source,
  repository: OwnedRepository,
  missing: readonly Snapshot[],
): Promise<void> {
  for (let at = 0; at < missing.length; at += COPY_AT_ONCE) {
    const some = missing.slice(at, at + COPY_AT_ONCE).map(({ id }) => id);
    const args = ["copy", "--quiet", "--no-lock", ...some];
    const result = await repository.run(args, secondary(source));
    if (result.exitCode !== 0) throw new Error(`restic copy: ${reasonOf(result)}`);
  }
}

// restic reads one password from standard input, and that is the private repository's. The other
// is in its environment, which its own account and root can read, and nobody else.
function secondary(source: Source): Record<string, string> {
  return { RESTIC_FROM_REPOSITORY: source.location, RESTIC_FROM_PASSWORD: source.password };
}

/** Those of which there is no copy that says the same. */
function withoutCopy(snapshots: readonly Snapshot[], copies: readonly Snapshot[]): Snapshot[] {
  const there = new Set(copies.map(persistent));
  return snapshots.filter((snapshot) => !there.has(persistent(snapshot)));
}

/** What a copy has in common with its original. */
function persistent(snapshot: Snapshot): string {
  const { original, time, tree, hostname, paths } = snapshot;
  return JSON.stringify([original, String(time.nanoseconds), tree, hostname, paths]);
}

/**
 * Gives the copies' files the times at which the originals arrived, so that the prune can tell
 * forged ones as before; where these are not known, the times that the snapshots claim.
 */
function setTimes(
  source: Source,
  snapshots: readonly Snapshot[],
  copies: readonly Snapshot[],
  directory: string,
): void {
  const originals = new Map(snapshots.map((snapshot) => [persistent(snapshot), snapshot]));
  for (const each of copies) {
    const original = originals.get(persistent(each));
    if (original === undefined) continue;
    const path = join(directory, "snapshots", each.id);
    const time = source.arrived(original.id) ?? original.time.milliseconds;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    // Never later: a copy that was made earlier has its time already.
    if (stat !== undefined && stat.mtimeMs > time) lutimesSync(path, time / 1000, time / 1000);
  }
}
