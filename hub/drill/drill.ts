import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Inputs } from "../options.ts";
import { readResults, recordResult } from "../results.ts";
import { Checks, type CheckOptions } from "./checks/all.ts";
import { reach, repositoryAt, type ReadOnlyRepository } from "./repository.ts";
import { newDrill, since, type HostDrill } from "./report.ts";
import { restoreSnapshot } from "./restore.ts";
import { inScratch, type Scratch } from "./scratch.ts";
import { chooseSnapshots, compareWithHub, listSnapshots, type Snapshot } from "./snapshots.ts";

/** What a drill is to do. */
export interface DrillOptions {
  readonly inputs: Inputs;
  readonly target: string;
  readonly host: string;
  /** A snapshot's id or its beginning; the newest where it is left out. */
  readonly snapshot: string | undefined;
  /** The folder below which the drill makes its own. */
  readonly scratch: string;
  /** Leave what was restored where it is. */
  readonly keep: boolean;
}

/**
 * Restores a host's newest snapshot from a target, proves that all of it is there, runs the checks
 * and remembers the outcome. It only reads at the target and takes no lock: a mirror hides there
 * only what no snapshot has needed for days.
 */
export async function drill(options: DrillOptions): Promise<HostDrill> {
  const { inputs, target, host } = options;
  const report = newDrill(target, host);
  const begin = performance.now();
  await inScratch(options.scratch, report.errors, async (scratch) => {
    await rehearse(options, scratch, report);
    if (!options.keep) return;
    scratch.keep(RESTORED);
    report.kept = scratch.folder(RESTORED);
  });
  report.seconds = since(begin);
  report.outcome = report.errors.length === 0 ? "ok" : "failed";
  remember(inputs.state, report);
  return report;
}

/** Whether the hub has no repository of a host, nor ever mirrored one. */
export function hasNeverBackedUp(inputs: Inputs, host: string): boolean {
  if (existsSync(join(inputs.repositoryOf(host), "config"))) return false;
  return !readResults(inputs.state, "mirror").some((result) => result.host === host);
}

const RESTORED = "restored";

async function rehearse(options: DrillOptions, scratch: Scratch, report: HostDrill): Promise<void> {
  const { inputs, target, host } = options;
  const repository = repositoryAt(inputs, target, host, scratch.folder("cache"));
  const chosen = await timed(report, "find", async () => {
    await reach(inputs, target, host);
    return await choose(options, repository, report);
  });
  const restored = scratch.fresh(RESTORED);
  await timed(report, "restore", async () => {
    for (const snapshot of chosen) {
      const found = await restoreSnapshot(repository, snapshot.id, scratch, restored);
      report.notices.push(...found.notices);
      report.snapshots.push({
        id: snapshot.id,
        time: new Date(snapshot.time).toISOString(),
        ageHours: (Date.parse(report.started) - Date.parse(snapshot.time)) / 3_600_000,
        paths: snapshot.paths,
        files: found.files,
        bytes: found.bytes,
      });
    }
  });
  await timed(report, "checks", async () => {
    const checks = new Checks(checkOptions(inputs, target, host), scratch);
    try {
      report.checks.push(...(await checks.run(restored)));
    } finally {
      await checks.close();
    }
  });
  for (const { name, file, outcome, detail } of report.checks) {
    const line = `check "${name}"${file === null ? "" : ` of ${file}`}: ${detail}`;
    if (outcome === "failed") report.errors.push(line);
    // A check that was made in part is to be seen, not only counted.
    else if (outcome === "skipped" || detail.includes("not loaded")) report.notices.push(line);
  }
}

async function choose(
  options: DrillOptions,
  repository: ReadOnlyRepository,
  report: HostDrill,
): Promise<readonly Snapshot[]> {
  const { inputs, target, host } = options;
  const all = await listSnapshots(repository);
  report.credential = repository.accepted;
  if (options.snapshot === undefined) {
    const place = { state: inputs.state, repository: inputs.repositoryOf(host), target, host };
    const { errors, notices } = compareWithHub(all, place);
    report.errors.push(...errors);
    report.notices.push(...notices);
  }
  const { snapshots, notices } = chooseSnapshots(all, host, {
    overdueHours: inputs.settings.overdueHours,
    wanted: options.snapshot,
    now: Date.now(),
  });
  report.notices.push(...notices);
  return snapshots;
}

/** The settings of a host's checks. */
export function checkOptions(inputs: Inputs, target: string, host: string): CheckOptions {
  const { checks, ignore, sqlite3, postgresql, zstd } = inputs.settings.drill;
  const own = checks[host] ?? [];
  return { host, target, own, ignore: ignore[host] ?? [], sqlite3, postgresql, zstd };
}

async function timed<Result>(
  report: HostDrill,
  phase: keyof HostDrill["phases"],
  work: () => Promise<Result>,
): Promise<Result> {
  const begin = performance.now();
  try {
    return await work();
  } finally {
    report.phases[phase] = since(begin);
  }
}

function remember(state: string, report: HostDrill): void {
  const newest = report.snapshots.at(-1);
  const sum = (pick: (each: HostDrill["snapshots"][number]) => number): number =>
    report.snapshots.reduce((total, each) => total + pick(each), 0);
  recordResult(state, "drill", report.target, report.host, {
    started: report.started,
    seconds: report.seconds,
    outcome: report.outcome,
    errors: report.errors,
    facts: {
      snapshot: newest?.id ?? null,
      snapshotTime: newest?.time ?? null,
      files: sum(({ files }) => files),
      bytes: sum(({ bytes }) => bytes),
      checks: report.checks.filter(({ outcome }) => outcome === "passed").length,
    },
  });
}
