import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { Command, InvalidArgumentError, Option } from "commander";
import { messageOf, UsageError } from "../../hub/errors.ts";
import { printable } from "../../hub/format.ts";
import { interruption } from "../interruption.ts";
import type { StackOptions } from "../options.ts";
import { eventOf, forgeFrom } from "../report/forge.ts";
import { reportPage } from "../report/html.ts";
import { reportJson } from "../report/json.ts";
import { marker, reportMarkdown, type Origin } from "../report/markdown.ts";
import { postComment } from "../report/post.ts";
import { readPreview, type Preview } from "../report/preview.ts";
import { isUnchanged, makeReport } from "../report/report.ts";
import { readSettings, withSecrets, type Settings } from "../report/settings.ts";
import { findProject, OperatorStack, settingsFile } from "../stack.ts";

interface Options extends StackOptions {
  readonly base?: string;
  readonly refresh?: boolean;
  readonly expectNoChanges?: boolean;
  readonly note?: string;
  readonly post?: boolean;
  readonly pullRequest?: number;
  readonly json?: boolean;
  readonly html?: boolean;
}

/** `offsite report`. */
export function reportCommand(): Command {
  return new Command("report")
    .summary("say what a preview means, as a comment for a pull request")
    .description(
      "Reads what `pulumi preview --json --show-sames` printed, or makes that preview itself, and says in Markdown " +
        "what a reviewer must know: a verdict, what becomes of data, the policy's findings, which credentials turn " +
        "over and which machines to deploy, the cost, and what was changed by hand; the rest folded away. Secrets " +
        "are not in it. It changes nothing; with --post it writes one comment at the pull request.",
    )
    .argument("[preview]", "the preview's JSON, or - for standard input (default: makes one)")
    .option(
      "--base <file>",
      "the stack's settings before the change: Pulumi.<stack>.yaml of the base",
    )
    .option(
      "--refresh",
      "without a preview: ask the providers too, for what was changed there by hand",
    )
    .option("--expect-no-changes", "end with 1 where anything would change, or was changed by hand")
    .option("--note <sentence>", "a sentence on what kind of preview it is")
    .option("--post", "create or update the comment at GitHub or Forgejo; see docs/ci.md")
    .option(
      "--pull-request <number>",
      "where to --post (default: that of the workflow's event)",
      whole,
    )
    .addOption(new Option("--json", "print the report as JSON").conflicts("html"))
    .option("--html", "print a page for a browser")
    .addHelpText(
      "after",
      "\nExit codes: 0 may be merged as far as a program can tell; 1 not: the preview failed, breaks the policy, or loses data; 2 wrong use, 130 interrupted.",
    )
    .action(run);
}

async function run(file: string | undefined, options: Options): Promise<void> {
  if (file !== undefined && options.refresh === true) {
    throw new UsageError("--refresh is for a preview that is made here: leave the file out");
  }
  // What is wrong is said before a preview that takes its time.
  const forge = options.post === true ? forgeFrom(process.env, options.pullRequest) : undefined;
  const base = options.base === undefined ? undefined : await readSettings(options.base);
  const { preview, settings, stack } = await look(file, options);
  const report = makeReport({ preview, stack, base, settings });
  const origin: Origin = { note: options.note, commit: eventOf(process.env).commit };
  const comment = reportMarkdown(report, origin);
  if (options.json === true) console.log(JSON.stringify(reportJson(report, origin), null, 2));
  else console.log(options.html === true ? reportPage(comment, report.stack) : comment);
  const isQuiet = options.expectNoChanges !== true || isUnchanged(report);
  if (!report.mergeable || !isQuiet) process.exitCode = 1;
  if (forge === undefined) return;
  const { did, url } = await postComment(forge, marker(report.stack), comment, {
    signal: interruption,
  });
  console.error(`The comment was ${did}${url === undefined ? "" : `: ${printable(url)}`}`);
}

/** A preview, and the settings that it is of. */
interface Seen {
  readonly preview: Preview;
  readonly settings: Settings;
  readonly stack: string | undefined;
}

async function look(file: string | undefined, options: Options): Promise<Seen> {
  if (file !== undefined) {
    const preview = readPreview({ text: await read(file) });
    const stack = preview.stack ?? options.stack;
    const own = stack === undefined ? undefined : settingsBeside(stack, options);
    return {
      preview,
      stack,
      settings: withSecrets(preview, own === undefined ? {} : await readSettings(own)),
    };
  }
  const stack = await OperatorStack.open(options);
  const args = ["preview", "--json", "--show-sames"];
  console.error(`Making a preview of ${stack.name}. Nothing is changed.`);
  const made = await stack.attempt(options.refresh === true ? [...args, "--refresh"] : args);
  const source = { text: made.stdout, said: made.stderr, exitCode: made.exitCode };
  const preview = readPreview(source);
  const settings = withSecrets(preview, await readSettings(stack.file));
  return { preview, stack: stack.name, settings };
}

/** The stack's file, where one is beside the project. A preview alone is enough for most. */
function settingsBeside(stack: string, options: Options): string | undefined {
  try {
    const own = settingsFile(findProject(options.project), stack, options);
    return existsSync(own) ? own : undefined;
  } catch (error) {
    if (error instanceof UsageError && options.project === undefined) return undefined;
    throw error;
  }
}

async function read(file: string): Promise<string> {
  try {
    return file === "-" ? await text(process.stdin) : await readFile(file, "utf8");
  } catch (error) {
    throw new UsageError(`cannot read the preview "${file}": ${messageOf(error)}`);
  }
}

function whole(value: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new InvalidArgumentError("It must be the number of a pull request.");
}
