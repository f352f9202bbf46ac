import { Command } from "commander";
import { control } from "../drill/control.ts";
import { drill, hasNeverBackedUp } from "../drill/drill.ts";
import type { HostControl, HostDrill, ThiefReport } from "../drill/report.ts";
import { defaultScratch } from "../drill/scratch.ts";
import { thief } from "../drill/thief.ts";
import { UsageError } from "../errors.ts";
import { counted, duration, size } from "../format.ts";
import { pick } from "../input.ts";
import { checkOf } from "../notify/check.ts";
import { notified } from "../notify/notify.ts";
import { collect, Inputs, type CommonOptions } from "../options.ts";
import { Output } from "../output.ts";
import { owedDeployment } from "../targets/target.ts";

interface Options extends CommonOptions {
  readonly from?: string[];
  readonly snapshot?: string;
  readonly scratch?: string;
  readonly keep?: boolean;
  readonly control?: boolean;
  readonly thief?: boolean;
}

/** `offsite-hub drill`. */
export function drillCommand(): Command {
  return new Command("drill")
    .summary("restore the newest snapshot of every host from every target, and check it")
    .description(
      "Restores each host's newest snapshot from each target with the credential that restores from " +
        "there, into a private folder that is removed again. restic reads every file back; what is there is " +
        "compared with the snapshot's listing; every SQLite file and PostgreSQL dump is checked, and the " +
        "host's own checks of the settings are run.",
    )
    .argument("[host...]", "hosts by name (default: all of the manifest)")
    .option("--from <target>", "only from this target; may be given again", collect)
    .option("--snapshot <id>", "this snapshot of one host, and not the newest")
    .option("--control", "break a copy on purpose, and fail if the drill passes on it")
    .option("--thief", "rehearse at the cloud targets that the hub's key is stolen, on a canary")
    .option("--scratch <dir>", "where to restore to (default: drill.scratch of the settings)")
    .option("--keep", "leave what was restored where it is, and say where")
    .addHelpText(
      "after",
      "\nExit codes: 0 all passed, 1 something failed, 2 wrong use or unreadable input.",
    )
    .action(run);
}

async function run(names: string[], options: Options): Promise<void> {
  const output = new Output({ json: options.json === true });
  const inputs = new Inputs(options, output);
  const kind = options.thief === true ? "-thief" : options.control === true ? "-control" : "";
  const isTrial = options.snapshot !== undefined;
  const check = checkOf(`drill${kind}`, { hosts: names, targets: options.from, isTrial });
  await notified(inputs, output, check, () => drillAll(names, options, inputs, output));
}

async function drillAll(
  names: string[],
  options: Options,
  inputs: Inputs,
  output: Output,
): Promise<void> {
  inputs.credentials();
  const hosts = pick("host", names, Object.keys(inputs.manifest.hosts));
  const targets = pick("target", options.from ?? [], Object.keys(inputs.manifest.targets));
  refuseMixtures(names, options);
  for (const host of strangersIn(inputs)) {
    output.warning(`the settings have checks of "${host}", which is no host of the manifest`);
  }
  const scratch = options.scratch ?? inputs.settings.drill.scratch ?? defaultScratch();
  if (options.thief === true) {
    await rehearseThefts(inputs, targets, scratch, output);
    return;
  }
  const seen = names.length > 0 ? hosts : hosts.filter((host) => !hasNeverBackedUp(inputs, host));
  for (const host of hosts.filter((each) => !seen.includes(each))) {
    output.notice(`${host}: has never backed up, there is nothing to restore`);
  }
  if (seen.length === 0) output.error("no host has ever backed up: nothing was restored");
  const drills: HostDrill[] = [];
  const controls: HostControl[] = [];
  for (const host of seen) {
    for (const target of targets) {
      const { snapshot } = options;
      const what = { inputs, target, host, snapshot, scratch, keep: options.keep === true };
      if (options.control === true) {
        const each = await control(what);
        tellControl(each, output);
        controls.push(each);
      } else {
        const each = await drill(what);
        tell(each, output);
        drills.push(each);
      }
    }
  }
  output.report({ version: 1, ...(options.control === true ? { controls } : { drills }) });
  const runs = [...drills, ...controls];
  if (runs.length === 0 || runs.some(({ outcome }) => outcome === "failed")) process.exitCode = 1;
}

/** Hosts that the settings of drills name and the manifest does not: a slip, or one that left. */
function strangersIn({ settings, manifest }: Inputs): string[] {
  const { checks, ignore } = settings.drill;
  const named = new Set([...Object.keys(checks), ...Object.keys(ignore)]);
  return [...named].filter((host) => !(host in manifest.hosts));
}

function refuseMixtures(names: readonly string[], options: Options): void {
  const { snapshot, control: broken, thief: theft, keep } = options;
  if (theft === true && (broken === true || keep === true || snapshot !== undefined)) {
    throw new UsageError("--thief goes with --from and --scratch alone: it restores nothing");
  }
  if (theft === true && names.length > 0) {
    throw new UsageError("--thief is of targets, not of hosts: choose them with --from");
  }
  if (broken === true && keep === true) {
    throw new UsageError("--control keeps nothing: what it restores is broken. Leave out --keep");
  }
  if (snapshot !== undefined && names.length !== 1) {
    throw new UsageError("--snapshot is of one host: name that host, and no other");
  }
}

async function rehearseThefts(
  inputs: Inputs,
  targets: readonly string[],
  scratch: string,
  output: Output,
): Promise<void> {
  const thefts: ThiefReport[] = [];
  for (const target of targets) {
    const place = inputs.manifest.targets[target];
    if (place?.type !== "b2") {
      output.notice(
        `${target}: nothing to rehearse: it refuses to hide and to overwrite, which verify tries there`,
      );
      continue;
    }
    const report = await thief(inputs, target, scratch);
    for (const step of report.steps) output.info(`${target}: ${step}`);
    for (const notice of report.notices) output.notice(`${target}: ${notice}`);
    for (const error of report.errors) output.error(`${target}: ${error}`);
    const days = `what a thief hides or overwrites there stays for ${place.keepHiddenDays} days`;
    if (report.outcome === "ok") output.info(`${target}: ${days}, ${duration(report.seconds)}`);
    thefts.push(report);
  }
  output.report({ version: 1, thefts });
  if (thefts.some(({ outcome }) => outcome === "failed")) process.exitCode = 1;
}

function tellControl(report: HostControl, output: Output): void {
  const name = `${report.target} ${report.host}`;
  const noticed = report.breakages.filter((each) => each.noticed).length;
  output.info(
    `${name}: control, ${noticed} of ${counted(report.breakages.length, "breakage")} noticed, ${duration(report.seconds)}`,
  );
  for (const notice of report.notices) output.notice(`${name}: ${notice}`);
  for (const error of report.errors) output.error(`${name}: ${error}`);
}

function tell(report: HostDrill, output: Output): void {
  const name = `${report.target} ${report.host}`;
  output.info(`${name}: ${summary(report)}`);
  if (report.credential === "next" || report.credential === "previous") {
    output.warning(`${name}: ${owedDeployment(report.credential)}`);
  }
  for (const notice of report.notices) output.notice(`${name}: ${notice}`);
  if (report.kept !== null) output.notice(`${name}: kept in ${report.kept}; remove it yourself`);
  for (const error of report.errors) output.error(`${name}: ${error}`);
}

function summary(report: HostDrill): string {
  const total = duration(report.seconds);
  if (report.snapshots.length === 0) return `nothing restored, ${total}`;
  const files = report.snapshots.reduce((sum, each) => sum + each.files, 0);
  const bytes = report.snapshots.reduce((sum, each) => sum + each.bytes, 0);
  const age = Math.min(...report.snapshots.map(({ ageHours }) => ageHours));
  const passed = report.checks.filter(({ outcome }) => outcome === "passed").length;
  return (
    `${report.outcome === "ok" ? "restored" : "failed"}, ${counted(files, "file")} (${size(bytes)}) of ` +
    `${counted(report.snapshots.length, "snapshot")}, the newest ${age.toFixed(1)} h old, ` +
    `${counted(passed, "check")} passed, ${total} (restore ${duration(report.phases.restore)})`
  );
}
