import { createHash } from "node:crypto";
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { counted } from "../format.ts";
import { openLedger, type Ledger } from "../ledger.ts";
import { lockRepository, type Patience } from "../locks.ts";
import { isEmpty, refusal } from "../mirror/identity.ts";
import { pathOf, type HashedKind } from "../repository/layout.ts";
import { listRepository, type LocalListing } from "../repository/listing.ts";
import { readResults } from "../results.ts";
import type { Probe } from "../targets/probe.ts";
import type { Inventory } from "../targets/target.ts";
import { compare, type Findings } from "./compare.ts";
import { complain } from "./complain.ts";
import { readDamaged, writeDamaged } from "./damage.ts";
import { readBack } from "./read-back.ts";
import type { HostVerification } from "./report.ts";

/** What a host's verification needs to know. */
export interface VerifyHostOptions {
  readonly name: string;
  /** Where the repositories are for rclone; undefined for a rest-server. */
  readonly place: string | undefined;
  readonly repositories: string;
  readonly state: string;
  readonly patience: Patience;
  readonly overdueHours: number;
  readonly share: number | undefined;
}

// A file's mtime is when its last byte was written. It gets its name a little later, only then can a
// mirror see it, and only its ctime tells; which a chown of the whole repository changes as well.
const ARRIVAL_MS = 5 * 60_000;
/** By how much the clock of the file system may lag. */
const TICK_MS = 20;
const HOUR_MS = 3_600_000;

/** Compares a host's repository with what the target has of it, and fills in the report. */
export async function verifyHost(
  options: VerifyHostOptions,
  host: string,
  inventory: Inventory,
  probe: Probe,
  report: HostVerification,
): Promise<void> {
  const now = new Date();
  const directory = join(options.repositories, host);
  const ledger = await openLedger(options.state, host);
  try {
    const listing = await listed(options, host, directory, ledger);
    if (listing.config === undefined && isEmpty(inventory)) {
      report.outcome = "absent";
      report.notices.push("the host has not backed up to the hub yet");
      return;
    }
    const reason = refusal(directory, listing, inventory);
    if (reason !== undefined) {
      report.errors.push(reason);
      return;
    }
    const mirrored = lastMirror(options, host);
    report.lastMirror = mirrored?.toISOString() ?? null;
    takeOver(options, ledger, inventory, report);
    const arrival = new Arrivals(directory, mirrored, now);
    const findings = compare({
      listing,
      inventory,
      ledger,
      whenAbsent: (kind, name) => arrival.judge(kind, name),
    });
    fill(report, findings, listing, inventory);
    const at = options.place === undefined ? undefined : `${options.place}/${host}`;
    const place = { name: options.name, host, directory, at };
    await complain(report, place);
    judgeAge(report, arrival, options.overdueHours, now);
    const again = readDamaged(options.state, options.name, host);
    if (options.share !== undefined || again.size > 0) {
      const config = configOf(directory, inventory);
      const { share } = options;
      const what = { ...place, share, again, listing, inventory, ledger, config };
      const damaged = await readBack(probe, what, report);
      writeDamaged(options.state, options.name, host, damaged);
    }
    // All that is there now is there; else what was there when the last mirror began.
    report.freshAsOf = report.waiting.count === 0 ? now.toISOString() : report.lastMirror;
  } finally {
    ledger.close();
  }
}

/** Lists the hub while nobody prunes there, and adds what is new to the ledger. */
async function listed(
  { state, patience }: VerifyHostOptions,
  host: string,
  directory: string,
  ledger: Ledger,
): Promise<LocalListing> {
  const release = await lockRepository(state, host, "shared", patience);
  try {
    const listing = await listRepository(directory);
    ledger.addListing(listing);
    return listing;
  } finally {
    release();
  }
}

/** When the last complete mirror of the host to the target began. */
function lastMirror({ state, name }: VerifyHostOptions, host: string): Date | undefined {
  const result = readResults(state, "mirror").find(
    (each) => each.place === name && each.host === host,
  );
  return result?.lastSuccess ? new Date(result.lastSuccess.started) : undefined;
}

function takeOver(
  { name }: VerifyHostOptions,
  ledger: Ledger,
  inventory: Inventory,
  report: HostVerification,
): void {
  const taken = ledger.baseline(name, inventory);
  if (taken === 0) return;
  report.notices.push(
    `${counted(taken, "file")} there that the hub does not have, and whose they are cannot be told: the hub's ledger ` +
      "has only just begun. They count as the hub's from now on; --deep --share 100 reads them all",
  );
}

function fill(
  report: HostVerification,
  findings: Findings,
  listing: LocalListing,
  inventory: Inventory,
): void {
  report.files = findings.present.count + (inventory.config === undefined ? 0 : 1);
  report.bytes = findings.present.bytes + (inventory.config?.size ?? 0);
  for (const [name] of listing.files.snapshots.entries()) {
    if (inventory.files.snapshots.has(name)) report.snapshots += 1;
  }
  report.missing = findings.missing;
  report.waiting = findings.waiting;
  report.wrongSize = findings.wrongSize;
  report.wrongHash = findings.wrongHash;
  report.strangers = findings.strangers;
  report.gone = findings.gone;
}

/** Snapshots that wait must not wait for long. */
function judgeAge(
  report: HostVerification,
  arrival: Arrivals,
  overdueHours: number,
  now: Date,
): void {
  if (arrival.oldestSnapshot === undefined) return;
  const hours = (now.getTime() - arrival.oldestSnapshot) / HOUR_MS;
  if (hours <= overdueHours) return;
  report.errors.push(
    `the target is stale: a snapshot has been waiting for ${Math.floor(hours)} h; the last complete mirror began ` +
      `${report.lastMirror ?? "never"}. See why "offsite-hub mirror" does not get through`,
  );
}

/** The SHA-256 of the hub's config, which has no hash in its name. */
function configOf(
  directory: string,
  inventory: Inventory,
): { readonly size: number; readonly sha256: string } | undefined {
  if (inventory.config === undefined) return undefined;
  const content = readFileSync(join(directory, "config"));
  return {
    size: inventory.config.size,
    sha256: createHash("sha256").update(content).digest("hex"),
  };
}

/** Tells what is missing from what came after the last complete mirror had begun. */
class Arrivals {
  /** When the longest waiting snapshot arrived, in milliseconds since 1970. */
  oldestSnapshot: number | undefined;
  readonly #directory: string;
  readonly #from: number;
  readonly #until: number;

  constructor(directory: string, mirrored: Date | undefined, now: Date) {
    this.#directory = directory;
    this.#from = mirrored === undefined ? Infinity : mirrored.getTime() - TICK_MS;
    this.#until = now.getTime() + ARRIVAL_MS;
  }

  judge(kind: HashedKind, name: string): "missing" | "waiting" | "vanished" {
    const path = join(this.#directory, pathOf(kind, name));
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return "vanished";
    const { mtimeMs, ctimeMs } = stat;
    const named = ctimeMs >= this.#from && mtimeMs >= this.#from - ARRIVAL_MS;
    // A time in the future says nothing.
    if (!(mtimeMs >= this.#from || named) || mtimeMs > this.#until) return "missing";
    if (kind === "snapshots") {
      this.oldestSnapshot = Math.min(this.oldestSnapshot ?? Infinity, mtimeMs);
    }
    return "waiting";
  }
}
