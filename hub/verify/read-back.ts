/**
 * Reads a random share of a target's files back and compares their content with their names, and
 * always those that were found damaged before.
 *
 * All keys and `config` are always read, for without them nothing can be opened, and they are small;
 * of packs, index files and snapshots a share that nobody can foresee, at least one of each kind; and
 * strangers, to say what they are.
 */
import type { Ledger } from "../ledger.ts";
import {
  HASHED_KINDS,
  pathOf,
  type HashedKind,
  type RepositoryFile,
} from "../repository/layout.ts";
import type { LocalListing } from "../repository/listing.ts";
import type { Probe } from "../targets/probe.ts";
import type { Inventory } from "../targets/target.ts";
import { Finding } from "./compare.ts";
import { wayOut, type Place } from "./complain.ts";
import { named, type HostVerification } from "./report.ts";
import { sample } from "./sample.ts";

/** Strangers are read up to so many a kind: somebody may have left a million. */
const STRANGERS_READ = 20;

/** What to read back of a host. */
export interface ReadBackOptions extends Place {
  /** Of 1, how much; undefined for `again` alone. */
  readonly share: number | undefined;
  /** Paths below the repository that are read in any case. */
  readonly again: ReadonlySet<string>;
  readonly listing: LocalListing;
  readonly inventory: Inventory;
  readonly ledger: Ledger;
  /** The size of `config` at the target, and the SHA-256 that it must have. */
  readonly config: { readonly size: number; readonly sha256: string } | undefined;
}

/**
 * Reads back, and adds what it finds to the report.
 *
 * @returns the paths of what is damaged, but for strangers.
 * @throws StopError where the target cannot be worked with.
 */
export async function readBack(
  probe: Probe,
  options: ReadBackOptions,
  report: HostVerification,
): Promise<Set<string>> {
  const found = new Set<string>();
  const forged = new Finding();
  const reasons: string[] = [];
  const { config, host } = options;
  await probe.readBack(chosen(options), (file, result) => {
    if (result.result === "read") {
      report.read.files += 1;
      report.read.bytes += result.bytes;
    }
    const expected = file.kind === "config" ? config?.sha256 : file.name;
    if (result.result === "read" && result.sha256 === expected) return;
    if (file.kind === "config") {
      found.add("config");
      report.errors.push("config: what the target gives is not what the hub has");
      return;
    }
    const stranger = isStranger(options, file.kind, file.name);
    if (!stranger) found.add(pathOf(file.kind, file.name));
    const finding = stranger ? forged : report.read.damaged;
    finding.add(file.kind, file.name, file.size);
    if (result.result === "unreadable" && reasons.length < 3) reasons.push(result.reason);
  });
  const { damaged } = report.read;
  const why = reasons.length > 0 ? ` (${[...new Set(reasons)].join("; ")})` : "";
  if (damaged.count > 0) {
    report.errors.push(
      `damaged there, by their content${why}: ${named(damaged)}. ${await wayOut(options, damaged, false)}`,
    );
  }
  if (forged.count > 0) {
    report.errors.push(
      `never sent by the hub, and not even what their names say: ${named(forged)} of ${host}`,
    );
  }
  return found;
}

/** The files to read. */
function* chosen(options: ReadBackOptions): Generator<RepositoryFile> {
  const { host, config, share, again } = options;
  if (config !== undefined && (share !== undefined || again.has("config"))) {
    yield { host, kind: "config", name: "config", size: config.size };
  }
  for (const kind of HASHED_KINDS) {
    if (again.size > 0) yield* own(options, kind, true);
    if (share === undefined) continue;
    const count = countOf(own(options, kind, false));
    const wanted = kind === "keys" ? count : Math.ceil(count * share);
    yield* sample(own(options, kind, false), count, wanted);
    yield* first(strangers(options, kind), STRANGERS_READ);
  }
}

/**
 * Files of the target that were at the hub, but for those whose size is wrong.
 *
 * @param again - whether those of {@link ReadBackOptions.again}, or the others.
 */
function* own(
  options: ReadBackOptions,
  kind: HashedKind,
  again: boolean,
): Generator<RepositoryFile> {
  const { host, inventory, listing, ledger } = options;
  for (const [name, size] of inventory.files[kind].entries()) {
    if (isStranger(options, kind, name)) continue;
    if (options.again.has(pathOf(kind, name)) !== again) continue;
    const expected = listing.files[kind].get(name) ?? ledger.size(kind, name);
    if (expected === size) yield { host, kind, name, size };
  }
}

function* strangers(options: ReadBackOptions, kind: HashedKind): Generator<RepositoryFile> {
  for (const [name, size] of options.inventory.files[kind].entries()) {
    if (isStranger(options, kind, name)) yield { host: options.host, kind, name, size };
  }
}

function isStranger({ listing, ledger }: ReadBackOptions, kind: HashedKind, name: string): boolean {
  return !listing.files[kind].has(name) && !ledger.has(kind, name);
}

function* first<Item>(items: Iterable<Item>, limit: number): Generator<Item> {
  let count = 0;
  for (const item of items) {
    if (count === limit) return;
    yield item;
    count += 1;
  }
}

function countOf(items: Iterable<unknown>): number {
  let count = 0;
  const iterator = items[Symbol.iterator]();
  while (iterator.next().done !== true) count += 1;
  return count;
}
