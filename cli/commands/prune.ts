import { Command } from "commander";
import { withSlash } from "../../components/target.ts";
import type { RestServerTargetConfig, SftpTargetConfig, StackConfig } from "../../config/stack.ts";
import { UsageError } from "../../hub/errors.ts";
import { collect, positive, whole } from "../../hub/options.ts";
import { sweepPrivateFolders } from "../../peer/ssh.ts";
import type { StackOptions } from "../options.ts";
import { closeDoor } from "../prune/door.ts";
import { forget } from "../prune/forget.ts";
import { repositoryPasswords } from "../prune/passwords.ts";
import { hubPasswords, peerServer, tryRemoval } from "../prune/places.ts";
import { removeGone } from "../prune/remove-gone.ts";
import { exitCodeOf, Speaker, summary, type PruneReport } from "../prune/report.ts";
import { removeAtSftp } from "../prune/sftp.ts";
import { OperatorStack } from "../stack.ts";

interface Options extends StackOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly minutes: number;
  readonly allowShrinkage?: string[];
  readonly keepDaily: number;
  readonly keepWeekly: number;
  readonly keepMonthly: number;
  readonly forget?: boolean;
  readonly passwordCommand?: string;
  readonly restic: string;
  readonly keepHours: number;
  readonly maxDelayHours: number;
  readonly trustAll?: boolean;
  readonly close?: boolean;
}

/** Longer than any prune, and short enough not to be forgotten. */
const MOST_MINUTES = 24 * 60;

/** `offsite prune`. */
export function pruneCommand(): Command {
  return new Command("prune")
    .summary("remove at a peer what is no longer wanted there")
    .description(
      "Removes at a peer what the hub no longer has. A rest-server refuses every removal; so a second " +
        "one is started beside it for as long as it takes, bound to the peer's loopback address, reached " +
        "through the operator's SSH with a password that is made for this once, and ended again: by this " +
        "command, by a connection that breaks, and in any case by itself after some time. At an sftp target, what " +
        "is sealed is removed as root over the operator's SSH. What would go is " +
        "shown first, and nothing goes without a yes.",
    )
    .argument("<target>", "a target of type rest-server or sftp")
    .argument("[host...]", "hosts by name (default: all of the stack)")
    .option("--dry-run", "say what would go, and stop there")
    .option("-y, --yes", "do not ask")
    .option("--json", "write a report to standard output, and all else to standard error")
    .option("--minutes <n>", "the longest that the second server may run", minutes, 60)
    .option(
      "--allow-shrinkage <host>",
      "remove of this host although it looks as if the hub had been emptied; may be given again",
      collect,
    )
    .option("--keep-daily <n>", "daily snapshots that the hub keeps", whole, 7)
    .option("--keep-weekly <n>", "weekly ones", whole, 4)
    .option("--keep-monthly <n>", "monthly ones", whole, 6)
    .option("--close", "only end a second server that was left, and prove that it has ended")
    .option(
      "--forget",
      "where the hub is gone: remove with restic what the --keep options do not keep. Asks for the repositories' passwords",
    )
    .option(
      "--password-command <command>",
      "with --forget: prints the password of the repository of the host that $OFFSITE_HOST names",
    )
    .option("--restic <program>", "with --forget: restic's program", "restic")
    .option("--keep-hours <n>", "with --forget: keep all that arrived in the last hours", whole, 48)
    .option(
      "--max-delay-hours <n>",
      "with --forget: the longest from a backup's beginning to its arrival at the peer; a snapshot that claims more is suspicious, and stays",
      positive,
      96,
    )
    .option("--trust-all", "with --forget: believe what the snapshots say of their age")
    .addHelpText(
      "after",
      "\nExit codes: 0 done, or nothing to do; 1 something failed, a host was left alone because of what was seen, or " +
        "the answer was no; 2 wrong use or input; 130 interrupted. Whatever the code, the second server has ended, or the last " +
        "line says that this could not be proven.",
    )
    .action(run);
}

async function run(target: string, hosts: string[], options: Options): Promise<void> {
  check(options);
  const speaker = new Speaker(options.json === true);
  await sweepPrivateFolders();
  const stack = await OperatorStack.open(options);
  const config = await stack.config();
  const names = pickHosts(config, hosts, options.allowShrinkage ?? []);
  const sftp = config.targets[target];
  if (sftp?.type === "sftp") {
    await pruneSftp({ stack: stack.name, name: target, target: sftp }, config, names, options);
    return;
  }
  const settings = peerTarget(target, config);
  const peer = peerServer(stack.name, target, settings, config, names);
  const report: PruneReport = {
    version: 1,
    target,
    mode: options.close === true ? "close" : options.forget === true ? "forget" : "mirror",
    dryRun: options.dryRun === true,
    door: "unused",
    hosts: {},
  };
  const common = {
    peer,
    hosts: names,
    hub: { url: withSlash(config.hub.url), passwords: hubPasswords(config, names) },
    allowed: new Set(options.allowShrinkage),
    dryRun: options.dryRun === true,
    yes: options.yes === true,
    minutes: options.minutes,
    say: speaker.say,
  };
  const retention = {
    daily: options.keepDaily,
    weekly: options.keepWeekly,
    monthly: options.keepMonthly,
  };
  try {
    if (options.close === true) {
      await closeDoor(peer, { say: speaker.say, tryRemoval: () => tryRemoval(peer) });
      report.door = "closed";
      return;
    }
    if (options.forget === true) {
      await forget(
        {
          ...common,
          repositoryPasswords: await repositoryPasswords(names, options.passwordCommand),
          restic: options.restic,
          policy: {
            retention,
            keepHours: options.keepHours,
            maxBackupHours: options.maxDelayHours,
          },
          trustAll: options.trustAll === true,
        },
        report,
      );
    } else {
      await removeGone({ ...common, retention }, report);
    }
    if (!common.dryRun) speaker.say(summary(report));
    process.exitCode = exitCodeOf(report);
  } finally {
    speaker.report(report);
  }
}

/** What is wrong with the options, all of it, before anything is looked at. */
function check(options: Options): void {
  const problems: string[] = [];
  const isClose = options.close === true;
  const asks = options.yes !== true && options.dryRun !== true && !isClose;
  if (asks && !process.stdin.isTTY) {
    problems.push("there is no terminal to ask at. Add --yes, or --dry-run to look only");
  }
  const isForget = options.forget === true;
  if (isForget && options.passwordCommand === undefined && !process.stdin.isTTY) {
    problems.push("there is no terminal to ask for a password at. Give --password-command");
  }
  if (!isForget && options.passwordCommand !== undefined) {
    problems.push("--password-command is for --forget alone: nothing else needs a password");
  }
  if (isForget && isClose) problems.push("--forget and --close exclude each other");
  if (options.keepDaily + options.keepWeekly + options.keepMonthly === 0) {
    problems.push(
      "--keep-daily, --keep-weekly and --keep-monthly are all 0. One of them must be above 0",
    );
  }
  if (problems.length > 0) throw new UsageError(problems.join("; "));
}

/** At an SFTP target there is no door: what goes, goes by the operator's own SSH. */
async function pruneSftp(
  { stack, name, target }: { stack: string; name: string; target: SftpTargetConfig },
  config: StackConfig,
  names: readonly string[],
  options: Options,
): Promise<void> {
  if (options.forget === true || options.close === true) {
    throw new UsageError(
      `target: "${name}" is of type sftp, for which there is neither --forget nor --close`,
    );
  }
  const speaker = new Speaker(options.json === true);
  const dryRun = options.dryRun === true;
  const report: PruneReport = {
    ...{ version: 1, target: name, mode: "mirror", dryRun, door: "unused", hosts: {} },
  };
  const { keepDaily: daily, keepWeekly: weekly, keepMonthly: monthly } = options;
  try {
    await removeAtSftp(
      {
        settings: { stack, name, target, hosts: config.hosts, seed: config.credentialSeed },
        sshPrivateKey: config.sshPrivateKey,
        hosts: names,
        hub: { url: withSlash(config.hub.url), passwords: hubPasswords(config, names) },
        retention: { daily, weekly, monthly },
        allowed: new Set(options.allowShrinkage),
        ...{ dryRun, yes: options.yes === true, say: speaker.say },
      },
      report,
    );
    if (!dryRun) speaker.say(summary(report));
    process.exitCode = exitCodeOf(report);
  } finally {
    speaker.report(report);
  }
}

function peerTarget(name: string, config: StackConfig): RestServerTargetConfig {
  const peers = Object.entries(config.targets)
    .filter(([, { type }]) => type === "rest-server" || type === "sftp")
    .map(([each]) => each);
  const target = config.targets[name];
  const names = peers.length === 0 ? "it has none" : `must be one of: ${peers.join(", ")}`;
  if (target === undefined) {
    throw new UsageError(`target: got "${name}", which the stack does not have; ${names}`);
  }
  if (target.type === "b2") {
    throw new UsageError(
      `target: "${name}" is a bucket, which needs no pruning by the operator: the hub's mirror hides there what the ` +
        `hub no longer has, and the bucket's lifecycle removes what has been hidden for ${target.keepHiddenDays} days. ` +
        `For this command a target of type rest-server or sftp is needed; ${names}`,
    );
  }
  if (target.type !== "rest-server") {
    throw new UsageError(
      `target: "${name}" is a bucket of type ${target.type}, where this command removes nothing: docs/targets/${target.type}.md ` +
        `says how its space is freed. For this command a target of type rest-server or sftp is needed; ${names}`,
    );
  }
  return target;
}

function pickHosts(
  config: StackConfig,
  wanted: readonly string[],
  allowed: readonly string[],
): string[] {
  const all = Object.keys(config.hosts);
  const unknown = [...wanted, ...allowed].filter((name) => !all.includes(name));
  if (unknown.length > 0) {
    const shown = unknown.map((name) => JSON.stringify(name)).join(", ");
    throw new UsageError(`host: got ${shown}, must be among: ${all.join(", ")}`);
  }
  return wanted.length === 0 ? all : all.filter((name) => wanted.includes(name));
}

function minutes(value: string): number {
  const number = positive(value);
  if (number <= MOST_MINUTES) return number;
  throw new UsageError(`--minutes: got ${value}, must be at most ${MOST_MINUTES}`);
}
