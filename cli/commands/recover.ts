import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { Command } from "commander";
import pLimit from "p-limit";
import { InputError } from "../../config/problems.ts";
import { parseStackConfig } from "../../config/parse.ts";
import type { StackConfig } from "../../config/stack.ts";
import { UsageError } from "../../hub/errors.ts";
import { collect } from "../../hub/options.ts";
import type { Client } from "../../sdks/b2/client/client.ts";
import { UserError } from "../../sdks/b2/client/errors.ts";
import { agree } from "../confirm.ts";
import { interruption } from "../interruption.ts";
import type { StackOptions } from "../options.ts";
import { accountProblems, hubProblems } from "../recover/contradictions.ts";
import { importAll } from "../recover/import.ts";
import { readAccount, withClient } from "../recover/look.ts";
import { b2Targets, planOf, type KeyPlan, type TargetPlan } from "../recover/plan.ts";
import { readBundle, type BundleSecrets } from "../recover/read-bundle.ts";
import { lastWords, planLines } from "../recover/words.ts";
import { OperatorStack } from "../stack.ts";

interface Options extends StackOptions {
  readonly identity?: readonly string[];
  readonly yes?: boolean;
}

/** Secrets tried at once. */
const CONCURRENCY = 8;

/** `offsite recover`. */
export function recoverCommand(): Command {
  return new Command("recover")
    .summary("bring the buckets and keys at B2 back after the state was lost")
    .description(
      "With the settings' file and the passphrase, all passwords come back by themselves. What was only in the " +
        "state are the keys that Backblaze made; their secrets are in the bundle too, sealed. This opens the " +
        "bundle with your own private key (one of seal.operators), tries every secret at Backblaze, and imports " +
        "bucket and keys into the stack's new, empty state, so that `pulumi up` finds all as it was. It changes " +
        "nothing at Backblaze, at a peer or in the bundle, and what is in the state already stays as it is.",
    )
    .option(
      "-i, --identity <file>",
      "a private key that opens the bundle, age's or SSH; may be given again",
      collect,
    )
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      "\nExit codes: 0 all is in the state, 1 something could not come back, 2 wrong use or settings that do not " +
        "fit what was deployed (nothing was changed), 130 interrupted.",
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const stack = await OperatorStack.open(options);
  const identities = await checkIdentities(options.identity ?? []);
  await requireStack(stack);
  const raw = await stack.rawConfig();
  const config = parseStackConfig(raw, stack.name);
  const noted = await tellOfR2(stack, config);
  const buckets = Object.fromEntries(b2Targets(config).map(([name, each]) => [name, each.bucket]));
  if (Object.keys(buckets).length === 0) {
    if (noted) process.exitCode = 1;
    else {
      console.log(
        "No target keeps anything in the state that does not come back by itself: run pulumi up.",
      );
    }
    return;
  }
  console.error("Opening the bundle's files, and asking Backblaze …");
  const found = await readBundle(config, stack.project, identities);
  const plans = await withClient(raw, async (client) => {
    const account = await readAccount(client, buckets);
    refuseContradictions(stack, config, [
      ...accountProblems(stack.name, config, account.keys),
      ...hubProblems(config, found.hub),
    ]);
    const [resources, before] = [await stack.resources(), await stack.record()];
    const input = { stack: stack.name, config, resources, account, secrets: found.keys, before };
    return await proved(client, planOf(input));
  });
  await act(stack, plans, found, options.yes === true);
  if (noted) process.exitCode = 1;
}

/** Says which buckets at R2 have to be imported by hand; whether there are any. */
async function tellOfR2(stack: OperatorStack, config: StackConfig): Promise<boolean> {
  const state = await stack.resources();
  const lost = Object.entries(config.targets).filter(
    ([name, { type }]) =>
      type === "r2" &&
      !state.some((each) =>
        each.urn.endsWith(`cloudflare:index/r2Bucket:R2Bucket::${name}-bucket`),
      ),
  );
  for (const [name] of lost) {
    console.log(
      `${name}: a bucket at Cloudflare R2 does not come back with this command. Where it is there already, pulumi up ends at it: ` +
        "import it as docs/targets/r2.md says (When the state was lost). Its tokens are made anew.",
    );
  }
  return lost.length > 0;
}

async function act(
  stack: OperatorStack,
  plans: readonly TargetPlan[],
  { closed }: BundleSecrets,
  isAgreed: boolean,
): Promise<void> {
  for (const line of planLines(plans, closed)) console.log(line);
  const outcomes = plans.flatMap(({ keys }) => keys.map(({ outcome }) => outcome.kind));
  const isWork =
    outcomes.includes("import") || plans.some(({ bucket }) => bucket?.isHere === false);
  if (isWork) {
    const question = `Import this into the state of ${stack.name}? Nothing else is changed.`;
    if (!(await agree(question, isAgreed))) {
      console.log("Nothing was changed.");
      process.exitCode = 1;
      return;
    }
    await importAll(stack, plans);
    for (const line of ["", ...lastWords(plans)]) console.log(line);
  } else {
    console.log("Nothing to import.");
  }
  if (outcomes.includes("lost") || outcomes.includes("secretless")) process.exitCode = 1;
}

async function checkIdentities(files: readonly string[]): Promise<string[]> {
  const paths = files.map((file) => resolve(file));
  for (const path of paths) {
    const isFile = await stat(path).then(
      (found) => found.isFile(),
      () => false,
    );
    if (!isFile) throw new UsageError(`--identity: there is no file ${path}`);
  }
  return paths;
}

/** A state that is elsewhere must not be taken for one that is lost. */
async function requireStack(stack: OperatorStack): Promise<void> {
  try {
    await stack.read(["stack", "export"]);
  } catch (error) {
    interruption.throwIfAborted();
    if (!(error instanceof Error) || !error.message.includes("no stack named")) throw error;
    throw new UsageError(
      `there is no stack ${stack.name} where Pulumi is logged in to. If its state is somewhere else, log in there: pulumi login. ` +
        `If it is lost, make an empty one, with the passphrase as before; the settings' file stays as it is: pulumi stack init ${stack.name}`,
    );
  }
}

function refuseContradictions(
  stack: OperatorStack,
  config: StackConfig,
  problems: ConstructorParameters<typeof InputError>[1],
): void {
  if (problems.length === 0) return;
  throw new InputError(
    `The settings of "${stack.name}" (${Object.keys(config.hosts).length} hosts) do not fit what was deployed; nothing was changed`,
    problems,
  );
}

/** Tries every secret that is to come back; one that Backblaze refuses is lost. */
async function proved(client: Client, plans: readonly TargetPlan[]): Promise<TargetPlan[]> {
  const limit = pLimit(CONCURRENCY);
  const prove = async (key: KeyPlan): Promise<KeyPlan> => {
    if (key.outcome.kind !== "import") return key;
    try {
      await client.prove(key.outcome.id, key.outcome.secret);
      return key;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const reason = "Backblaze refused the secret that is in the bundle";
      return { ...key, outcome: { kind: "lost", reason } };
    }
  };
  return await Promise.all(
    plans.map(async (plan) => ({
      ...plan,
      keys: await Promise.all(plan.keys.map((key) => limit(() => prove(key)))),
    })),
  );
}
