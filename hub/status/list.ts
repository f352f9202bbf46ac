import { join } from "node:path";
import type { Manifest } from "../../config/manifest.ts";
import { forEachConcurrent } from "../concurrency.ts";
import { recall } from "../mirror/shrinkage.ts";
import type { Settings } from "../settings.ts";
import { expectedOwner, scanRepository } from "./scan.ts";
import { DETAILS_MS, snapshotDetails, type SnapshotDetails } from "./snapshots.ts";

/**
 * What `offsite-hub list --json` writes, and the capability `backup-list` answers. It changes only
 * compatibly. Times are ISO 8601 in UTC.
 */
export interface ListReport {
  readonly version: 1;
  /** When the report was made. */
  readonly time: string;
  /** By name; a host of which nothing has been seen has no snapshots. */
  readonly hosts: Readonly<Record<string, HostList>>;
}

/** One host's snapshots at the hub. */
export interface HostList {
  /** The newest first, by their arrival. */
  readonly snapshots: readonly ListedSnapshot[];
  /** Why some of it cannot be told, one line each. */
  readonly errors: readonly string[];
}

/** One snapshot at the hub. */
export interface ListedSnapshot {
  /** Its id, 64 hexadecimal digits. */
  readonly id: string;
  /** When its file arrived at the hub, by the hub's own clock. */
  readonly arrived: string;
  /** What it says of itself; null without the repository's password. */
  readonly details: SnapshotDetails | null;
  /** The targets that are known to hold it. */
  readonly targets: readonly string[];
}

/** What to list. */
export interface ListOptions {
  readonly manifest: Manifest;
  /** Hosts of the manifest. */
  readonly hosts: readonly string[];
  readonly settings: Settings;
  /** The hub's folder of repositories. */
  readonly repositories: string;
  readonly state: string;
  readonly restic: string;
  readonly now: Date;
}

/** Lists the snapshots of hosts, from the hub's files and, where it has their passwords, with restic. */
export async function list(options: ListOptions): Promise<ListReport> {
  const found = new Map<string, HostList>();
  const deadline = AbortSignal.timeout(DETAILS_MS);
  await forEachConcurrent(options.hosts, 2, async (host) => {
    found.set(host, await listHost(host, options, deadline));
  });
  return {
    version: 1,
    time: options.now.toISOString(),
    // In the manifest's order, whichever was done first.
    hosts: Object.fromEntries(
      options.hosts.flatMap((host) => {
        const listed = found.get(host);
        return listed === undefined ? [] : [[host, listed]];
      }),
    ),
  };
}

async function listHost(
  host: string,
  options: ListOptions,
  deadline: AbortSignal,
): Promise<HostList> {
  const { manifest, settings, repositories, state, restic } = options;
  const directory = join(repositories, host);
  const scan = scanRepository(directory, expectedOwner(repositories, directory));
  const ids = new Set(scan.snapshots.keys());
  const details = await snapshotDetails({
    host,
    directory,
    ids,
    settings,
    state,
    restic,
    deadline,
  });
  const held = Object.keys(manifest.targets).map(
    (target) => [target, recall(join(state, "snapshots", target, `${host}.json`))] as const,
  );
  const newestFirst = [...scan.snapshots].sort(
    ([one, a], [other, b]) => b - a || (one < other ? 1 : -1),
  );
  return {
    snapshots: newestFirst.map(([id, arrived]) => ({
      id,
      arrived: new Date(arrived).toISOString(),
      details: details.snapshots.get(id) ?? null,
      targets: held.filter(([, names]) => names.has(id)).map(([target]) => target),
    })),
    errors: [
      ...scan.errors.map((error) => `cannot read all of its repository: ${error}`),
      ...[details.problem, details.notice].filter((each) => each !== undefined),
    ],
  };
}
