import { resolve } from "node:path";
import { Command } from "commander";
import { UsageError } from "../../hub/errors.ts";
import { collect } from "../../hub/options.ts";
import { counted, printable } from "../../hub/format.ts";
import { compare, type FileReport } from "../bundle/compare.ts";
import { deployedBundle, type DeployedBundle } from "../bundle/deployed.ts";
import { owedUpdates } from "../bundle/owed.ts";
import { requireEmpty, writeOpened } from "../bundle/opened.ts";
import { bringUpToDate, requireOwn } from "../bundle/write.ts";
import { agree } from "../confirm.ts";
import type { StackOptions } from "../options.ts";
import { OperatorStack } from "../stack.ts";

interface Options extends StackOptions {
  readonly out?: string;
  readonly check?: boolean;
  readonly identity?: readonly string[];
  readonly json?: boolean;
  readonly opened?: string;
  readonly yes?: boolean;
}

/** What `offsite bundle --check --json` prints. */
interface CheckReport {
  readonly version: 1;
  readonly directory: string;
  readonly upToDate: boolean;
  /** Every file that is not up to date. */
  readonly files: readonly FileReport[];
  /** What the settings have that is not deployed. */
  readonly owed: readonly string[];
}

/** `offsite bundle`. */
export function bundleCommand(): Command {
  return new Command("bundle")
    .summary("write the bundle's files without an update, or check them")
    .description(
      "Writes the files of the last update again from the stack's state: those that are missing or were edited " +
        "in the bundle's own directory, or all of them in another one. A file that is up to date keeps its bytes. " +
        "With --check it writes nothing and names every file that is missing, edited, or not the stack's. It " +
        "changes nothing but files in that directory.",
    )
    .option("--out <dir>", "the directory (default: seal.directory)")
    .option("--check", "write nothing; say whether the directory is up to date")
    .option(
      "-i, --identity <file>",
      "a private key that opens the files, to compare what no checksum tells; may be given again",
      collect,
    )
    .option("--json", "with --check: print the report as JSON")
    .option(
      "--opened <dir>",
      "write all of it in clear text, with every secret, to a new directory that you alone can read: for when no machine is left whose key would open it",
    )
    .option("-y, --yes", "with --opened: do not ask")
    .addHelpText(
      "after",
      "\nExit codes: 0 up to date, 1 not, or a file could not be written or checked, 2 wrong use, 130 interrupted.",
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  if (options.json === true && options.check !== true) {
    throw new UsageError("--json is for --check");
  }
  if (options.opened !== undefined && (options.check === true || options.out !== undefined)) {
    throw new UsageError("--opened goes with neither --check nor --out");
  }
  const stack = await OperatorStack.open(options);
  const bundle = deployedBundle(await stack.resources());
  if (bundle === undefined) {
    throw new UsageError(`the stack ${stack.name} has no bundle yet. Make it with: pulumi up`);
  }
  if (options.opened !== undefined) {
    await open(bundle, resolve(options.opened), options.yes === true);
    return;
  }
  const directory =
    options.out === undefined ? resolve(stack.project, bundle.directory) : resolve(options.out);
  if (options.check === true) {
    await check(stack, bundle, directory, options);
    return;
  }
  await requireOwn(directory);
  const reports = await compare(bundle, directory, options.identity ?? []);
  console.error(`Writing to ${directory} what is not up to date there …`);
  const { written, removed } = await bringUpToDate(bundle, directory, reports);
  for (const path of written) console.log(`wrote ${printable(path)}`);
  for (const path of removed) console.log(`removed ${printable(path)}`);
  const left = (await compare(bundle, directory, options.identity ?? [])).filter(
    ({ status }) => status === "surplus",
  );
  for (const { path, reason } of left) console.error(`left: ${printable(path)} ${reason}`);
  console.log(`${directory}: ${counted(bundle.files.length, "file")}, ${written.length} written`);
  if (left.length > 0) process.exitCode = 1;
}

/** All of it in clear text. */
async function open(bundle: DeployedBundle, directory: string, isAgreed: boolean): Promise<void> {
  await requireEmpty(directory);
  console.error(
    `This writes the passwords and keys of every machine in clear text to ${directory}, which you alone can read. ` +
      "Whoever gets that directory can do what every machine can; the backups' content needs restic's passwords still. " +
      "Delete it when you are done.",
  );
  if (!(await agree("Write them?", isAgreed))) {
    process.exitCode = 1;
    return;
  }
  for (const path of await writeOpened(bundle, directory)) console.log(`wrote ${printable(path)}`);
  console.log(`${directory} has all of the bundle in clear text. Delete it when you are done`);
}

async function check(
  stack: OperatorStack,
  bundle: DeployedBundle,
  directory: string,
  options: Options,
): Promise<void> {
  const files = (await compare(bundle, directory, options.identity ?? [])).filter(
    ({ status }) => status !== "current",
  );
  const owed = owedUpdates(await stack.config(), await stack.record());
  const upToDate = files.length === 0 && owed.length === 0;
  const report: CheckReport = { version: 1, directory, upToDate, files, owed };
  if (options.json === true) console.log(JSON.stringify(report, null, 2));
  else {
    for (const { path, reason } of files) console.log(`${printable(path)} ${reason}`);
    for (const line of owed) console.log(`an update is owed: ${line}`);
    console.log(upToDate ? `${directory} is up to date` : `${directory} is not up to date`);
  }
  if (!upToDate) process.exitCode = 1;
}
