/** What the tests of status, list and metrics share: a world, and results as the commands leave them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { arrivals, remember } from "../../../hub/mirror/shrinkage.ts";
import {
  AT_HUB,
  recordResult,
  type Facts,
  type ResultKind,
  type Run,
} from "../../../hub/results.ts";
import { listRepository } from "../../../hub/repository/listing.ts";
import { settingsSchema } from "../../../hub/settings.ts";
import type { StatusReport } from "../../../hub/status/report.ts";
import { status, type StatusOptions } from "../../../hub/status/status.ts";
import { PASSWORD, type World } from "../world.ts";

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

const FACTS: { [Kind in ResultKind]: Facts<Kind> } = {
  mirror: {
    files: 3,
    bytes: 300,
    waitingFiles: 0,
    waitingBytes: 0,
    snapshots: 2,
    hidden: 0,
    credential: "current",
  },
  verify: {
    files: 9,
    bytes: 900,
    missing: 0,
    damaged: 0,
    strangers: 0,
    readFiles: 1,
    readBytes: 100,
  },
  prune: { kept: 2, removed: 0, suspicious: 0 },
  drill: { snapshot: null, snapshotTime: null, files: 1, bytes: 10, checks: 1 },
  control: { breakages: 3 },
  thief: { files: 2 },
};

/** A run that ended well, and what is different about it. */
export interface RunInput<Kind extends ResultKind> {
  /** When it began, in milliseconds since 1970; a little after now where it is left out. */
  readonly at?: number;
  readonly errors?: readonly string[];
  readonly facts?: Partial<Facts<Kind>>;
}

/** Leaves a result, as the command does. */
export function record<Kind extends ResultKind>(
  world: World,
  kind: Kind,
  place: string,
  host: string,
  input: RunInput<Kind> = {},
): void {
  const errors = input.errors ?? [];
  const run: Run<Kind> = {
    started: new Date(input.at ?? Date.now() + 50).toISOString(),
    seconds: 2,
    outcome: errors.length === 0 ? "ok" : "failed",
    errors,
    facts: { ...FACTS[kind], ...input.facts },
  };
  recordResult(world.state, kind, place, host, run);
}

/** Leaves what a night leaves in which all went well for these hosts at all targets. */
export async function goodNight(world: World, hosts: readonly string[]): Promise<void> {
  for (const host of hosts) {
    const listing = await listRepository(world.at(host));
    const snapshots = arrivals(world.at(host), listing.files.snapshots);
    record(world, "prune", AT_HUB, host);
    for (const target of Object.keys(world.manifest.targets)) {
      remember(join(world.state, "snapshots", target, `${host}.json`), snapshots);
      for (const kind of ["mirror", "verify", "drill"] as const) record(world, kind, target, host);
    }
  }
}

/** Adds both kinds of target to the manifest; nothing answers there. */
export function addTargets(world: World): void {
  world.addCloud();
  world.manifest.targets.peer = {
    type: "rest-server",
    url: "http://127.0.0.1:1/",
    maxSizeGiB: 100,
    repositories: {},
  };
  world.credentials.targets.peer = {
    type: "rest-server",
    users: Object.fromEntries(world.hosts.map((host) => [host, world.trio])),
  };
}

/** A file with the password of the world's repositories, or another one. */
export function passwordFile(world: World, password = PASSWORD): string {
  const path = join(world.root, `password-${password.length}`);
  writeFileSync(path, `${password}\n`);
  return path;
}

/** The status as it is, or as it is seen later. */
export async function look(
  world: World,
  options: Partial<Omit<StatusOptions, "settings">> & { later?: number } = {},
): Promise<StatusReport> {
  return status({
    manifest: world.manifest,
    hosts: world.hosts,
    repositories: world.repositories,
    state: world.state,
    restic: "restic",
    credentials: world.credentials,
    now: new Date(Date.now() + (options.later ?? 0)),
    settings: settingsSchema.parse(world.settings ?? {}),
    ...options,
  });
}
