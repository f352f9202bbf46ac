/** The report of `offsite cost`: each target's cost now, later, and after a change of the settings. */
import type { Price, Provider } from "../../config/prices.ts";
import {
  ASSUMED,
  chargedDays,
  monthlyCost,
  monthsUntilFull,
  restoreCost,
  sizeOf,
  storedAt,
  type Assumptions,
  type CostInput,
  type CostTarget,
} from "./estimate.ts";

/** A target that is paid for. Amounts in USD, a month of 30 days. */
export interface PaidTarget {
  readonly provider: Provider;
  readonly storedGiB: number;
  /** Hidden or replaced, and still charged for. */
  readonly hiddenGiB: number;
  readonly monthlyNow: number;
  readonly monthlyLater: number;
  /** For reading everything once, as it is now. */
  readonly restore: number;
}

/** A peer's place, which costs nothing here and has an end. */
export interface PeerTarget {
  readonly provider: "peer";
  readonly storedGiB: number;
  readonly maxSizeGiB: number;
  /** null where nothing grows; 0 where it is too small already. */
  readonly monthsUntilFull: number | null;
  /** The same where the operator never prunes there: what was replaced stays. */
  readonly monthsUntilFullUnpruned: number | null;
  readonly monthlyNow: 0;
  readonly monthlyLater: 0;
  readonly restore: 0;
}

export type TargetCost = PaidTarget | PeerTarget;

/** What becomes of a target's monthly cost, in USD; null where the target is not there. */
export interface Change {
  readonly before: number | null;
  readonly after: number | null;
  readonly change: number;
}

/** What a change of the settings does to the cost of each target, and of all together. */
export interface CostDifference {
  readonly targets: Readonly<Record<string, Change>>;
  readonly before: number;
  readonly after: number;
  readonly change: number;
}

/** What `offsite cost --json` prints. */
export interface CostReport {
  readonly version: 1;
  readonly currency: "USD";
  readonly assumptions: Assumptions;
  readonly prices: Partial<Record<Provider, Price>>;
  readonly targets: Readonly<Record<string, TargetCost>>;
  readonly monthlyNow: number;
  readonly monthlyLater: number;
  /** What all that is paid for would cost now at the providers that have none of it. */
  readonly elsewhere: Partial<Record<Provider, number>>;
  /** Against what is deployed; null where nothing is, or it could not be read. */
  readonly difference: CostDifference | null;
}

type Prices = Readonly<Record<Provider, Price>>;

/** What a target costs. */
export function targetCost(
  input: Pick<CostInput, "hosts">,
  target: CostTarget,
  prices: Prices,
  assumptions: Assumptions = ASSUMED,
): TargetCost {
  const storedGiB = sizeOf(input, 0);
  const none = { monthlyNow: 0, monthlyLater: 0, restore: 0 } as const;
  if (target.provider === "peer") {
    const growth = sizeOf(input, 1) - storedGiB;
    const { maxSizeGiB } = target;
    const until = (perMonth: number) => monthsUntilFull(storedGiB, perMonth, maxSizeGiB);
    return {
      provider: "peer",
      storedGiB,
      maxSizeGiB,
      monthsUntilFull: until(growth),
      monthsUntilFullUnpruned: until(growth + storedGiB * assumptions.churn),
      ...none,
    };
  }
  const price = prices[target.provider];
  const days = chargedDays(price, target.keepHiddenDays);
  const now = storedAt(input, days, { ...assumptions, months: 0 });
  return {
    provider: target.provider,
    storedGiB,
    hiddenGiB: now.hidden / 2 ** 30,
    monthlyNow: monthlyCost(price, now),
    monthlyLater: monthlyCost(price, storedAt(input, days, assumptions)),
    restore: restoreCost(price, now),
  };
}

function costsOf(
  input: CostInput,
  prices: Prices,
  assumptions: Assumptions,
): Record<string, TargetCost> {
  return Object.fromEntries(
    Object.entries(input.targets).map(
      ([name, target]) => [name, targetCost(input, target, prices, assumptions)] as const,
    ),
  );
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** What a change does to the monthly cost, at the sizes of before and after and without growth. */
export function costDifference(
  before: CostInput,
  after: CostInput,
  prices: Prices,
  assumptions: Assumptions = ASSUMED,
): CostDifference {
  const was = costsOf(before, prices, assumptions);
  const is = costsOf(after, prices, assumptions);
  const targets = [...new Set([...Object.keys(is), ...Object.keys(was)])].map((name) => {
    const [from, to] = [was[name]?.monthlyNow ?? null, is[name]?.monthlyNow ?? null];
    return [name, { before: from, after: to, change: (to ?? 0) - (from ?? 0) }] as const;
  });
  const total = {
    before: sum(targets.map(([, each]) => each.before ?? 0)),
    after: sum(targets.map(([, each]) => each.after ?? 0)),
  };
  return {
    targets: Object.fromEntries(targets),
    ...total,
    change: total.after - total.before,
  };
}

/**
 * Makes the report.
 *
 * @param deployed - what the stack has now; undefined where it has nothing.
 */
export function costReport(
  input: CostInput,
  deployed: CostInput | undefined,
  prices: Prices,
  assumptions: Assumptions = ASSUMED,
): CostReport {
  const targets = costsOf(input, prices, assumptions);
  const difference =
    deployed === undefined ? null : costDifference(deployed, input, prices, assumptions);
  const paid = Object.values(input.targets).filter((each) => each.provider !== "peer");
  const others = (Object.keys(prices) as Provider[]).filter(
    (provider) => paid.length > 0 && paid.every((each) => each.provider !== provider),
  );
  const costAt = (provider: Provider) =>
    sum(
      paid.map((each) => targetCost(input, { ...each, provider }, prices, assumptions).monthlyNow),
    );
  const used = new Set<string>([
    ...Object.values({ ...deployed?.targets, ...input.targets }).map(({ provider }) => provider),
    ...others,
  ]);
  return {
    version: 1,
    currency: "USD",
    assumptions,
    prices: Object.fromEntries(Object.entries(prices).filter(([provider]) => used.has(provider))),
    targets,
    monthlyNow: sum(Object.values(targets).map(({ monthlyNow }) => monthlyNow)),
    monthlyLater: sum(Object.values(targets).map(({ monthlyLater }) => monthlyLater)),
    elsewhere: Object.fromEntries(others.map((provider) => [provider, costAt(provider)] as const)),
    difference,
  };
}
