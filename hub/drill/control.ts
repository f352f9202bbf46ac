/**
 * The control of a drill: the same on a copy that is broken on purpose. What passes then cannot
 * fail, and says nothing when it passes on a good one.
 */
import { randomBytes } from "node:crypto";
import { messageOf } from "../errors.ts";
import { recordResult } from "../results.ts";
import { runRestic } from "../restic.ts";
import {
  brokenCopy,
  damagesOf,
  emptyAll,
  largestPack,
  PACK_DAMAGES,
  whileBroken,
} from "./break.ts";
import { Checks, type Subject } from "./checks/all.ts";
import { checkOptions, type DrillOptions } from "./drill.ts";
import { reach, ReadOnlyRepository, repositoryAt } from "./repository.ts";
import { DrillError, since, type CheckReport, type HostControl } from "./report.ts";
import { restoreSnapshot } from "./restore.ts";
import { inScratch, type Scratch } from "./scratch.ts";
import { chooseSnapshots, listSnapshots, type Snapshot } from "./snapshots.ts";

/** What one run of a control works with. */
interface Bench {
  readonly options: DrillOptions;
  readonly scratch: Scratch;
  readonly report: HostControl;
  /** The copy of the repository, in a folder. */
  readonly copy: string;
  readonly password: string;
}

/**
 * Copies a host's newest snapshot from a target into a repository of its own, and has the drill
 * fail on it: with a pack that is broken, with databases and dumps that are broken, and for each
 * check of the host's own with files that are empty or gone. The target is only read.
 */
export async function control(options: DrillOptions): Promise<HostControl> {
  const { inputs, target, host } = options;
  const begin = performance.now();
  const report: HostControl = {
    target,
    host,
    started: new Date().toISOString(),
    outcome: "failed",
    seconds: 0,
    breakages: [],
    notices: [],
    errors: [],
  };
  await inScratch(options.scratch, report.errors, async (scratch) => {
    const copy = scratch.folder("copy");
    const password = randomBytes(24).toString("hex");
    await breakAll({ options, scratch, report, copy, password });
  });
  for (const { what, noticed } of report.breakages) {
    if (!noticed) report.errors.push(`passes although broken: ${what}`);
  }
  report.seconds = since(begin);
  report.outcome = report.errors.length === 0 ? "ok" : "failed";
  recordResult(inputs.state, "control", target, host, {
    started: report.started,
    seconds: report.seconds,
    outcome: report.outcome,
    errors: report.errors,
    facts: { breakages: report.breakages.length },
  });
  return report;
}

async function breakAll(bench: Bench): Promise<void> {
  const { options, scratch, copy } = bench;
  const { inputs, target, host } = options;
  const source = repositoryAt(inputs, target, host, scratch.folder("cache"));
  await reach(inputs, target, host);
  const all = await listSnapshots(source);
  const { snapshots } = chooseSnapshots(all, host, {
    overdueHours: inputs.settings.overdueHours,
    wanted: options.snapshot,
    now: Date.now(),
  });
  await copySnapshots(bench, source, snapshots);
  // It must pass on the unbroken copy, or its failing on a broken one shows nothing.
  const copied = await listSnapshots(openCopy(bench));
  const restored = await restoreCopy(bench, copied);
  const checks = new Checks(checkOptions(inputs, target, host), scratch);
  try {
    const good = await checks.run(restored);
    const bad = good.filter(({ outcome }) => outcome === "failed");
    if (bad.length > 0) {
      throw new DrillError(
        `nothing can be shown, since it fails unbroken: ${bad.map(({ name, detail }) => `check "${name}": ${detail}`).join("; ")}`,
      );
    }
    await breakSubjects(bench, checks, restored, good);
    await breakForOwnChecks(bench, checks, restored);
  } finally {
    await checks.close();
  }
  const pack = largestPack(copy);
  for (const damage of PACK_DAMAGES) {
    await whileBroken(pack, damage, () =>
      mustFail(bench, `a pack of the repository, ${damage.what}`, async () => {
        await restoreCopy(bench, copied);
        return undefined;
      }),
    );
  }
}

async function copySnapshots(
  bench: Bench,
  source: ReadOnlyRepository,
  snapshots: readonly Snapshot[],
): Promise<void> {
  const { options, copy, password, scratch } = bench;
  const own = { program: options.inputs.restic, repository: copy, password };
  const made = await runRestic({ ...own, args: ["init", "--json"] });
  if (made.exitCode !== 0) throw new DrillError(`cannot make a repository: ${made.problem}`);
  const { env, options: access } = source.access;
  for (const { id } of snapshots) {
    const stats = await source.run(["stats", "--mode", "raw-data", id]);
    const { total_size: bytes = 0 } = JSON.parse(stats.stdout || "{}") as { total_size?: number };
    scratch.mustHold(bytes * 1.1 + 64 * 1024 ** 2, `a copy of snapshot ${id.slice(0, 8)}`);
  }
  const ids = snapshots.map(({ id }) => id);
  const copied = await runRestic({
    ...own,
    args: [
      ...access,
      ...["copy", "--no-lock", "--cache-dir", scratch.folder("cache"), "--quiet"],
      ...["--from-repo", source.url, ...ids],
    ],
    env: { ...env, RESTIC_FROM_PASSWORD: source.password },
  });
  if (copied.exitCode !== 0) throw new DrillError(`restic copy failed: ${copied.problem}`);
}

function openCopy({ options, scratch, copy, password }: Bench): ReadOnlyRepository {
  return new ReadOnlyRepository({
    url: copy,
    password,
    restic: options.inputs.restic,
    // What restic remembers of the unbroken repository must not help.
    cache: scratch.fresh("cache"),
    entrances: [{ age: "restore", env: {} }],
  });
}

/** Restores the copy as a drill does; what was restored before is removed. */
async function restoreCopy(bench: Bench, snapshots: readonly Snapshot[]): Promise<string> {
  const repository = openCopy(bench);
  const restored = bench.scratch.fresh("restored");
  for (const { id } of snapshots) {
    await restoreSnapshot(repository, id, bench.scratch, restored);
  }
  return restored;
}

async function breakSubjects(
  bench: Bench,
  checks: Checks,
  restored: string,
  good: readonly CheckReport[],
): Promise<void> {
  const subjects: Subject[] = [];
  for await (const subject of checks.subjects(restored)) subjects.push(subject);
  if (subjects.length === 0) {
    bench.report.notices.push("there is no SQLite file and no PostgreSQL dump in it");
  }
  for (const [at, subject] of subjects.entries()) {
    const { file, name } = good[at] ?? { file: null, name: subject.kind };
    for (const damage of damagesOf(subject)) {
      const folder = bench.scratch.fresh("broken");
      await mustFail(bench, `${file ?? name}, ${damage.what}`, () =>
        checks.runBuiltIn(brokenCopy(subject, damage, folder), folder),
      );
    }
  }
}

/** Empties what was restored. */
async function breakForOwnChecks(bench: Bench, checks: Checks, restored: string): Promise<void> {
  const { inputs, host } = bench.options;
  const own = inputs.settings.drill.checks[host] ?? [];
  if (own.length === 0) {
    bench.report.notices.push(`the host has no checks of its own (drill.checks."${host}")`);
    return;
  }
  await emptyAll(restored);
  for (const check of own) {
    await mustFail(bench, `check "${check.name}", every file empty`, () =>
      checks.runOwn(check, restored),
    );
  }
  const nothing = bench.scratch.fresh("restored");
  for (const check of own) {
    await mustFail(bench, `check "${check.name}", every file gone`, () =>
      checks.runOwn(check, nothing),
    );
  }
}

/** Notes whether something fails, as it must. */
async function mustFail(
  { report }: Bench,
  what: string,
  work: () => Promise<CheckReport | undefined>,
): Promise<void> {
  let check: CheckReport | undefined;
  try {
    check = await work();
  } catch (error) {
    if (!(error instanceof DrillError)) throw error;
    report.breakages.push({ what, noticed: true, detail: messageOf(error) });
    return;
  }
  const noticed = check?.outcome === "failed";
  report.breakages.push({ what, noticed, detail: check?.detail ?? "nothing was said" });
}
