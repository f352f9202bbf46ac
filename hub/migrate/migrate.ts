/** `offsite-hub migrate`: from one shared repository to private ones, host by host. */
import { join, resolve } from "node:path";
import { messageOf, UsageError } from "../errors.ts";
import { excerpt } from "../format.ts";
import type { Patience } from "../locks.ts";
import type { Snapshot } from "../prune/snapshot.ts";
import { ownerOf, readPassword } from "../restic.ts";
import { migrateHost, type HostMigrateReport } from "./migrate-host.ts";
import { openSource } from "./source.ts";
import { passwordFileOf } from "../settings.ts";

/** What is migrated, and how. */
export interface MigrateOptions {
  /** The shared repository: a folder, or `rest:http…`. */
  readonly from: string;
  readonly fromPasswordFile: string;
  /** By the name in the source: the manifest's name. */
  readonly renames: ReadonlyMap<string, string>;
  /** Hosts to migrate, by the manifest's names. */
  readonly hosts: readonly string[];
  /** All of the manifest's. */
  readonly allHosts: readonly string[];
  readonly repositories: string;
  readonly passwordFiles: Readonly<Record<string, string>>;
  readonly restic: string;
  readonly state: string;
  readonly patience: Patience;
  readonly dryRun: boolean;
  readonly readData: string;
  /** Called at the beginning of each host that has something to migrate. */
  readonly onStart: (host: string, snapshots: number) => void;
  /** Called at the end of each host. */
  readonly onHost: (host: string, report: HostMigrateReport) => void;
}

/** What `offsite-hub migrate --json` writes. It changes only compatibly. */
export interface MigrateReport {
  readonly version: 1;
  readonly dryRun: boolean;
  readonly hosts: Record<string, HostMigrateReport>;
  /** Snapshots in the source by host names that the manifest does not know. */
  readonly unknown: Record<string, number>;
  /** Snapshots in the source of hosts of the manifest that were not asked for. */
  readonly others: Record<string, number>;
}

/**
 * Migrates the hosts, one after the other.
 *
 * @throws UsageError where the source cannot be read, or a rename makes no sense.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateReport> {
  const { from, restic, dryRun } = options;
  const repositories = resolve(options.repositories);
  const account = ownerOf(repositories);
  const password = readPassword(options.fromPasswordFile);
  const source = await openSource({ from, password, restic, account });
  const byHost = sorted(source.snapshots, options);
  const report: MigrateReport = { version: 1, dryRun, hosts: {}, unknown: {}, others: {} };
  for (const [name, snapshots] of byHost) {
    if (options.hosts.includes(name)) continue;
    const known = options.allHosts.includes(name);
    (known ? report.others : report.unknown)[name] = snapshots.length;
  }
  for (const host of options.hosts) {
    const started = performance.now();
    const snapshots = byHost.get(host) ?? [];
    const each = newReport(snapshots.length);
    report.hosts[host] = each;
    try {
      if (snapshots.length > 0) {
        options.onStart(host, snapshots.length);
        const directory = join(repositories, host);
        const own = ownPassword(host, options);
        const hostOptions = { ...options, host, snapshots, directory, password: own };
        await migrateHost(source, hostOptions, each);
      }
    } catch (error) {
      each.outcome = "failed";
      each.errors.push(messageOf(error));
    }
    each.seconds = (performance.now() - started) / 1000;
    options.onHost(host, each);
  }
  return report;
}

function newReport(snapshots: number): HostMigrateReport {
  const zero = { copied: 0, created: false, seconds: 0 };
  return { outcome: snapshots === 0 ? "absent" : "failed", snapshots, errors: [], ...zero };
}

function ownPassword(host: string, options: MigrateOptions): string {
  const file = passwordFileOf(options.passwordFiles, host);
  if (file !== undefined) return readPassword(file);
  throw new UsageError(
    `no password is known: give a file with one in the settings, as passwordFiles.${host}`,
  );
}

/** The source's snapshots by the manifest's host names. */
function sorted(
  snapshots: readonly Snapshot[],
  options: MigrateOptions,
): Map<string, readonly Snapshot[]> {
  const names = new Set(snapshots.map(({ hostname }) => hostname));
  const absent = [...options.renames.keys()].filter((name) => !names.has(name));
  if (absent.length > 0) {
    throw new UsageError(
      `--rename: the source has no snapshot of ${absent.map((name) => `"${name}"`).join(", ")}. ` +
        `It has: ${[...names].sort().map(excerpt).join(", ")}`,
    );
  }
  const found = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    const host = options.renames.get(snapshot.hostname) ?? snapshot.hostname;
    found.set(host, [...(found.get(host) ?? []), snapshot]);
  }
  return found;
}
