import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { HubCredentials, Manifest } from "../../config/manifest.ts";
import { forEachConcurrent } from "../concurrency.ts";
import { messageOf } from "../errors.ts";
import { AT_HUB, readResults, unreadableResults, type Result } from "../results.ts";
import type { Settings } from "../settings.ts";
import { Findings } from "./findings.ts";
import { disksOf } from "./disks.ts";
import { judgeGuests } from "./guests.ts";
import { judgeHost } from "./host.ts";
import type { HostStatus, StatusReport, Thresholds, UnownedRepository } from "./report.ts";
import { expectedOwner, scanRepository, type Scan } from "./scan.ts";
import { DETAILS_MS, snapshotDetails, type Details } from "./snapshots.ts";
import { judgeTarget, type HostAtHub } from "./target.ts";

/** What to report on. */
export interface StatusOptions {
  readonly manifest: Manifest;
  /** Hosts of the manifest. */
  readonly hosts: readonly string[];
  readonly settings: Settings;
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** The folder of what the agent remembers. */
  readonly state: string;
  readonly restic: string;
  /** Tells the generations in use; not needed. */
  readonly credentials: HubCredentials | undefined;
  readonly now: Date;
  /** How long restic may take for all hosts together, in milliseconds. */
  readonly detailsMs?: number;
}

const DAY = 86_400;
/** restic takes a core and 60 MB to open a repository. */
const AT_A_TIME = 2;

/**
 * Reports on the hub, its hosts and its targets, from the hub's files alone: no target is asked.
 * What cannot be read is a problem in the report.
 */
export async function status(options: StatusOptions): Promise<StatusReport> {
  const { manifest, settings, repositories, state, now } = options;
  const thresholds: Thresholds = {
    backup: settings.overdueHours * 3600,
    verify: settings.overdueDays.verify * DAY,
    drill: settings.overdueDays.drill * DAY,
    prune: settings.overdueDays.prune * DAY,
    guest: settings.guests.quietDays * DAY,
  };
  const problems = new Findings();
  const notices = new Findings();
  const folders = foldersIn(repositories, problems);
  const evidence = await gather(options);
  const prunes = readResults(state, "prune").filter(({ place }) => place === AT_HUB);
  const mirrors = readResults(state, "mirror");
  const verifies = readResults(state, "verify").filter(({ place }) => place === AT_HUB);
  const hosts: Record<string, HostStatus> = {};
  for (const { host, scan, owner, details } of evidence) {
    hosts[host] = judgeHost(
      {
        host,
        readable: folders !== undefined,
        scan,
        owner,
        details,
        prune: prunes.find((each) => each.host === host),
        verify: verifies.find((each) => each.host === host),
        mirrored: lastMirrored(mirrors, options, host),
        thresholds,
        now: now.getTime(),
      },
      problems,
      notices,
    );
  }
  const targets = Object.keys(manifest.targets).map((name) => {
    const found = judgeTarget(name, evidence, { ...options, thresholds }, problems, notices);
    return [name, found] as const;
  });
  const unowned = strangers(options, folders ?? [], evidence);
  for (const { path } of unowned) {
    problems.add(
      "",
      "",
      path === "."
        ? `"${repositories}" is itself a repository, which nobody mirrors: give each host its own with "offsite-hub migrate", then move it away`
        : `the repository "${path}" belongs to no host of the manifest and is not mirrored: add the host to the stack's config, or move it away`,
    );
  }
  const isWhole = options.hosts.length === Object.keys(manifest.hosts).length;
  const guests = isWhole
    ? judgeGuests({ manifest, settings, now: now.getTime() }, problems, notices)
    : {};
  judgeState(state, problems, notices);
  const lines = problems.lines();
  return {
    version: 1,
    time: now.toISOString(),
    stack: manifest.stack,
    hub: manifest.hub.host,
    healthy: lines.length === 0,
    problems: lines,
    notices: notices.lines(),
    thresholds,
    disks: disksOf(options),
    hosts,
    targets: Object.fromEntries(targets),
    guests,
    unowned,
  };
}

interface Gathered extends HostAtHub {
  readonly owner: number;
  readonly details: Details;
}

async function gather(options: StatusOptions): Promise<Gathered[]> {
  const { hosts, manifest, settings, repositories, state, restic } = options;
  const all = hosts.map((host) => {
    const directory = join(repositories, host);
    const owner = expectedOwner(repositories, directory);
    const user = manifest.hosts[host]?.user ?? host;
    return { host, user, directory, owner, scan: scanRepository(directory, owner) };
  });
  const details = new Map<string, Details>();
  const deadline = AbortSignal.timeout(options.detailsMs ?? DETAILS_MS);
  await forEachConcurrent(all, AT_A_TIME, async ({ host, directory, scan }) => {
    const ids = new Set(scan.snapshots.keys());
    const found = await snapshotDetails({
      host,
      directory,
      ids,
      settings,
      state,
      restic,
      deadline,
    });
    details.set(host, found);
  });
  return all.map((each) => ({
    ...each,
    details: details.get(each.host) ?? { snapshots: new Map(), unreadable: new Set() },
  }));
}

/** When a target last got a snapshot of the host, as far as anybody remembers. */
function lastMirrored(
  mirrors: readonly Result<"mirror">[],
  { manifest }: StatusOptions,
  host: string,
): string | undefined {
  const times = mirrors
    .filter((each) => each.host === host && Object.hasOwn(manifest.targets, each.place))
    .flatMap(({ lastSuccess }) =>
      lastSuccess !== null && lastSuccess.facts.snapshots > 0 ? [lastSuccess.started] : [],
    );
  return times.sort().at(-1);
}

function foldersIn(repositories: string, problems: Findings): string[] | undefined {
  try {
    return readdirSync(repositories).sort();
  } catch (error) {
    problems.add("", "", `cannot read the hub's repositories: ${messageOf(error)}`);
    return undefined;
  }
}

/** Repositories at the hub that no host of the manifest owns. */
function strangers(
  { manifest, repositories }: StatusOptions,
  folders: readonly string[],
  gathered: readonly Gathered[],
): UnownedRepository[] {
  const paths = folders.includes("config") ? ["."] : [];
  paths.push(
    ...folders.filter(
      (name) =>
        !Object.hasOwn(manifest.hosts, name) && existsSync(join(repositories, name, "config")),
    ),
    ...gathered.flatMap(({ host, scan }) => scan.nested.map((name) => `${host}/${name}`)),
  );
  return paths.map((path) => unowned(path, scanRepository(join(repositories, path), 0)));
}

function unowned(path: string, scan: Scan): UnownedRepository {
  const arrived = Math.max(...scan.snapshots.values());
  return {
    path,
    snapshots: scan.snapshots.size,
    bytes: scan.bytes,
    lastArrived: Number.isFinite(arrived) ? new Date(arrived).toISOString() : null,
  };
}

function judgeState(state: string, problems: Findings, notices: Findings): void {
  const unreadable = unreadableResults(state);
  for (const line of unreadable) problems.add("", "", `cannot read what a command left: ${line}`);
  if (unreadable.length > 0 || existsSync(join(state, "results"))) return;
  notices.add("", "", `no command has left a result in "${state}" yet: is it the right --state?`);
}
