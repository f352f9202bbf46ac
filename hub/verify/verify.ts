import { join } from "node:path";
import { isThroughRclone, type Manifest, type TargetManifest } from "../../config/manifest.ts";
import { messageOf } from "../errors.ts";
import { counted } from "../format.ts";
import { openLedger } from "../ledger.ts";
import { lockRepository, type Patience } from "../locks.ts";
import { FOREIGN_KEY, isForeignKey } from "../repository/key-file.ts";
import { pathOf } from "../repository/layout.ts";
import { listRepository, type LocalListing } from "../repository/listing.ts";
import { AT_HUB } from "../results.ts";
import type { Probe } from "../targets/probe.ts";
import type { Target } from "../targets/target.ts";
import { readDamaged, writeDamaged } from "./damage.ts";
import { learn, unread } from "./learn.ts";
import { recordHub, recordTarget } from "./record.ts";
import {
  named,
  newReadReport,
  type HostVerification,
  type HubVerification,
  type VerifyReport,
} from "./report.ts";
import { random } from "./sample.ts";
import { verifyTarget } from "./verify-target.ts";

/** What to verify. */
export interface VerifyOptions {
  readonly manifest: Manifest;
  readonly targets: readonly {
    readonly name: string;
    /** Makes what the target is reached with; what it throws is this target's failure alone. */
    readonly make: () => { readonly target: Target; readonly probe: Probe };
  }[];
  readonly hosts: readonly string[];
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** The folder for locks and for what the agent remembers. */
  readonly state: string;
  readonly patience: Patience;
  /** After how long a snapshot that is not at a target is a failure. */
  readonly overdueHours: number;
  /** Of 1, how much to read back; undefined to read nothing. */
  readonly share: number | undefined;
  /** Called before the hub's files of a host are read, where some are to be. */
  readonly onRead: (host: string, files: number, bytes: number) => void;
  /** Called when the hub's files of a host were looked at. */
  readonly onHub: (host: string, report: HubVerification) => void;
  /** Called when a host at a target is done with. */
  readonly onHost: (target: string, host: string, report: HostVerification) => void;
}

/**
 * Verifies the hub's own files that were not read before, and then the targets, side by side. One
 * host or target that fails does not stop the others; what failed is in the report, and remembered.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  const started = new Date();
  const begin = performance.now();
  const hub: Record<string, HubVerification> = {};
  for (const host of options.hosts) {
    const since = new Date();
    const report = await verifyHub(options, host);
    hub[host] = report;
    remember(report.errors, () => recordHub(options.state, host, since, report));
    options.onHub(host, report);
  }
  const targets = await Promise.all(
    options.targets.map(async ({ name, make }) => {
      const since = new Date();
      const report = await verifyTarget({
        ...options,
        name,
        place: placeOf(options.manifest.targets[name]),
        allHosts: Object.keys(options.manifest.hosts),
        make,
        onHost: (host, each) => options.onHost(name, host, each),
      });
      remember(report.errors, () =>
        recordTarget(options.state, name, options.hosts, since, report),
      );
      return [name, report] as const;
    }),
  );
  return {
    version: 1,
    started: started.toISOString(),
    seconds: (performance.now() - begin) / 1000,
    hub,
    targets: Object.fromEntries(targets),
  };
}

/** Names what is in `keys` and is no key. */
function foreignKeys(directory: string, listing: LocalListing): string[] {
  return [...listing.files.keys.entries()]
    .map(([name]) => ({ name, path: pathOf("keys", name) }))
    .filter(({ name, path }) => isForeignKey(join(directory, path), name))
    .map(({ path }) => `${path}: ${FOREIGN_KEY}`);
}

/** Where the repositories are for rclone; undefined for a rest-server. */
function placeOf(target: TargetManifest | undefined): string | undefined {
  return isThroughRclone(target) ? `${target.remote}:${target.path}` : undefined;
}

/** What was found is told also where it cannot be remembered. */
function remember(errors: string[], work: () => void): void {
  try {
    work();
  } catch (error) {
    errors.push(`cannot remember the result: ${messageOf(error)}`);
  }
}

/**
 * Reads what was not read before of a host's files at the hub; and again what was found damaged,
 * and the share that is to be read.
 */
async function verifyHub(options: VerifyOptions, host: string): Promise<HubVerification> {
  const report: HubVerification = { read: newReadReport(), errors: [] };
  const directory = join(options.repositories, host);
  const { state, share = 0 } = options;
  try {
    const before = readDamaged(state, AT_HUB, host);
    const again = (path: string): boolean => before.has(path) || random() < share;
    const release = await lockRepository(options.state, host, "shared", options.patience);
    try {
      const ledger = await openLedger(options.state, host);
      try {
        const listing = await listRepository(directory);
        ledger.addListing(listing);
        const { files, bytes } = unread(listing, ledger);
        if (files > 0) options.onRead(host, files, bytes);
        const found = await learn(directory, listing, ledger, report.read, again);
        report.errors.push(...found.unreadable, ...foreignKeys(directory, listing));
        writeDamaged(state, AT_HUB, host, found.damaged);
      } finally {
        ledger.close();
      }
    } finally {
      release();
    }
  } catch (error) {
    report.errors.push(messageOf(error));
  }
  const { damaged } = report.read;
  if (damaged.count > 0) {
    report.errors.push(
      `damaged at the hub, ${counted(damaged.count, "file")}: ${named(damaged)}. Restore them from a target; ` +
        "until then the mirror holds back what needs those that it has not sent",
    );
  }
  return report;
}
