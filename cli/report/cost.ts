/** What a change does to the monthly cost. */
import { manifestSchema } from "../../config/manifest.ts";
import type { PriceOverrides } from "../../config/prices.ts";
import { messageOf } from "../../hub/errors.ts";
import type { CostInput } from "../cost/estimate.ts";
import { costInputOf, costSettingsOf } from "../cost/input.ts";
import { priceTable } from "../cost/prices.ts";
import { costDifference, type CostDifference } from "../cost/report.ts";
import type { Preview } from "./preview.ts";
import { nameOf, typeOf } from "./preview.ts";
import type { Settings } from "./settings.ts";
import { textAt } from "./values.ts";

/** The difference, or why there is none to be told. */
export type Cost = CostDifference | { readonly unknown: string };

/**
 * Compares.
 *
 * @param base - the settings of before; without them what the stack has deployed says it.
 */
export function costOf(preview: Preview, base: Settings | undefined, settings: Settings): Cost {
  let after: { input: CostInput; prices: PriceOverrides | undefined };
  try {
    after = costSettingsOf(settings, "the settings");
  } catch (error) {
    return { unknown: preview.failure === undefined ? messageOf(error) : "the preview failed" };
  }
  const before = inputBefore(preview, base, after.input);
  if (before === undefined) return { unknown: "the sizes before the change are not known here" };
  return costDifference(before, after.input, priceTable(after.prices));
}

function inputBefore(
  preview: Preview,
  base: Settings | undefined,
  after: CostInput,
): CostInput | undefined {
  if (base !== undefined) {
    try {
      return costSettingsOf(base, "the settings before").input;
    } catch {
      // What was wrong before is compared with what is deployed.
    }
  }
  if (
    preview.steps.some(({ op, urn }) => op === "create" && urn.includes("::pulumi:pulumi:Stack::"))
  ) {
    return { hosts: {}, targets: {} };
  }
  const deployed = deployedBefore(preview);
  if (deployed === undefined) return undefined;
  // The manifest knows no growth, and growth is no part of the change.
  const hosts = Object.entries(deployed.hosts).map(([name, host]) => {
    const now = Object.hasOwn(after.hosts, name) ? after.hosts[name] : undefined;
    return [name, { ...host, growthGiBPerMonth: now?.growthGiBPerMonth ?? 0 }] as const;
  });
  return { ...deployed, hosts: Object.fromEntries(hosts) };
}

/** What the public manifest said before, where the preview shows it. */
function deployedBefore({ steps }: Preview): CostInput | undefined {
  const step = steps.find(
    (each) => nameOf(each.urn) === "offsite.json" && typeOf(each) === "command:local:Command",
  );
  const text = textAt(step?.oldState?.inputs, "stdin");
  if (text === undefined) return undefined;
  try {
    const parsed = manifestSchema.safeParse(JSON.parse(text));
    return parsed.success ? costInputOf(parsed.data) : undefined;
  } catch {
    return undefined;
  }
}
