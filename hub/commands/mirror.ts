import { homedir } from "node:os";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "../errors.ts";
import { counted, duration, size } from "../format.ts";
import { pick, readCredentials, readManifest } from "../input.ts";
import { mirror } from "../mirror/mirror.ts";
import { succeeded, type HostReport, type MirrorReport } from "../mirror/report.ts";
import { noProgress, TerminalProgress } from "../progress.ts";
import { targetFromManifest } from "../targets/from-manifest.ts";

interface Options {
  manifest?: string;
  credentials?: string;
  rcloneConfig?: string;
  repositories?: string;
  state?: string;
  host?: string[];
  dryRun?: boolean;
  limitUpload?: number;
  json?: boolean;
  rclone: string;
  allowRemoval?: boolean;
  keepDaily: number;
  keepWeekly: number;
  keepMonthly: number;
}

/** `offsite-hub mirror`. */
export function mirrorCommand(): Command {
  return new Command("mirror")
    .summary("copy every host's repository to every target")
    .description(
      "Copies the hosts' restic repositories to the targets, file by file, in an order in which each " +
        "target is a sound repository at every moment, also while backups and prunes run at the hub. " +
        "Every file is checked against its SHA-256 name before it leaves. Nothing is ever deleted. " +
        "An interrupted run is continued by the next. No repository password is needed.",
    )
    .argument("[target...]", "targets by name (default: all of the manifest)")
    .addOption(new Option("--manifest <file>", "the bundle's offsite.json").env("OFFSITE_MANIFEST"))
    .addOption(
      new Option("--credentials <file>", "the bundle's hub-credentials.json, unsealed").env(
        "OFFSITE_CREDENTIALS",
      ),
    )
    .addOption(
      new Option("--rclone-config <file>", "the bundle's rclone.conf, unsealed").env(
        "OFFSITE_RCLONE_CONFIG",
      ),
    )
    .option("--repositories <dir>", "the hub's repositories (default: the manifest's)")
    .addOption(
      new Option(
        "--state <dir>",
        "where the agent keeps its locks and notes (default: $STATE_DIRECTORY, else ~/.local/state/offsite-hub)",
      ).env("OFFSITE_STATE"),
    )
    .option("--host <name>", "only this host; may be given again", collect)
    .option("--dry-run", "say what would be sent and send nothing")
    .option("--limit-upload <KiB/s>", "the most to send to each target", positive)
    .option("--keep-daily <n>", "the daily snapshots that the hub's prune keeps", whole, 7)
    .option("--keep-weekly <n>", "the weekly ones", whole, 4)
    .option("--keep-monthly <n>", "the monthly ones", whole, 6)
    .option("--allow-removal", "go on although the hub has lost snapshots that it keeps")
    .option("--json", "write one report as JSON to standard output")
    .option("--rclone <program>", "the rclone program", "rclone")
    .addHelpText(
      "after",
      "\nExit codes: 0 all is at the targets, 1 something is not, 2 wrong use or unreadable input.",
    )
    .action(run);
}

async function run(targets: string[], options: Options): Promise<void> {
  const manifest = readManifest(given(options.manifest, "--manifest", "OFFSITE_MANIFEST"));
  const credentials = readCredentials(
    given(options.credentials, "--credentials", "OFFSITE_CREDENTIALS"),
  );
  const repositories = options.repositories ?? manifest.hub.repositories;
  const names = pick("target", targets, Object.keys(manifest.targets));
  const hosts = pick("host", options.host ?? [], Object.keys(manifest.hosts));
  const progress = process.stderr.isTTY ? new TerminalProgress(process.stderr) : noProgress;
  const json = options.json === true;
  const log = json ? console.error : console.log;
  const report = await mirror({
    manifest,
    targets: names.map((name) => ({
      name,
      make: () =>
        targetFromManifest(name, {
          manifest,
          credentials,
          repositories,
          rcloneConfig: options.rcloneConfig,
          rclone: options.rclone,
          uploadLimitKiB: options.limitUpload,
        }),
    })),
    hosts,
    repositories,
    state: options.state ?? defaultState(),
    retention: {
      daily: options.keepDaily,
      weekly: options.keepWeekly,
      monthly: options.keepMonthly,
    },
    allowRemoval: options.allowRemoval === true,
    dryRun: options.dryRun === true,
    progress,
    onHost: (target, host, each, errors) => {
      progress.clear();
      log(`${target} ${host}: ${summary(each)}`);
      for (const notice of each.notices) log(`${target} ${host}: ${notice}`);
      for (const error of errors) console.error(`error: ${target} ${host}: ${error}`);
    },
  });
  progress.clear();
  closing(report, log);
  if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  if (!succeeded(report)) process.exitCode = 1;
}

function summary(report: HostReport): string {
  const files = `${counted(report.files, "file")} (${size(report.bytes)})`;
  const there = `${report.skipped} already there`;
  switch (report.outcome) {
    case "complete":
    case "incomplete":
      return `${report.outcome}, ${files} sent, ${there}, ${counted(report.snapshots, "snapshot")}, ${duration(report.seconds)}`;
    case "planned":
      return `would send ${files}`;
    case "absent":
    case "refused":
      return report.outcome;
  }
}

function closing(report: MirrorReport, log: (line: string) => void): void {
  for (const [name, target] of Object.entries(report.targets)) {
    for (const error of target.errors) console.error(`error: ${name}: ${error}`);
    if (target.credential === null || target.credential === "current") continue;
    log(
      `${name}: accepted the ${target.credential} credential, not the current one: ` +
        `${target.credential === "next" ? "the hub" : "the target"} still owes a deployment`,
    );
  }
  for (const notice of report.notices) log(`notice: ${notice}`);
}

function defaultState(): string {
  // systemd may give several folders, separated by colons.
  const [first] = (process.env.STATE_DIRECTORY ?? "").split(":");
  if (first !== undefined && first !== "") return first;
  const base = process.env.XDG_STATE_HOME ?? join(homedir(), ".local", "state");
  return join(base, "offsite-hub");
}

function given(value: string | undefined, option: string, variable: string): string {
  if (value !== undefined && value !== "") return value;
  throw new UsageError(`which file? Give ${option} or set ${variable}`);
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function whole(value: string): number {
  if (/^\d{1,6}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("It must be a whole number.");
}

function positive(value: string): number {
  const number = Number(value);
  if (Number.isFinite(number) && number > 0) return number;
  throw new InvalidArgumentError("It must be a number of KiB a second above 0.");
}
