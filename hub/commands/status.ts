import { resolve } from "node:path";
import { Command } from "commander";
import type { HubCredentials } from "../../config/manifest.ts";
import { messageOf, UsageError } from "../errors.ts";
import { pick } from "../input.ts";
import { checkOf } from "../notify/check.ts";
import { notified } from "../notify/notify.ts";
import { Inputs, type CommonOptions } from "../options.ts";
import { Output } from "../output.ts";
import { replaceFile } from "../replace-file.ts";
import type { StatusReport } from "../status/report.ts";
import { answerRequest, requestedHosts } from "../status/request.ts";
import { status } from "../status/status.ts";
import { statusTables } from "../status/table.ts";

interface Options extends CommonOptions {
  readonly fail: boolean;
  readonly html?: string | true;
  readonly request?: string | true;
}

/** `offsite-hub status`. */
export function statusCommand(): Command {
  return new Command("status")
    .summary("say how hosts, targets and the last runs stand, and all that is wrong")
    .description(
      "Reports on every host's last backup, on what each target holds and since when, and on the last " +
        "mirror, verify, prune and drill. It asks no target: it reads the hub's repositories and what the " +
        "commands left in the state folder, and needs no credential. With the repositories' passwords " +
        "(passwordFiles in the settings) it also tells how long the last backups took and of how much.",
    )
    .argument("[host...]", "hosts by name (default: all of the manifest)")
    .option("--no-fail", "end with exit code 0 also when there are problems")
    .option(
      "--html [file]",
      "write a page for a browser: replace this file in one step, or to standard output",
    )
    .option(
      "--request [-]",
      'answer a request on standard input, {} or {"host": "<name>"}, as the capability backup-status',
    )
    .addHelpText(
      "after",
      "\nExit codes: 0 all well, 1 there are problems, 2 wrong use or unreadable input. " +
        'A page that cannot be written is 1 too, also with --no-fail. With --request: 0 answered, 1 not, with {"error": …} on standard output.',
    )
    .action(run);
}

async function run(names: string[], options: Options): Promise<void> {
  if (options.request !== undefined) {
    const output = new Output({ json: true });
    await answerRequest("status", options.request, output, async (request) => {
      const inputs = new Inputs(options, output);
      return await statusOf(inputs, requestedHosts(request, Object.keys(inputs.manifest.hosts)));
    });
    return;
  }
  refuseMixtures(names, options);
  const toStandardOutput = options.json === true || options.html === true;
  const output = new Output({ json: toStandardOutput });
  const inputs = new Inputs(options, output);
  // Who looks at it on a terminal need not be told, and with --no-fail all would seem well.
  const isTrial = process.stdout.isTTY || !options.fail;
  const check = checkOf("status", { hosts: names, isTrial });
  await notified(inputs, output, check, () => tellStatus(names, options, inputs, output));
}

async function tellStatus(
  names: string[],
  options: Options,
  inputs: Inputs,
  output: Output,
): Promise<void> {
  const report = await statusOf(inputs, pick("host", names, Object.keys(inputs.manifest.hosts)));
  if (options.html !== undefined) await writePage(options.html, report, inputs, output);
  else if (options.json !== true) console.log(statusTables(report));
  for (const notice of report.notices) output.notice(notice);
  for (const problem of report.problems) output.error(problem);
  if (report.healthy) output.info("all well");
  if (options.json === true) output.report(report);
  if (!report.healthy && options.fail) process.exitCode = 1;
}

/** A page of some hosts alone would look like the whole one. */
function refuseMixtures(names: readonly string[], { html, json }: Options): void {
  if (html === undefined) return;
  if (names.length > 0) {
    throw new UsageError(
      `--html is of all hosts: leave out ${names.map((name) => `"${name}"`).join(", ")}`,
    );
  }
  if (html === true && json === true) {
    throw new UsageError("--html and --json both want standard output: name a file, --html <file>");
  }
}

/** Where it cannot be written, the old page stays, and grows old. */
async function writePage(
  file: string | true,
  report: StatusReport,
  { settings }: Inputs,
  output: Output,
): Promise<void> {
  const { statusPage } = await import("../status/html/page.ts");
  const page = statusPage(report, settings.page.distrustHours * 3600);
  if (file === true) {
    process.stdout.write(page);
    return;
  }
  const path = resolve(file);
  try {
    replaceFile(path, page);
  } catch (error) {
    output.error(`cannot write the status page to "${path}": ${messageOf(error)}`);
    process.exitCode = 1;
    return;
  }
  output.info(`wrote the status page: ${path}`);
}

/** Reports on hosts of the manifest as they are now. */
export async function statusOf(inputs: Inputs, hosts: readonly string[]): Promise<StatusReport> {
  const { manifest, settings, repositories, state, restic } = inputs;
  const credentials = credentialsOf(inputs);
  const now = new Date();
  return status({ manifest, hosts, settings, repositories, state, restic, credentials, now });
}

/** They tell generations in use, and nothing else here needs them. */
function credentialsOf(inputs: Inputs): HubCredentials | undefined {
  try {
    return inputs.credentials();
  } catch {
    return undefined;
  }
}
