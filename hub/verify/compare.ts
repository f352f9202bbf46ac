/**
 * Compares what the hub has of a host's repository with what a target lists: names, sizes, and
 * content as far as both sides know its SHA-1. Nothing is read here.
 */
import type { Ledger } from "../ledger.ts";
import { HASHED_KINDS, pathOf, type HashedKind } from "../repository/layout.ts";
import type { LocalListing } from "../repository/listing.ts";
import type { Inventory } from "../targets/target.ts";

/** How many names a {@link Finding} keeps. */
export const NAMES_KEPT = 20;

/** Some files: how many, how large together, and which, as far as they are named. */
export class Finding {
  count = 0;
  bytes = 0;
  /** Paths below the repository, `data/ab/ab01…`: the first {@link NAMES_KEPT}. */
  readonly paths: string[] = [];

  add(kind: HashedKind, name: string, size: number): void {
    this.count += 1;
    this.bytes += size;
    if (this.paths.length < NAMES_KEPT) this.paths.push(pathOf(kind, name));
  }
}

/** What a comparison found. `config` is not part of it: see `mirror/identity.ts`. */
export interface Findings {
  /** At the hub and at the target, with no difference known. */
  readonly present: Finding;
  /** At the hub and not at the target. */
  readonly missing: Finding;
  /** Those of `missing` that are snapshots. */
  readonly missingSnapshots: Finding;
  /** At the hub, not at the target, and too new for that to be a fault. */
  readonly waiting: Finding;
  /** At the target in another size than the hub's. */
  readonly wrongSize: Finding;
  /** At the target with another SHA-1 than the hub's, and the same size. */
  readonly wrongHash: Finding;
  /** At the target, and never at the hub. */
  readonly strangers: Finding;
  /** At the target, and no longer at the hub. Without a ledger: whatever the hub does not have. */
  readonly gone: Finding;
}

/** What to compare. */
export interface Comparison {
  readonly listing: Pick<LocalListing, "files">;
  readonly inventory: Pick<Inventory, "files">;
  /** What the hub ever had; without it nothing is called a stranger, and no hash is compared. */
  readonly ledger?: Pick<Ledger, "has" | "size" | "fingerprint"> | undefined;
  /**
   * What it means that the target does not have a file of the listing: `missing`, unless told
   * otherwise; `vanished` is for a file that the hub no longer has either.
   */
  readonly whenAbsent?: (kind: HashedKind, name: string) => "missing" | "waiting" | "vanished";
}

/** Compares. Files that the target has and the hub had before are compared with the ledger. */
export function compare(comparison: Comparison): Findings {
  const { listing, inventory } = comparison;
  const findings = noFindings();
  for (const kind of HASHED_KINDS) {
    const atHub = listing.files[kind];
    const atTarget = inventory.files[kind];
    for (const [name, size] of atHub.entries()) {
      const there = atTarget.get(name);
      if (there === undefined) absent(comparison, findings, kind, name, size);
      else judge(comparison, findings, kind, name, size, there).add(kind, name, size);
    }
    for (const [name, size] of atTarget.entries()) {
      if (!atHub.has(name)) unlisted(comparison, findings, kind, name, size);
    }
  }
  return findings;
}

/** Whether nothing is other than it must be; files that wait are in order. */
export function isClean(findings: Findings): boolean {
  const { missing, wrongSize, wrongHash, strangers } = findings;
  return [missing, wrongSize, wrongHash, strangers].every(({ count }) => count === 0);
}

function noFindings(): Findings {
  return {
    present: new Finding(),
    missing: new Finding(),
    missingSnapshots: new Finding(),
    waiting: new Finding(),
    wrongSize: new Finding(),
    wrongHash: new Finding(),
    strangers: new Finding(),
    gone: new Finding(),
  };
}

function absent(
  { whenAbsent }: Comparison,
  findings: Findings,
  kind: HashedKind,
  name: string,
  size: number,
): void {
  const meaning = whenAbsent?.(kind, name) ?? "missing";
  if (meaning === "vanished") return;
  findings[meaning].add(kind, name, size);
  if (meaning === "missing" && kind === "snapshots") {
    findings.missingSnapshots.add(kind, name, size);
  }
}

function unlisted(
  comparison: Comparison,
  findings: Findings,
  kind: HashedKind,
  name: string,
  size: number,
): void {
  const { ledger } = comparison;
  const known = ledger?.size(kind, name);
  if (ledger === undefined) findings.gone.add(kind, name, size);
  else if (known === undefined) findings.strangers.add(kind, name, size);
  else {
    findings.gone.add(kind, name, size);
    const verdict = judge(comparison, findings, kind, name, known, size);
    if (verdict !== findings.present) verdict.add(kind, name, size);
  }
}

function judge(
  { ledger, inventory }: Comparison,
  findings: Findings,
  kind: HashedKind,
  name: string,
  expected: number,
  found: number,
): Finding {
  const ours = ledger?.fingerprint(kind, name);
  // Once the file was read and found good, its size is known better than the hub's listing tells.
  const size = ours === undefined ? expected : (ledger?.size(kind, name) ?? expected);
  if (size !== found) return findings.wrongSize;
  const theirs = inventory.files[kind].fingerprint(name);
  if (theirs === undefined) return findings.present;
  return ours === undefined || ours === theirs ? findings.present : findings.wrongHash;
}
