/** The cost as a table for people. */
import Table from "cli-table3";
import type { CostReport, TargetCost } from "./report.ts";

/** The table, and below it what it rests on. */
export function costTable(report: CostReport): string {
  const { difference, assumptions } = report;
  const head = ["target", "kept", "hidden", "now", `in ${assumptions.months} months`];
  head.push("restore of all", ...(difference === null ? [] : ["change"]));
  const made = new Table({ head, style: { head: [], border: [], compact: true } });
  const change = (name: string) =>
    difference === null ? [] : [signed(difference.targets[name]?.change ?? 0)];
  for (const [name, cost] of Object.entries(report.targets)) {
    made.push([name, ...figures(cost), ...change(name)]);
  }
  for (const name of Object.keys(difference?.targets ?? {})) {
    if (Object.hasOwn(report.targets, name)) continue;
    made.push([name, "taken away", "-", "-", "-", "-", ...change(name)]);
  }
  const { monthlyNow, monthlyLater } = report;
  const all = ["all", "", "", usd(monthlyNow), usd(monthlyLater), ""];
  made.push([...all, ...(difference === null ? [] : [signed(difference.change)])]);
  return [made.toString(), ...notes(report)].join("\n");
}

function figures(cost: TargetCost): string[] {
  const kept = gib(cost.storedGiB);
  if (cost.provider !== "peer") {
    const { monthlyNow, monthlyLater, restore } = cost;
    return [kept, gib(cost.hiddenGiB), usd(monthlyNow), usd(monthlyLater), usd(restore)];
  }
  return [`${kept} of ${gib(cost.maxSizeGiB)}`, "-", usd(0), filling(cost), usd(0)];
}

function filling(cost: Extract<TargetCost, { provider: "peer" }>): string {
  const { monthsUntilFull, monthsUntilFullUnpruned } = cost;
  if (monthsUntilFull === 0) return "too small already";
  const unpruned = when(monthsUntilFullUnpruned);
  const never = when(monthsUntilFull);
  return unpruned === never ? never : `${never}; ${unpruned} if never pruned`;
}

/** Nobody plans further ahead than this. */
const LONGEST_MONTHS = 120;

function when(months: number | null): string {
  return months === null || months > LONGEST_MONTHS
    ? "not full in 10 years"
    : `full in ${Math.floor(months)} months`;
}

function notes({ prices, assumptions, elsewhere, difference }: CostReport): string[] {
  const others = Object.entries(elsewhere).map(([provider, cost]) => `${usd(cost)} at ${provider}`);
  const dated = Object.entries(prices).map(
    ([provider, price]) => `Prices of ${provider} as of ${price.date}, from ${price.source}.`,
  );
  const churn = `${Math.round(assumptions.churn * 1000) / 10} %`;
  return [
    "USD for a month of 30 days, without taxes.",
    ...(others.length === 0 ? [] : [`What is paid for would cost now: ${others.join(", ")}.`]),
    ...dated,
    `Supposed: a host's repository is as large as its sizeGiB, and ${churn} of it is replaced each month, which stays hidden and is charged for until its days are over.`,
    ...(difference === null ? [] : ["change: what the settings add to what is deployed, at once."]),
  ];
}

function gib(value: number): string {
  return `${value >= 100 ? Math.round(value) : Math.round(value * 10) / 10} GiB`;
}

/** Cents, and what is less than one as such: nothing is free that is not. */
function usd(value: number): string {
  return value > 0 && value < 0.01 ? "under 0.01" : value.toFixed(2);
}

function signed(value: number): string {
  if (Math.abs(value) < 0.005) return value === 0 ? "none" : `under ${value > 0 ? "+" : "-"}0.01`;
  return `${value > 0 ? "+" : ""}${value.toFixed(2)}`;
}
