import { Command, InvalidArgumentError } from "commander";
import { messageOf } from "../../hub/errors.ts";
import { printable } from "../../hub/format.ts";
import { ASSUMED, type CostInput } from "../cost/estimate.ts";
import { deployedInput, readCostSettings } from "../cost/input.ts";
import { priceTable } from "../cost/prices.ts";
import { costReport } from "../cost/report.ts";
import { costTable } from "../cost/table.ts";
import { interruption } from "../interruption.ts";
import type { StackOptions } from "../options.ts";
import { OperatorStack } from "../stack.ts";

interface Options extends StackOptions {
  readonly months: number;
  readonly churn: number;
  readonly json?: boolean;
}

/** `offsite cost`. */
export function costCommand(): Command {
  return new Command("cost")
    .summary("say what each target costs a month, now and later")
    .description(
      "Reckons from the settings as they are, deployed or not: the hosts' sizeGiB and growthGiBPerMonth, the " +
        "targets' keepHiddenDays and maxSizeGiB, and a dated table of prices that the setting prices goes " +
        "before. Where something is deployed, it also says what the settings would change. It changes " +
        "nothing, and asks no target.",
    )
    .option("--months <n>", "how far to look ahead", wholeMonths, ASSUMED.months)
    .option(
      "--churn <percent>",
      "how much of what is stored is replaced each month",
      percent,
      ASSUMED.churn * 100,
    )
    .option("--json", "print the report as JSON")
    .addHelpText(
      "after",
      "\nExit codes: 0 told, 1 not, 2 wrong use or wrong settings, 130 interrupted.",
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const stack = await OperatorStack.open(options);
  const { input, prices } = await readCostSettings(stack.file, stack.name);
  const assumptions = { months: options.months, churn: options.churn / 100 };
  const deployed = await readDeployed(stack);
  const report = costReport(input, deployed, priceTable(prices), assumptions);
  console.log(options.json === true ? JSON.stringify(report, null, 2) : costTable(report));
}

/** What is deployed is a comparison's one side; without it the rest is still worth saying. */
async function readDeployed(stack: OperatorStack): Promise<CostInput | undefined> {
  try {
    return deployedInput(await stack.resources());
  } catch (error) {
    if (interruption.aborted) throw interruption.reason;
    const why = printable(messageOf(error));
    console.error(`not compared with what is deployed: ${why}`);
    return undefined;
  }
}

function wholeMonths(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1200) return value;
  throw new InvalidArgumentError("Must be a whole number from 1 to 1200.");
}

function percent(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 100) return value;
  throw new InvalidArgumentError("Must be a number from 0 to 100.");
}
