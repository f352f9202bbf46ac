/** Brings repositories back to the hub from a target: its disk has died, and this one is new. */
import { mkdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UsageError } from "../errors.ts";
import { size } from "../format.ts";
import { endChildren, lockRepository, lockTarget, type Patience } from "../locks.ts";
import { isEmpty } from "../mirror/identity.ts";
import { listRepository, fileCount } from "../repository/listing.ts";
import type { RepositoryFile } from "../repository/layout.ts";
import { StopError, type Inventory, type Target } from "../targets/target.ts";
import { bringAll, missing, refusalToFetch } from "./fetch-host.ts";
import { emptyFetch, type FetchReport, type HostFetch } from "./report.ts";
import type { Source } from "./source.ts";

/** What must stay free on the disk. */
const SPARE_BYTES = 64 * 1024 ** 2;

/** What is to be fetched. */
export interface FetchOptions {
  readonly name: string;
  readonly target: Target;
  readonly source: Source;
  readonly hosts: readonly string[];
  readonly repositories: string;
  readonly state: string;
  readonly patience: Patience;
  readonly dryRun: boolean;
  readonly onHost: (host: string, report: HostFetch) => void;
  readonly onProgress: (host: string, bytes: number, of: number) => void;
}

/** A host that something is to be brought of. */
interface Plan {
  readonly host: string;
  readonly inventory: Inventory;
  readonly report: HostFetch;
  bytes: number;
}

/**
 * Fetches. Each repository is locked while it is filled, and the target against a mirror to it.
 *
 * @throws UsageError where the disk has not room for it; nothing is touched then.
 */
export async function fetchRepositories(options: FetchOptions): Promise<FetchReport> {
  const { name, state, patience, target, hosts } = options;
  const report: FetchReport = {
    ...{ version: 1, target: name, dryRun: options.dryRun, hosts: {}, errors: [] },
  };
  const release = await lockTarget(state, name, patience);
  try {
    // A run that was killed may have left its rclone at work.
    endChildren(state, name);
    const inventories = await target.inventory(hosts);
    const plans: Plan[] = [];
    for (const host of hosts) {
      const each = emptyFetch();
      report.hosts[host] = each;
      const inventory = inventories.get(host);
      const planned = await plan(options, host, inventory, each);
      if (planned === undefined) options.onHost(host, each);
      else plans.push(planned);
    }
    requireSpace(options, plans);
    for (const each of plans) await fill(options, each, report);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    report.errors.push(messageOf(error));
  } finally {
    release();
  }
  return report;
}

/** What is missing of a host; undefined where nothing can or need be done, which the report says. */
async function plan(
  { repositories }: FetchOptions,
  host: string,
  inventory: Inventory | Error | undefined,
  report: HostFetch,
): Promise<Plan | undefined> {
  if (inventory === undefined || inventory instanceof Error) {
    report.errors.push(inventory === undefined ? "was not listed" : messageOf(inventory));
    return undefined;
  }
  if (isEmpty(inventory)) {
    report.outcome = "absent";
    return undefined;
  }
  const directory = join(repositories, host);
  const listing = await listRepository(directory);
  const reason = refusalToFetch(directory, listing, inventory);
  if (reason !== undefined) {
    report.outcome = "refused";
    report.errors.push(reason);
    return undefined;
  }
  const files = [...missing(host, listing, inventory)];
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  return { host, inventory, report, bytes };
}

function requireSpace({ repositories, dryRun }: FetchOptions, plans: readonly Plan[]): void {
  const { bavail, bsize } = statfsSync(repositories);
  const needed = plans.reduce((sum, { bytes }) => sum + bytes, 0);
  if (dryRun || needed + SPARE_BYTES <= bavail * bsize) return;
  throw new UsageError(
    `${repositories} has ${size(bavail * bsize)} free, and ${size(needed)} are to be fetched. Nothing was touched. Take a larger disk, or name some of the hosts`,
  );
}

/** Fills one repository, with nobody else in it. */
async function fill(options: FetchOptions, each: Plan, whole: FetchReport): Promise<void> {
  const { repositories, state, patience, dryRun, source } = options;
  const { host, inventory, report } = each;
  const began = performance.now();
  const release = await lockRepository(state, host, "exclusive", patience);
  const beside = join(repositories, `.offsite-fetch-${options.name}`);
  try {
    // What a run that was killed left; nobody else has the target's lock.
    rmSync(beside, { recursive: true, force: true });
    // Again, now that nobody changes it.
    const listing = await listRepository(join(repositories, host));
    const refused = refusalToFetch(join(repositories, host), listing, inventory);
    if (refused !== undefined) {
      report.outcome = "refused";
      report.errors.push(refused);
      return;
    }
    const files = [...missing(host, listing, inventory)];
    report.present = fileCount(listing);
    report.snapshots = listing.files.snapshots.count;
    if (dryRun) planOnly(report, files);
    else {
      mkdirSync(repositories, { recursive: true });
      const onFiles = (bytes: number) => options.onProgress(host, bytes, each.bytes);
      await bringAll(source, { repositories, beside }, files, report, onFiles);
      report.outcome = report.damaged.length === 0 ? "complete" : "incomplete";
      if (report.damaged.length > 3) {
        report.errors.push(`and ${report.damaged.length - 3} more. Fetch them from another target`);
      }
    }
  } catch (error) {
    report.errors.push(`${messageOf(error)}. Run it again: it goes on where it was`);
    // The next host would fare no better.
    if (!(error instanceof StopError) || error.scope === "target") throw error;
  } finally {
    release();
    report.seconds = (performance.now() - began) / 1000;
    whole.hosts[host] = report;
    options.onHost(host, report);
  }
}

function planOnly(report: HostFetch, files: readonly RepositoryFile[]): void {
  report.outcome = "planned";
  report.files = files.length;
  report.bytes = files.reduce((sum, file) => sum + file.size, 0);
  report.snapshots += files.filter(({ kind }) => kind === "snapshots").length;
}
