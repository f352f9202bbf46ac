import { Command, InvalidArgumentError } from "commander";
import { parseRecord, STACK_RECORD } from "../../config/record.ts";
import { parseStackConfig } from "../../config/parse.ts";
import type { StackConfig } from "../../config/stack.ts";
import { UsageError } from "../../hub/errors.ts";
import { collect } from "../../hub/options.ts";
import type { StackOptions } from "../options.ts";
import { OperatorStack } from "../stack.ts";
import { cloudflareToken, operatorKey } from "../verify/operator-key.ts";
import { Progress } from "../verify/progress.ts";
import { errorLines, noticeLines, verifyTables } from "../verify/table.ts";
import { verify } from "../verify/verify.ts";

interface Options extends StackOptions {
  readonly json?: boolean;
  readonly maxAge: number;
  readonly knownKey?: string[];
}

const MAX_AGE_HOURS = 48;

/** `offsite verify`. */
export function verifyCommand(): Command {
  return new Command("verify")
    .summary("check that the targets are as the stack says")
    .description(
      "Looks at the targets as they are now, from this machine and without the hub: whether each is reached, " +
        "is what the last pulumi up left, lets in whom it must and nobody else, refuses what it must, has room, " +
        "and has a new snapshot of every host. It changes nothing but its canary: what must be refused is tried " +
        "on a small folder of its own, offsite-canary, beside the hosts' files or below them.",
    )
    .argument("[target...]", "targets and guests by name (default: all of the stack)")
    .option("--json", "write the report as JSON to standard output, and all else to standard error")
    .option(
      "--max-age <hours>",
      "how old a host's newest snapshot at a target may be",
      hours,
      MAX_AGE_HOURS,
    )
    .option(
      "--known-key <id>",
      "an application key or API token of yours that may reach the bucket beside the stack's; may be given again",
      collect,
    )
    .addHelpText(
      "after",
      "\nExit codes: 0 all is as it must be, 1 something is not or could not be found out, 2 wrong use or settings, 130 interrupted.",
    )
    .action(run);
}

async function run(wanted: string[], options: Options): Promise<void> {
  const json = options.json === true;
  const stack = await OperatorStack.open(options);
  await stack.askPassphrase();
  const [raw, resources] = await Promise.all([stack.rawConfig(), stack.resources()]);
  const config = parseStackConfig(raw, stack.name);
  const [targets, guests] = pick(wanted, config);
  const outputs = resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs;
  const record = parseRecord(outputs?.[STACK_RECORD]);
  console.error(
    `Looking at ${[...targets, ...guests].join(" and ")}. Nothing is changed there but the canary, offsite-canary.`,
  );
  const progress = new Progress(process.stderr);
  const report = await verify({
    ...{ stack: stack.name, config, record, resources, targets, guests },
    operator: operatorKey(raw),
    cloudflareToken: cloudflareToken(raw),
    knownKeys: options.knownKey ?? [],
    maxAgeHours: options.maxAge,
    onProgress: (target, check) => progress.show(target, check),
  }).finally(() => progress.clear());
  if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else console.log(verifyTables(report));
  for (const line of noticeLines(report)) console.error(`notice: ${line}`);
  for (const line of errorLines(report)) console.error(`error: ${line}`);
  if (!report.ok) process.exitCode = 1;
}

/** The targets and the guests that are meant. */
function pick(
  wanted: readonly string[],
  config: Pick<StackConfig, "targets" | "guests">,
): [targets: string[], guests: string[]] {
  const all = [Object.keys(config.targets), Object.keys(config.guests)] as const;
  const unknown = wanted.filter((name) => !all.flat().includes(name)).map((name) => `"${name}"`);
  if (unknown.length > 0) {
    throw new UsageError(
      `no such target: ${unknown.join(", ")}. The stack has: ${all.flat().join(", ")}`,
    );
  }
  const those = (names: readonly string[]) =>
    names.filter((name) => wanted.length === 0 || wanted.includes(name));
  return [those(all[0]), those(all[1])];
}

/** A number of hours above 0. */
function hours(value: string): number {
  const number = Number(value);
  if (value.trim() !== "" && Number.isFinite(number) && number > 0) return number;
  throw new InvalidArgumentError("It must be a number of hours above 0.");
}
