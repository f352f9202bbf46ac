import { Command } from "commander";
import { pick } from "../input.ts";
import { Inputs, type CommonOptions } from "../options.ts";
import { Output } from "../output.ts";
import { list, type ListReport } from "../status/list.ts";
import { answerRequest, requestedHosts } from "../status/request.ts";
import { snapshotTable } from "../status/table.ts";

interface Options extends CommonOptions {
  readonly request?: string | true;
}

/** `offsite-hub list`. */
export function listCommand(): Command {
  return new Command("list")
    .summary("list the hosts' snapshots, and at which targets they are")
    .description(
      "Lists the snapshots at the hub, the newest first, each with the targets that are known to hold it. " +
        "With the repositories' passwords (passwordFiles in the settings) restic tells their times, paths, " +
        "tags and sizes; without, there are their ids and when they arrived.",
    )
    .argument("[host...]", "hosts by name (default: all of the manifest)")
    .option(
      "--request [-]",
      'answer a request on standard input, {} or {"host": "<name>"}, as the capability backup-list',
    )
    .addHelpText(
      "after",
      "\nExit codes: 0 listed, 1 something could not be read, 2 wrong use or unreadable input. " +
        'With --request: 0 answered, 1 not, with {"error": …} on standard output.',
    )
    .action(run);
}

async function run(names: string[], options: Options): Promise<void> {
  if (options.request !== undefined) {
    const output = new Output({ json: true });
    await answerRequest("list", options.request, output, async (request) => {
      const inputs = new Inputs(options, output);
      return await listOf(inputs, requestedHosts(request, Object.keys(inputs.manifest.hosts)));
    });
    return;
  }
  const output = new Output({ json: options.json === true });
  const inputs = new Inputs(options, output);
  const report = await listOf(inputs, pick("host", names, Object.keys(inputs.manifest.hosts)));
  for (const [host, found] of Object.entries(report.hosts)) {
    if (options.json !== true) {
      console.log(found.snapshots.length === 0 ? `${host}: no snapshots` : `${host}:`);
      if (found.snapshots.length > 0) console.log(snapshotTable(found));
    }
    for (const error of found.errors) output.error(`${host}: ${error}`);
    if (found.errors.length > 0) process.exitCode = 1;
  }
  output.report(report);
}

async function listOf(inputs: Inputs, hosts: readonly string[]): Promise<ListReport> {
  inputs.requireRepositories();
  const { manifest, settings, repositories, state, restic } = inputs;
  return list({ manifest, hosts, settings, repositories, state, restic, now: new Date() });
}
