/**
 * What it costs to keep so much at a place: pure functions of sizes and prices.
 *
 * Sizes come in GiB, as the settings have them; providers charge for GB and TB of their own, most of
 * them decimal ones. A month has 30 days.
 */
import type { Price, Provider } from "../../config/prices.ts";

/** How large a host is, and how fast it grows. */
export interface CostHost {
  readonly sizeGiB: number;
  readonly growthGiBPerMonth: number;
}

/** A place that is paid for, or a peer's that has an end. */
export type CostTarget =
  | { readonly provider: Provider; readonly keepHiddenDays: number }
  | { readonly provider: "peer"; readonly maxSizeGiB: number };

/** All that the cost depends on, beside prices. */
export interface CostInput {
  readonly hosts: Readonly<Record<string, CostHost>>;
  readonly targets: Readonly<Record<string, CostTarget>>;
}

/** What has to be supposed. */
export interface Assumptions {
  /** The share of what is stored that is replaced by something else each month, 0 to 1. */
  readonly churn: number;
  /** How far to look ahead. */
  readonly months: number;
}

/** A guess for the services of a household, on the safe side. `--churn` says another. */
export const ASSUMED: Assumptions = { churn: 0.1, months: 12 };

/** What a place holds at one moment, in bytes. */
export interface Stored {
  /** What a restore of everything reads. */
  readonly live: number;
  /** Hidden, replaced or deleted, and charged for all the same. */
  readonly hidden: number;
  /** Files sent in a month. */
  readonly uploads: number;
}

const GIB = 2 ** 30;
const MONTH_DAYS = 30;
/** restic's usual size of a pack, which nearly all files of a repository are. */
const PACK = 16 * 2 ** 20;
/** Files that a backup and its mirror write or list beside packs: index, snapshot, locks. */
const FILES_A_BACKUP = 6;

/** How much all hosts together hold after some months, in GiB. */
export function sizeOf({ hosts }: Pick<CostInput, "hosts">, months: number): number {
  return Object.values(hosts).reduce(
    (sum, { sizeGiB, growthGiBPerMonth }) => sum + sizeGiB + growthGiBPerMonth * months,
    0,
  );
}

/**
 * What a place holds after some months.
 *
 * @param keptDays - for how many days what was replaced is charged for.
 */
export function storedAt(
  input: Pick<CostInput, "hosts">,
  keptDays: number,
  { churn, months }: Assumptions,
): Stored {
  const live = sizeOf(input, months) * GIB;
  const growth = Object.values(input.hosts).reduce((sum, host) => sum + host.growthGiBPerMonth, 0);
  const backups = Object.keys(input.hosts).length * MONTH_DAYS;
  return {
    live,
    hidden: (live * churn * keptDays) / MONTH_DAYS,
    uploads: Math.ceil((live * churn + growth * GIB) / PACK) + backups * FILES_A_BACKUP,
  };
}

/** Bytes in one of a provider's GB. */
function gb({ units }: Price): number {
  return units === "decimal" ? 1e9 : GIB;
}

function gbPerTB({ units }: Price): number {
  return units === "decimal" ? 1000 : 1024;
}

function callsCost({ perMillion, freeMillions }: Price["uploads"], calls: number): number {
  return Math.max(0, calls / 1e6 - freeMillions) * perMillion;
}

/** USD for a month with so much stored. */
export function monthlyCost(price: Price, { live, hidden, uploads }: Stored): number {
  const total = (live + hidden) / gb(price);
  const charged = Math.max(price.minimumGB, total - price.freeGB, 0);
  return (charged / gbPerTB(price)) * price.storagePerTB + callsCost(price.uploads, uploads);
}

/** USD for reading everything once, in a month in which nothing else is read. */
export function restoreCost(price: Price, { live, hidden }: Stored): number {
  const read = live / gb(price);
  const free = price.egressFree === "all" ? read : ((live + hidden) / gb(price)) * price.egressFree;
  const calls = callsCost(price.downloads, live / PACK);
  return Math.max(0, read - free) * price.egressPerGB + calls;
}

/** The days for which what was replaced is charged for: kept hidden, or the provider's minimum. */
export function chargedDays(price: Price, keepHiddenDays: number): number {
  return Math.max(keepHiddenDays, price.minimumDays);
}

/**
 * In how many months a place is full: 0 where it is too small already, null where nothing grows.
 */
export function monthsUntilFull(
  sizeGiB: number,
  growthGiBPerMonth: number,
  maxSizeGiB: number,
): number | null {
  if (sizeGiB >= maxSizeGiB) return 0;
  return growthGiBPerMonth > 0 ? (maxSizeGiB - sizeGiB) / growthGiBPerMonth : null;
}
