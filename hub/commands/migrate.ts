import { Command, InvalidArgumentError } from "commander";
import { UsageError } from "../errors.ts";
import { counted, duration, excerpt } from "../format.ts";
import { pick } from "../input.ts";
import type { HostMigrateReport } from "../migrate/migrate-host.ts";
import { migrate, type MigrateReport } from "../migrate/migrate.ts";
import { collect, Inputs, type CommonOptions } from "../options.ts";
import { Output } from "../output.ts";

interface Options extends CommonOptions {
  readonly from: string;
  readonly fromPasswordFile: string;
  readonly rename?: string[];
  readonly dryRun?: boolean;
  readonly readData: string;
}

/** `offsite-hub migrate`. */
export function migrateCommand(): Command {
  return new Command("migrate")
    .summary("copy the hosts' snapshots from one shared repository to private ones")
    .description(
      "Copies each host's snapshots from a repository that the hosts shared into the host's own at the " +
        "hub, which it makes where it is not there yet, and checks them. Nothing in the shared repository " +
        "is changed. What was copied is not copied again: run it as often as you like, and once more " +
        "when the last host backs up to its own repository.",
    )
    .argument("[host...]", "hosts by name (default: all of the manifest)")
    .requiredOption("--from <repository>", "the shared repository: a folder or rest:http://…")
    .requiredOption("--from-password-file <file>", "a file with its password")
    .option(
      "--rename <old=new>",
      "snapshots of the host name old are those of the manifest's new; may be given again",
      collect,
    )
    .option("--dry-run", "say what would be copied and change nothing")
    .option(
      "--read-data <share>",
      "how much of the copied data to read back and check, as 10% or 2G",
      share,
      "100%",
    )
    .addHelpText(
      "after",
      "\nThe copies keep their host names and times, and their files the times at which the originals " +
        "arrived where --from is a folder, so that prune can tell forged ones." +
        "\n\nExit codes: 0 all is copied and checked, 1 something is not, 2 wrong use or unreadable input.",
    )
    .action(run);
}

async function run(hosts: string[], options: Options): Promise<void> {
  const output = new Output({ json: options.json === true });
  const inputs = new Inputs(options, output);
  const { manifest, settings, repositories, state, restic, patience } = inputs;
  const allHosts = Object.keys(manifest.hosts);
  const report = await migrate({
    from: options.from,
    fromPasswordFile: options.fromPasswordFile,
    renames: parseRenames(options.rename ?? [], allHosts),
    hosts: pick("host", hosts, allHosts),
    allHosts,
    repositories,
    passwordFiles: settings.passwordFiles,
    restic,
    state,
    patience,
    dryRun: options.dryRun === true,
    readData: options.readData,
    onStart: (host, count) => output.info(`${host}: ${counted(count, "snapshot")} in the source`),
    onHost: (host, each) => {
      output.info(`${host}: ${summary(each)}`);
      for (const error of each.errors) output.error(`${host}: ${error}`);
    },
  });
  closing(report, output);
  output.report(report);
  const failed = Object.values(report.hosts).some(({ outcome }) => outcome === "failed");
  if (failed) process.exitCode = 1;
}

function summary(report: HostMigrateReport): string {
  const { outcome, snapshots, copied, created, seconds } = report;
  switch (outcome) {
    case "absent":
      return "the source has no snapshot of it";
    case "planned":
      return `would copy ${counted(copied, "snapshot")} of ${snapshots}`;
    case "migrated":
      return (
        `${created ? "made its repository, " : ""}copied ${counted(copied, "snapshot")} of ${snapshots}, ` +
        `all there and checked, ${duration(seconds)}`
      );
    case "failed":
      return "failed";
  }
}

function closing(report: MigrateReport, output: Output): void {
  const list = (of: Record<string, number>): string =>
    Object.entries(of)
      .map(([name, count]) => `${excerpt(name)} (${counted(count, "snapshot")})`)
      .join(", ");
  if (Object.keys(report.unknown).length > 0) {
    output.warning(
      `stay in the source alone, because the manifest knows no such host: ${list(report.unknown)}. ` +
        "Where such a host has another name now: --rename <old>=<new>",
    );
  }
  if (Object.keys(report.others).length > 0) {
    output.notice(`not asked for, still in the source: ${list(report.others)}`);
  }
  const done = Object.entries(report.hosts).filter(([, each]) => each.outcome === "migrated");
  if (done.length === 0) return;
  output.info(
    `next for ${done.map(([host]) => host).join(", ")}: deploy the host with its own repository's URL and a ` +
      "password of it (`restic key add`, where it has another than the hub), run this once more, then " +
      "`offsite-hub mirror` and `offsite-hub verify`. Remove the source by hand when nothing uses it",
  );
}

function parseRenames(given: readonly string[], hosts: readonly string[]): Map<string, string> {
  const problems: string[] = [];
  const renames = new Map<string, string>();
  for (const each of given) {
    const [from = "", to = "", ...more] = each.split("=");
    if (from === "" || to === "" || more.length > 0) problems.push(`"${each}" is not old=new`);
    else if (!hosts.includes(to)) problems.push(`the manifest has no host "${to}"`);
    else renames.set(from, to);
  }
  if (problems.length > 0) throw new UsageError(`--rename: ${problems.join("; ")}`);
  return renames;
}

function share(value: string): string {
  if (/^(\d{1,3}(\.\d+)?%|\d+[KMGT])$/.test(value)) return value;
  throw new InvalidArgumentError("It must be like 10% or 2G.");
}
