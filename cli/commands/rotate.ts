import { readFileSync } from "node:fs";
import { text as readAll } from "node:stream/consumers";
import { Command } from "commander";
import type { StackRecord } from "../../config/record.ts";
import type { StackConfig } from "../../config/stack.ts";
import { UsageError } from "../../hub/errors.ts";
import { agree } from "../confirm.ts";
import { readInput } from "../init/answers.ts";
import { interruption } from "../interruption.ts";
import type { StackOptions } from "../options.ts";
import { replaceFile } from "../replace-file.ts";
import { editsOf, isRevocation, planRotation, type Turning } from "../rotate/plan.ts";
import { editSettings } from "../rotate/settings-edit.ts";
import { unproven } from "../rotate/proof.ts";
import { announcement, deployments, exposure } from "../rotate/words.ts";
import { OperatorStack } from "../stack.ts";

interface Options extends StackOptions {
  readonly all?: boolean;
  readonly revoke?: boolean;
  readonly status?: string;
  readonly yes?: boolean;
}

/** `offsite rotate`. */
export function rotateCommand(): Command {
  return new Command("rotate")
    .summary("turn over the credentials of a host, a target or a guest")
    .description(
      "Raises generations in the stack's settings, shows the preview, asks, runs the update, and says which " +
        "machines to deploy. Whoever connects holds the next credential already, so that no backup fails " +
        "meanwhile, as long as every machine was deployed since the last rotation. A rotation that was " +
        "interrupted goes on when the command is given again.",
    )
    .argument(
      "[name...]",
      "hosts, targets and guests by name (host:NAME, target:NAME or guest:NAME where it is several)",
    )
    .option("--all", "all hosts and guests, and the targets with keys of their own")
    .option(
      "--revoke",
      "after a leak: every generation that a thief may hold is refused from now on, and machines must be deployed before their next backup",
    )
    .option(
      "--status <file>",
      "what offsite-hub status --json printed at the hub (- for standard input): go on only where it proves that the hub uses what is in force",
    )
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      "\nExit codes: 0 rotated; 1 not, or not everywhere; 2 wrong use, nothing changed; 130 interrupted.",
    )
    .action(run);
}

async function run(names: readonly string[], options: Options): Promise<void> {
  if (names.length > 0 === (options.all === true)) {
    throw new UsageError("name hosts, targets or guests, or give --all");
  }
  // Asked before anything is changed.
  if (options.yes !== true && !process.stdin.isTTY) await agree("", false);
  const stack = await OperatorStack.open(options);
  const record = await stack.record();
  const config = await stack.config();
  const request = { names, all: options.all === true, revoke: options.revoke === true };
  const turning = planRotation(config, record, request);
  for (const line of announcement(config, turning, stack.file)) console.log(line);
  const revokes = turning.some(isRevocation);
  if (!revokes) await checkDeployments(config, record, options.status);

  const settings = Settings.edit(stack.file, turning);
  let isAgreed = false;
  try {
    console.log("");
    if ((await stack.show(["preview"])) !== 0) {
      interruption.throwIfAborted();
      throw new Error("the preview failed: nothing was changed");
    }
    isAgreed = await agree("Run this update?", options.yes === true);
  } finally {
    if (!isAgreed) settings.restore();
  }
  if (!isAgreed) {
    console.log("Nothing was changed.");
    process.exitCode = 1;
    return;
  }

  // A peer that is away must not keep alive what a thief holds elsewhere.
  const anyhow = revokes ? ["--continue-on-error"] : [];
  const exitCode = await stack.show(["up", "--yes", "--skip-preview", ...anyhow]);
  console.log("");
  if (exitCode !== 0) {
    // What depends on a key that could not be made keeps naming the one that is deleted.
    if (revokes) await stack.repair();
    const still = revokes
      ? `What was to be revoked may still be accepted where an error is shown above; the rest was done as far as it goes. ${deployments(config, turning).join(" ")} `
      : "";
    throw new Error(
      `the update did not come to its end. ${still}The settings keep the new generation: when the cause is mended, give the same command again, or run pulumi up`,
    );
  }
  for (const line of deployments(config, turning)) console.log(line);
  if (revokes) for (const line of exposure(config, turning, new Date())) console.log(line);
}

/** A rotation takes away what was replaced by the one before. */
async function checkDeployments(
  config: StackConfig,
  record: StackRecord | undefined,
  status: string | undefined,
): Promise<void> {
  if (status === undefined || record === undefined) {
    console.log(
      "Every machine must have been deployed since the last rotation: `offsite-hub status` and the hosts' metrics show who still owes one.",
    );
    return;
  }
  const text = status === "-" ? await readAll(process.stdin) : readInput("--status", status);
  const problems = unproven(text, config, record);
  if (problems.length > 0) {
    throw new UsageError(`it is not proven that the hub was deployed: ${problems.join("; ")}`);
  }
  console.log("The hub uses at every target what is in force.");
}

/** The settings' file with its new generations, and the way back. */
class Settings {
  readonly #file: string;
  readonly #before: string;
  readonly #after: string;

  private constructor(file: string, before: string, after: string) {
    this.#file = file;
    this.#before = before;
    this.#after = after;
  }

  static edit(file: string, turning: readonly Turning[]): Settings {
    const before = readFileSync(file, "utf8");
    const settings = new Settings(file, before, editSettings(before, editsOf(turning)));
    replaceFile(file, before, settings.#after);
    return settings;
  }

  /** Takes the edit back, unless somebody else has edited the file since. */
  restore(): void {
    if (readFileSync(this.#file, "utf8") === this.#after) {
      replaceFile(this.#file, this.#after, this.#before);
    } else {
      console.error(`${this.#file} was changed meanwhile: the new generations are still in it`);
    }
  }
}
