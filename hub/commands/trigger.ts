import { Command } from "commander";
import { messageOf, UsageError } from "../errors.ts";
import { pick } from "../input.ts";
import { Inputs, type CommonOptions } from "../options.ts";
import { Output } from "../output.ts";
import { answerRequest, requestedHosts } from "../status/request.ts";
import { trigger } from "../status/trigger.ts";

interface Options extends CommonOptions {
  readonly request?: string | true;
}

/** `offsite-hub trigger`. */
export function triggerCommand(): Command {
  return new Command("trigger")
    .summary("start a host's backup")
    .description(
      "Runs the command that the settings have for the host under triggers, and returns at once. How the " +
        "backup ends is seen in the host's status.",
    )
    .argument("[host]", "the host by name; with --request the request names it")
    .option(
      "--request [-]",
      'answer a request on standard input, {"host": "<name>"}, as the capability backup-trigger',
    )
    .addHelpText(
      "after",
      "\nExit codes: 0 started, 1 not, 2 wrong use or unreadable input. " +
        'With --request: 0 started, 1 not, with {"error": …} on standard output.',
    )
    .action(run);
}

async function run(name: string | undefined, options: Options): Promise<void> {
  if (options.request !== undefined) {
    const output = new Output({ json: true });
    await answerRequest("trigger", options.request, output, async (request) => {
      const { manifest, settings } = new Inputs(options, output);
      const hosts = Object.keys(manifest.hosts);
      if (request.host === undefined) throw whichHost(hosts);
      const [host = ""] = requestedHosts(request, hosts);
      return await trigger(host, settings.triggers);
    });
    return;
  }
  const output = new Output({ json: options.json === true });
  const { manifest, settings } = new Inputs(options, output);
  const hosts = Object.keys(manifest.hosts);
  if (name === undefined) throw whichHost(hosts);
  const [host = ""] = pick("host", [name], hosts);
  try {
    const report = await trigger(host, settings.triggers);
    output.info(`${host}: its backup was started`);
    output.report(report);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    output.error(`${host}: ${messageOf(error)}`);
    process.exitCode = 1;
  }
}

function whichHost(hosts: readonly string[]): UsageError {
  return new UsageError(`which host? Name one of: ${hosts.join(", ")}`);
}
