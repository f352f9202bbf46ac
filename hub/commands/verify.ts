import { Command, InvalidArgumentError } from "commander";
import { counted, duration, size } from "../format.ts";
import { pick } from "../input.ts";
import { checkOf } from "../notify/check.ts";
import { notified } from "../notify/notify.ts";
import { collect, Inputs, type CommonOptions } from "../options.ts";
import { Output } from "../output.ts";
import { probeFromManifest } from "../targets/probe-from-manifest.ts";
import { passed, type HostVerification } from "../verify/report.ts";
import { verify } from "../verify/verify.ts";

interface Options extends CommonOptions {
  readonly host?: string[];
  readonly deep?: boolean;
  readonly share?: number;
}

const SHARE_PERCENT = 5;

/** `offsite-hub verify`. */
export function verifyCommand(): Command {
  return new Command("verify")
    .summary("check that the targets hold what they must, and refuse what they must")
    .description(
      "Compares what the targets list with what the hub has and had: is every file of every repository " +
        "there, with the right size and, where the target tells it, the right SHA-1, and nothing that the " +
        "hub never sent? Reads each of the hub's own files once. Then tries, on a canary of its own, " +
        "whether a target really refuses removal, overwriting and strangers. No repository password is needed.",
    )
    .argument("[target...]", "targets by name (default: all of the manifest)")
    .option("--host <name>", "only this host; may be given again", collect)
    .option(
      "--deep",
      "also read a random share of the files, there and at the hub, and check their content",
    )
    .option(
      "--share <percent>",
      `--deep, and how much it reads of the packs, index files and snapshots; keys and config are always read (default: ${SHARE_PERCENT})`,
      percent,
    )
    .addHelpText(
      "after",
      "\nExit codes: 0 all is as it must be, 1 something is not, 2 wrong use or unreadable input.",
    )
    .action(run);
}

async function run(targets: string[], options: Options): Promise<void> {
  const output = new Output({ json: options.json === true });
  const inputs = new Inputs(options, output);
  const check = checkOf("verify", { hosts: options.host, targets });
  await notified(inputs, output, check, () => verifyAll(targets, options, inputs, output));
}

async function verifyAll(
  targets: string[],
  options: Options,
  inputs: Inputs,
  output: Output,
): Promise<void> {
  const credentials = inputs.credentials();
  const { manifest, settings, repositories, state, patience, rclone, rcloneConfig } = inputs;
  const renew = inputs.renewCredentials;
  const reach = { manifest, credentials, renew, repositories, rclone, rcloneConfig };
  const names = pick("target", targets, Object.keys(manifest.targets));
  const hosts = pick("host", options.host ?? [], Object.keys(manifest.hosts));
  inputs.requireRepositories();
  const deep = options.deep === true || options.share !== undefined;
  const report = await verify({
    manifest,
    targets: names.map((name) => ({
      name,
      make: () => ({
        target: inputs.target(name),
        probe: probeFromManifest(name, reach),
      }),
    })),
    hosts,
    repositories,
    state,
    patience,
    overdueHours: settings.overdueHours,
    share: deep ? (options.share ?? SHARE_PERCENT) / 100 : undefined,
    onRead: (host, files, bytes) => {
      const what = `${counted(files, "file")} (${size(bytes)})`;
      output.info(`hub ${host}: reading ${what} not read before`);
    },
    onHub: (host, { errors }) => {
      for (const error of errors) output.error(`hub ${host}: ${error}`);
    },
    onHost: (target, host, each) => {
      // A notice says it.
      if (each.outcome !== "absent") output.info(`${target} ${host}: ${summary(each)}`);
      for (const notice of each.notices) output.notice(`${target} ${host}: ${notice}`);
      for (const error of each.errors) output.error(`${target} ${host}: ${error}`);
    },
  });
  for (const [name, target] of Object.entries(report.targets)) {
    for (const notice of target.notices) output.notice(`${name}: ${notice}`);
    for (const error of target.errors) output.error(`${name}: ${error}`);
  }
  output.report(report);
  if (!passed(report)) process.exitCode = 1;
}

function summary(report: HostVerification): string {
  if (report.outcome === "absent") return "absent";
  const parts = [
    report.outcome,
    `${counted(report.files, "file")} (${size(report.bytes)})`,
    counted(report.snapshots, "snapshot"),
  ];
  if (report.waiting.count > 0) parts.push(`${report.waiting.count} waiting`);
  if (report.read.files > 0)
    parts.push(`${report.read.files} read back (${size(report.read.bytes)})`);
  return [...parts, duration(report.seconds)].join(", ");
}

/** A percentage above 0. */
function percent(value: string): number {
  const number = Number(value);
  if (Number.isFinite(number) && number > 0 && number <= 100) return number;
  throw new InvalidArgumentError("It must be a percentage above 0 and up to 100.");
}
