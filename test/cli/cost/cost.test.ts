import { describe, expect, it } from "vitest";
import type { Price } from "../../../config/prices.ts";
import {
  monthlyCost,
  monthsUntilFull,
  restoreCost,
  storedAt,
  type CostInput,
} from "../../../cli/cost/estimate.ts";
import { PRICES, priceTable } from "../../../cli/cost/prices.ts";
import { costDifference, costReport } from "../../../cli/cost/report.ts";
import { costTable } from "../../../cli/cost/table.ts";

const GIB = 2 ** 30;
const TB = 1e12;
const nothing = { live: 0, hidden: 0, uploads: 0 };
const host = (sizeGiB: number, growthGiBPerMonth = 0) => ({ sizeGiB, growthGiBPerMonth });
const family: CostInput = {
  hosts: { q: host(10), drhorrible: host(5), ursula: host(2) },
  targets: {
    cloud: { provider: "b2", keepHiddenDays: 30 },
    peer: { provider: "peer", maxSizeGiB: 200 },
  },
};

describe("a month at B2", () => {
  it("costs 6.95 USD for a decimal TB, without the first 10 GB", () => {
    expect(monthlyCost(PRICES.b2, { ...nothing, live: TB + 10e9 })).toBeCloseTo(6.95, 10);
    expect(monthlyCost(PRICES.b2, { ...nothing, live: 10e9 })).toBe(0);
    // A TiB is a tenth more than a TB.
    expect(monthlyCost(PRICES.b2, { ...nothing, live: 1024 * GIB })).toBeCloseTo(7.572, 3);
  });

  it("counts hidden versions like any other", () => {
    expect(monthlyCost(PRICES.b2, { live: TB, hidden: TB, uploads: 9e9 })).toBeCloseTo(13.8305, 6);
  });

  it("gives back three times what is stored for nothing, and a GB more for a cent", () => {
    expect(restoreCost(PRICES.b2, { ...nothing, live: TB })).toBe(0);
    const tight = { ...PRICES.b2, egressFree: 0.5 };
    expect(restoreCost(tight, { ...nothing, live: TB })).toBeCloseTo(5, 10);
    expect(restoreCost(tight, { ...nothing, live: TB, hidden: TB })).toBe(0);
  });
});

describe("a month at R2", () => {
  it("costs 0.015 USD for a GB beyond ten, and calls beyond a million", () => {
    expect(monthlyCost(PRICES.r2, { ...nothing, live: 110e9 })).toBeCloseTo(1.5, 10);
    expect(monthlyCost(PRICES.r2, { ...nothing, uploads: 3e6 })).toBeCloseTo(9, 10);
    expect(monthlyCost(PRICES.r2, { ...nothing, uploads: 1e6 })).toBe(0);
    expect(restoreCost(PRICES.r2, { ...nothing, live: 100 * TB })).toBe(0);
  });

  it("charges the reads of a restore beyond ten million", () => {
    const packs = 12e6;
    expect(restoreCost(PRICES.r2, { ...nothing, live: packs * 16 * 2 ** 20 })).toBeCloseTo(0.72, 6);
  });
});

describe("a month at Wasabi", () => {
  it("costs a TB however little is stored, and a TB has 1024 of its GB", () => {
    expect(monthlyCost(PRICES.wasabi, nothing)).toBeCloseTo(6.99, 10);
    expect(monthlyCost(PRICES.wasabi, { ...nothing, live: 20 * GIB })).toBeCloseTo(6.99, 10);
    expect(monthlyCost(PRICES.wasabi, { ...nothing, live: 2048 * GIB })).toBeCloseTo(13.98, 10);
  });

  it("charges what was replaced for 90 days, however soon it is deleted", () => {
    const one = { hosts: { q: host(4096) }, targets: {} };
    const at = (keepHiddenDays: number) =>
      costReport(
        { ...one, targets: { w: { provider: "wasabi", keepHiddenDays } } },
        undefined,
        PRICES,
        { churn: 0.1, months: 12 },
      ).targets.w;
    expect(at(7)).toEqual(at(90));
    expect(at(7)).toMatchObject({ hiddenGiB: expect.closeTo(4096 * 0.3, 6) as number });
    expect(at(180)).toMatchObject({ hiddenGiB: expect.closeTo(4096 * 0.6, 6) as number });
  });
});

describe("what is stored", () => {
  it("grows by each host's own growth", () => {
    const grown = { hosts: { q: host(10, 2), ursula: host(1) } };
    expect(storedAt(grown, 30, { churn: 0, months: 12 }).live / GIB).toBe(35);
    expect(storedAt(grown, 30, { churn: 0, months: 12 }).hidden).toBe(0);
  });

  it("fills a peer's place in a number of months, at once, or never", () => {
    expect(monthsUntilFull(100, 10, 200)).toBe(10);
    expect(monthsUntilFull(200, 10, 200)).toBe(0);
    expect(monthsUntilFull(100, 0, 200)).toBeNull();
  });
});

describe("the report", () => {
  it("is right to the cent for a family's 17 GiB", () => {
    const report = costReport(family, undefined, PRICES);
    // 17 GiB and a tenth of it are 20.08 GB, less ten: 0.07 USD.
    expect(report.targets.cloud).toMatchObject({ monthlyNow: expect.closeTo(0.07, 4) as number });
    expect(report.targets.peer).toMatchObject({ monthsUntilFull: null, monthlyNow: 0 });
    expect(report.monthlyNow).toBeCloseTo(0.07, 4);
    expect(report.difference).toBeNull();
    // Ten GB are free at R2 too, and a million uploads; Wasabi asks for a TB.
    expect(report.elsewhere.r2).toBeCloseTo(0.1512, 4);
    expect(report.elsewhere.wasabi).toBeCloseTo(6.99, 10);
    expect(Object.keys(report.prices)).toEqual(["b2", "r2", "wasabi"]);
  });

  it("shows the prices' date, what is supposed, and no change where nothing is deployed", () => {
    const table = costTable(costReport(family, undefined, PRICES));
    expect(table).toContain("Prices of b2 as of 2026-09-30");
    expect(table).toContain("10 % of it is replaced each month");
    expect(table).toContain("0.07");
    expect(table).not.toContain("change");
  });
});

describe("the difference that a change makes", () => {
  it("is what the new host adds at every target, and nothing at the peer", () => {
    const after = { ...family, hosts: { ...family.hosts, minos: host(100) } };
    const { targets, change } = costDifference(family, after, PRICES);
    expect(targets.cloud?.change).toBeCloseTo(((110 * GIB) / TB) * 6.95, 6);
    expect(targets.peer).toEqual({ before: 0, after: 0, change: 0 });
    expect(change).toBeCloseTo(targets.cloud?.change ?? 0, 10);
  });

  it("tells a target that comes from one that goes", () => {
    const wasabi = { provider: "wasabi", keepHiddenDays: 30 } as const;
    const after: CostInput = { ...family, targets: { w: wasabi } };
    const { targets, change } = costDifference(family, after, PRICES);
    expect(targets.w).toEqual({ before: null, after: 6.99, change: 6.99 });
    expect(targets.cloud).toMatchObject({ after: null });
    expect(change).toBeCloseTo(6.99 - 0.07, 3);
    const table = costTable(costReport(after, family, PRICES));
    expect(table).toMatch(/cloud +│ taken away/);
    expect(table).toContain("+6.92");
  });

  it("is said to be none where there is none", () => {
    expect(costTable(costReport(family, family, PRICES))).toMatch(/cloud.*none/);
  });
});

describe("the price table", () => {
  it("lets the settings go before it, in part, and says that they do", () => {
    const table = priceTable({ b2: { date: "2027-01-01", storagePerTB: 8 } });
    expect(table.b2).toEqual<Price>({
      ...PRICES.b2,
      date: "2027-01-01",
      storagePerTB: 8,
      source: "the stack's settings",
    });
    expect(table.r2).toEqual(PRICES.r2);
  });
});
