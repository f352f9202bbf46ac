import { size } from "../format.ts";
import { HASHED_KINDS } from "../repository/layout.ts";
import type { Inventory } from "../targets/target.ts";
import type { Planned } from "./plan.ts";

/**
 * Lets through the hosts that fit into what the target may hold, those that need least first, so
 * that one host that has outgrown the target does not cost the others their night. The reports of
 * the others say why.
 *
 * @param inventories - what the target holds of all hosts.
 */
export function fittingOf(
  maxBytes: number | undefined,
  inventories: Iterable<Inventory | Error>,
  runs: readonly Planned[],
): Planned[] {
  if (maxBytes === undefined) return [...runs];
  let held = 0;
  for (const found of inventories) {
    if (!(found instanceof Error)) held += heldBytes(found);
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
  }
  return runs.filter((run) => !refused.has(run));
}

/** What a target holds of a host, in bytes. */
export function heldBytes({ files }: Inventory): number {
  return HASHED_KINDS.reduce((sum, kind) => sum + files[kind].bytes, 0);
}

/** Hosts that are mirrored together: as many as fit into so many bytes to send, at least one. */
export function groupsOf(runs: readonly Planned[], groupBytes: number): Planned[][] {
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
