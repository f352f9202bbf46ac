import confirm from "@inquirer/confirm";
import { Command } from "commander";
import { UsageError } from "../errors.ts";
import { counted, duration } from "../format.ts";
import { pick } from "../input.ts";
import { checkOf } from "../notify/check.ts";
import { notified } from "../notify/notify.ts";
import {
  collect,
  Inputs,
  positive,
  retentionOf,
  whole,
  type CommonOptions,
  type KeepOptions,
} from "../options.ts";
import { Output } from "../output.ts";
import { findTrusted, prune } from "../prune/prune.ts";
import { exitCodeOf, type HostPruneReport, type SuspiciousLine } from "../prune/report.ts";

interface Options extends CommonOptions, KeepOptions {
  readonly dryRun?: boolean;
  readonly allowRemoval?: boolean;
  readonly trust?: string[];
  readonly trustAll?: boolean;
  readonly keepHours?: number;
  readonly maxBackupHours?: number;
}

/** As many suspicious snapshots are named, each on its line. */
const NAMED = 10;

/** `offsite-hub prune`. */
export function pruneCommand(): Command {
  return new Command("prune")
    .summary("remove at the hub what the retention does not keep")
    .description(
      "Removes from the hosts' restic repositories at the hub the snapshots that the retention does not " +
        "keep, and their data, as the repository's owner. A snapshot whose claimed time does not fit the " +
        "time at which its file arrived is suspicious: it is reported, never removed, and never takes the " +
        "place of another. What no target has yet stays, and so does what has the tag `keep`. Where more " +
        "would go than usual, nothing goes without the operator's word.",
    )
    .argument("[host...]", "hosts by name (default: all of the manifest)")
    .option("--dry-run", "say what would be removed and change nothing")
    .option("--allow-removal", "go on although more would go than usual")
    .option("--trust <snapshot>", "trust this snapshot from now on; may be given again", collect)
    .option("--trust-all", "trust all that are there now, as after the hub was restored")
    .option("--keep-daily <n>", "daily snapshots to keep (default: the settings')", whole)
    .option("--keep-weekly <n>", "weekly ones", whole)
    .option("--keep-monthly <n>", "monthly ones", whole)
    .option(
      "--keep-hours <n>",
      "keep all that arrived in the last hours (default: the settings')",
      whole,
    )
    .option(
      "--max-backup-hours <n>",
      "the longest that a backup takes (default: the settings')",
      positive,
    )
    .addHelpText(
      "after",
      "\nExit codes: 0 the retention is in force, 1 something failed, 2 wrong use or unreadable input, " +
        "3 a host was left alone because more would go than usual (--allow-removal).",
    )
    .action(run);
}

async function run(hosts: string[], options: Options): Promise<void> {
  const output = new Output({ json: options.json === true });
  const inputs = new Inputs(options, output);
  const check = checkOf("prune", { hosts, isTrial: options.dryRun });
  await notified(inputs, output, check, () => pruneAll(hosts, options, inputs, output));
}

async function pruneAll(
  hosts: string[],
  options: Options,
  inputs: Inputs,
  output: Output,
): Promise<void> {
  const { manifest, settings, state, restic, patience } = inputs;
  const names = pick("host", hosts, Object.keys(manifest.hosts));
  const retention = retentionOf(options, settings);
  if (retention.daily + retention.weekly + retention.monthly === 0) {
    throw new UsageError(
      "the retention keeps no daily, no weekly and no monthly snapshot. One of them must be above 0",
    );
  }
  inputs.requireRepositories();
  const repositoryOf = (host: string): string => inputs.repositoryOf(host);
  const wanted = options.trustAll === true ? "all" : (options.trust ?? []);
  const asks = process.stdin.isTTY && process.stdout.isTTY && options.json !== true;
  const report = await prune({
    hosts: names,
    repositoryOf,
    state,
    restic,
    passwordFiles: settings.passwordFiles,
    policy: {
      retention,
      keepHours: options.keepHours ?? settings.prune.keepHours,
      maxBackupHours: options.maxBackupHours ?? settings.prune.maxBackupHours,
    },
    targets: Object.keys(manifest.targets),
    patience,
    dryRun: options.dryRun === true,
    allowRemoval: options.allowRemoval === true,
    trust: findTrusted(wanted, names, repositoryOf),
    confirm: asks ? ask : undefined,
    onHost: (host, each) => show(host, each, output),
  });
  output.report(report);
  process.exitCode = exitCodeOf(report);
}

/** The repository is locked meanwhile, so an operator who went away must not keep the night waiting. */
const ANSWER_MS = 10 * 60_000;

async function ask(message: string): Promise<boolean> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    return await confirm({ message, default: false }, { signal });
  } catch {
    if (signal.aborted) return false;
    // Ctrl-C, which the question catches.
    process.exit(130);
  }
}

function show(host: string, report: HostPruneReport, output: Output): void {
  output.info(`${host}: ${summary(report)}`);
  if (report.outcome === "planned") {
    for (const { id, time } of report.removed)
      output.info(`${host}: would remove ${id} of ${time}`);
  }
  for (const lock of report.staleLocks) output.notice(`${host}: removed the lock of ${lock}`);
  if (report.repaired.length > 0) {
    const [first = ""] = report.repaired;
    output.warning(
      `${host}: ${counted(report.repaired.length, "file")} did not belong to the repository's owner and do now, first ${first}`,
    );
  }
  for (const warning of report.warnings) output.warning(`${host}: ${warning}`);
  showSuspicious(host, report, output);
  for (const error of report.errors) output.error(`${host}: ${error}`);
}

function summary(report: HostPruneReport): string {
  const { outcome, removed, snapshots, kept, seconds } = report;
  switch (outcome) {
    case "absent":
      return "has not backed up to the hub yet";
    case "planned":
      return `would remove ${counted(removed.length, "snapshot")} of ${snapshots}`;
    case "pruned":
      return `removed ${counted(removed.length, "snapshot")} of ${snapshots}, ${kept} left, ${duration(seconds)}`;
    case "refused":
    case "failed":
      return outcome;
  }
}

function showSuspicious(host: string, report: HostPruneReport, output: Output): void {
  const { suspicious, snapshots } = report;
  if (suspicious.length === 0) return;
  if (report.restored) {
    output.warning(
      `${host}: ${suspicious.length} of ${snapshots} snapshots are suspicious and stay, first ${described(suspicious[0])}. ` +
        "If the hub was restored from a copy, look at them, then run: " +
        `offsite-hub prune ${host} --trust-all. If it was not, somebody forged them`,
    );
    return;
  }
  for (const each of suspicious.slice(0, NAMED)) {
    output.warning(`${host}: suspicious, counts for nothing and stays: ${described(each)}`);
  }
  const more = suspicious.length - NAMED;
  if (more > 0)
    output.warning(`${host}: and ${more} more suspicious snapshots (--json names them)`);
  output.notice(
    `${host}: trust a suspicious snapshot with \`offsite-hub prune ${host} --trust <id>\`, or remove it ` +
      "with `restic forget <id>` as the repository's owner",
  );
}

function described(line: SuspiciousLine | undefined): string {
  return line === undefined ? "" : `${line.id.slice(0, 8)} of ${line.time}: ${line.reason}`;
}
