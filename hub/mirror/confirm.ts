import { messageOf } from "../errors.ts";
import { counted } from "../format.ts";
import { compare } from "../verify/compare.ts";
import type { Inventory, Target } from "../targets/target.ts";
import type { HostRun } from "./mirror-hosts.ts";

/**
 * Lists the target once more for hosts whose mirror is complete, and takes back that it is where the
 * listing does not bear it out. What was sent is so seen to be there, in its size, by other means
 * than the answer to its sending. The runs' inventories become what was listed.
 */
export async function confirmSent(target: Target, runs: readonly HostRun[]): Promise<void> {
  if (runs.length === 0) return;
  let found: Map<string, Inventory | Error>;
  try {
    found = await target.inventory(runs.map(({ host }) => host));
  } catch (error) {
    found = new Map(runs.map(({ host }) => [host, new Error(messageOf(error))]));
  }
  for (const run of runs) {
    const inventory = found.get(run.host);
    const problem =
      inventory === undefined || inventory instanceof Error
        ? `cannot list the target to confirm it: ${messageOf(inventory)}`
        : difference(run, inventory);
    if (problem === undefined) {
      run.inventory = inventory as Inventory;
      run.report.verified = true;
    } else {
      run.report.errors.push(problem);
      run.report.outcome = "incomplete";
      run.report.verified = false;
    }
  }
}

/**
 * How a listing of the target differs from what the mirror has come to believe is there of the
 * hub's files; undefined where it does not. A file that left the hub before it was sent is neither.
 */
export function difference(run: HostRun, inventory: Inventory): string | undefined {
  const { listing } = run;
  if (listing === undefined) return "the hub's repository was not listed";
  const { missing, wrongSize } = compare({
    listing,
    inventory,
    whenAbsent: (kind, name) => (run.inventory.files[kind].has(name) ? "missing" : "vanished"),
  });
  const parts: string[] = [];
  if (listing.config !== undefined && inventory.config?.size !== listing.config) {
    parts.push("its config is not there");
  }
  if (missing.count > 0) {
    parts.push(`${counted(missing.count, "file")} not there, such as ${missing.paths[0] ?? ""}`);
  }
  if (wrongSize.count > 0) {
    parts.push(
      `${counted(wrongSize.count, "file")} of another size, such as ${wrongSize.paths[0] ?? ""}`,
    );
  }
  if (parts.length === 0) return undefined;
  return `the target's listing after the mirror does not bear it out: ${parts.join("; ")}. Run again`;
}
