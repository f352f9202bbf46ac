import { Command } from "commander";
import { counted, duration, size } from "../format.ts";
import { fetchRepositories } from "../fetch/fetch.ts";
import type { FetchReport, HostFetch } from "../fetch/report.ts";
import { sourceFromManifest } from "../fetch/source.ts";
import { pick } from "../input.ts";
import { Inputs, type CommonOptions } from "../options.ts";
import { Output } from "../output.ts";

interface Options extends CommonOptions {
  readonly dryRun?: boolean;
}

/** `offsite-hub fetch`. */
export function fetchCommand(): Command {
  return new Command("fetch")
    .summary("bring repositories back to the hub from a target")
    .description(
      "Brings back to the hub what a target has and the hub has not: for a hub whose disk has died. Every file is " +
        "checked against its SHA-256 name before it gets its place, and `config` comes last, so that what is " +
        "there is right and no repository is seen before it is whole. Nothing that is at the hub and whole is " +
        "overwritten, nothing is removed, nothing is changed at the target. An interrupted run is continued by " +
        "the next. No repository password is needed. Stop the hub's rest-server meanwhile: a host that backs up " +
        "would make a new repository.",
    )
    .argument("<target>", "the target by name")
    .argument("[host...]", "hosts by name (default: all of the manifest)")
    .option("--dry-run", "say what would be fetched and fetch nothing")
    .addHelpText(
      "after",
      "\nExit codes: 0 the hub has all that the target has, 1 it has not, 2 wrong use, unreadable input, or no room.",
    )
    .action(run);
}

async function run(name: string, names: string[], options: Options): Promise<void> {
  const output = new Output({ json: options.json === true });
  const inputs = new Inputs(options, output);
  const { manifest, repositories, state, patience, rclone, rcloneConfig } = inputs;
  pick("target", [name], Object.keys(manifest.targets));
  const hosts = pick("host", names, Object.keys(manifest.hosts));
  inputs.requireRepositories();
  const credentials = inputs.credentials();
  const renew = inputs.renewCredentials;
  const reach = { manifest, credentials, renew, repositories, rclone, rcloneConfig, state };
  const target = inputs.target(name);
  const source = sourceFromManifest(name, reach);
  let report: FetchReport;
  try {
    report = await fetchRepositories({
      ...{ name, target, source, hosts, repositories, state, patience },
      dryRun: options.dryRun === true,
      onHost: (host, each) => tell(output, `${name} ${host}`, each),
      onProgress: (host, bytes, of) => {
        if (bytes < of) output.info(`${name} ${host}: ${size(bytes)} of ${size(of)}`);
      },
    });
  } finally {
    await source.close();
    await target.close();
  }
  for (const error of report.errors) output.error(`${name}: ${error}`);
  output.report(report);
  const outcomes = Object.values(report.hosts).map(({ outcome }) => outcome);
  const isWell = outcomes.every((outcome) => !["incomplete", "refused"].includes(outcome));
  if (!isWell || report.errors.length > 0) process.exitCode = 1;
}

function tell(output: Output, what: string, report: HostFetch): void {
  const { outcome, files, bytes, present, snapshots, seconds } = report;
  if (outcome === "absent") output.notice(`${what}: the target has nothing of this host`);
  else if (outcome === "planned") {
    output.info(`${what}: would fetch ${counted(files, "file")} (${size(bytes)})`);
  } else if (outcome !== "refused") {
    const there = `${counted(files, "file")} (${size(bytes)}) fetched, ${present} already there`;
    output.info(
      `${what}: ${outcome}, ${there}, ${counted(snapshots, "snapshot")}, ${duration(seconds)}`,
    );
  }
  for (const error of report.errors) output.error(`${what}: ${error}`);
}
