import { Command } from "commander";
import { counted, duration, size } from "../format.ts";
import { pick } from "../input.ts";
import { mirror } from "../mirror/mirror.ts";
import { exitCodeOf, type HostReport, type MirrorReport } from "../mirror/report.ts";
import { checkOf } from "../notify/check.ts";
import { notified } from "../notify/notify.ts";
import {
  collect,
  days,
  Inputs,
  positive,
  retentionOf,
  whole,
  type CommonOptions,
  type KeepOptions,
} from "../options.ts";
import { Output } from "../output.ts";
import { noProgress, TerminalProgress } from "../progress.ts";
import { owedDeployment } from "../targets/target.ts";

interface Options extends CommonOptions, KeepOptions {
  readonly host?: string[];
  readonly dryRun?: boolean;
  readonly limitUpload?: number;
  readonly graceDays?: number;
  readonly allowRemoval?: boolean;
}

/** `offsite-hub mirror`. */
export function mirrorCommand(): Command {
  return new Command("mirror")
    .summary("copy every host's repository to every target")
    .description(
      "Copies the hosts' restic repositories to the targets, file by file, in an order in which each " +
        "target is a sound repository at every moment, also while backups and prunes run at the hub. " +
        "Every file is checked against its SHA-256 name before it leaves. Nothing is ever deleted; at a " +
        "cloud target, files that the hub's prune removed are hidden after a grace period. " +
        "An interrupted run is continued by the next. No repository password is needed.",
    )
    .argument("[target...]", "targets by name (default: all of the manifest)")
    .option("--host <name>", "only this host; may be given again", collect)
    .option("--dry-run", "say what would be sent and send nothing")
    .option("--limit-upload <KiB/s>", "the most to send to each target", positive)
    .option(
      "--keep-daily <n>",
      "the daily snapshots that the hub's prune keeps (default: the settings')",
      whole,
    )
    .option("--keep-weekly <n>", "the weekly ones", whole)
    .option("--keep-monthly <n>", "the monthly ones", whole)
    .option(
      "--grace-days <days>",
      "how long a file that the hub removed stays in sight at a cloud target (default: the settings')",
      days,
    )
    .option(
      "--allow-removal",
      "go on although the hub has lost snapshots that it keeps, or much is to be hidden",
    )
    .addHelpText(
      "after",
      "\nExit codes: 0 all is at the targets, 1 something is not, 2 wrong use or unreadable input, " +
        "3 it asks for --allow-removal.",
    )
    .action(run);
}

async function run(targets: string[], options: Options): Promise<void> {
  const output = new Output({ json: options.json === true });
  const inputs = new Inputs(options, output);
  const check = checkOf("mirror", { hosts: options.host, targets, isTrial: options.dryRun });
  await notified(inputs, output, check, () => mirrorAll(targets, options, inputs, output));
}

async function mirrorAll(
  targets: string[],
  options: Options,
  inputs: Inputs,
  output: Output,
): Promise<void> {
  inputs.credentials();
  const { manifest, settings, repositories, state, patience } = inputs;
  const names = pick("target", targets, Object.keys(manifest.targets));
  const hosts = pick("host", options.host ?? [], Object.keys(manifest.hosts));
  const progress = process.stderr.isTTY ? new TerminalProgress(process.stderr) : noProgress;
  const report = await mirror({
    manifest,
    targets: names.map((name) => ({ name, make: () => inputs.target(name, options.limitUpload) })),
    hosts,
    repositories,
    state,
    patience,
    retention: retentionOf(options, settings),
    graceDays: options.graceDays ?? settings.graceDays,
    allowRemoval: options.allowRemoval === true,
    dryRun: options.dryRun === true,
    progress,
    onHost: (target, host, each, errors) => {
      progress.clear();
      // A notice says it.
      if (each.outcome !== "absent") output.info(`${target} ${host}: ${summary(each)}`);
      for (const notice of each.notices) output.notice(`${target} ${host}: ${notice}`);
      for (const error of [...errors, ...each.asks]) output.error(`${target} ${host}: ${error}`);
    },
  });
  progress.clear();
  closing(report, output);
  output.report(report);
  process.exitCode = exitCodeOf(report);
}

function summary(report: HostReport): string {
  const files = `${counted(report.files, "file")} (${size(report.bytes)})`;
  const there = `${report.skipped} already there`;
  const hidden = report.hidden === 0 ? "" : `, ${report.hidden} hidden`;
  switch (report.outcome) {
    case "complete":
    case "incomplete":
      return `${report.outcome}, ${files} sent, ${there}, ${counted(report.snapshots, "snapshot")}${hidden}, ${duration(report.seconds)}`;
    case "planned":
      return `would send ${files}${report.hidden === 0 ? "" : `, and hide ${report.hidden}`}`;
    case "absent":
    case "refused":
      return report.outcome;
  }
}

function closing(report: MirrorReport, output: Output): void {
  for (const [name, target] of Object.entries(report.targets)) {
    for (const error of target.errors) output.error(`${name}: ${error}`);
    if (target.credential === null || target.credential === "current") continue;
    output.warning(`${name}: ${owedDeployment(target.credential)}`);
  }
  for (const notice of report.notices) output.notice(notice);
}
