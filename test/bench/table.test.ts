import { describe, expect, it } from "vitest";
import { isReached, median, pairs, ratios, type Bench, type Figure } from "./benchmark.ts";
import { judged, machine, render, type BenchReport } from "./table.ts";
import { time, type Timed } from "./time.ts";

const FIGURE: Figure = {
  what: "preview",
  against: "an empty program",
  values: [1.1, 1.3, 1.2],
  unit: "times",
  reach: { most: 1.25 },
  behind: { "preview s": 3.45678 },
};

function report(...figures: readonly Figure[]): BenchReport {
  return {
    ...{ version: 1, time: "2026-11-23T00:00:00.000Z", machine: machine(), runs: 3, quick: false },
    ...{ seconds: 1, failures: [{ benchmark: "other", error: "no disk" }] },
    figures: figures.map((figure) => judged("pulumi", figure)),
  };
}

function timed(seconds: number): Timed {
  return { seconds, cpuSeconds: seconds, megabytes: 1 };
}

describe("a figure", () => {
  it("is judged by the median of its runs", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(isReached(FIGURE)).toBe(true);
    expect(isReached({ ...FIGURE, reach: { most: 1.19 } })).toBe(false);
    expect(isReached({ ...FIGURE, reach: { least: 1.2 } })).toBe(true);
    expect(isReached({ ...FIGURE, reach: { least: 1.21 } })).toBe(false);
  });

  it("of no run is an error and not a zero", () => {
    expect(() => median([])).toThrow("no values");
  });

  it("comes from pairs of which the first only warms up", async () => {
    const order: string[] = [];
    const next = (name: string) => (run: number) => {
      order.push(`${name}${run}`);
      return Promise.resolve(timed(name === "a" ? run + 1 : 1));
    };
    const counted = await pairs({ runs: 2 } as Bench, next("a"), next("b"));
    expect(order).toEqual(["a0", "b0", "a1", "b1", "a2", "b2"]);
    expect(ratios(counted, ({ seconds }) => seconds)).toEqual([2, 3]);
  });
});

describe("the table", () => {
  it("says what was measured, against what, and whether that is enough", () => {
    const text = render(report(FIGURE));
    expect(text).toMatch(/preview .*an empty program .*at most 1\.250.*1\.200.*1\.100 to 1\.300/);
    expect(text).toContain("yes");
    expect(text).toContain("preview s 3.457");
    expect(text).toContain("1 of 1 reached");
  });

  it("says of what is not reached why, and of what did not run that it did not", () => {
    const missed = { ...FIGURE, reach: { most: 1 }, because: "the engine alone takes so long" };
    const text = render(report(missed, { ...missed, because: "" }));
    expect(text).toContain(
      "not reached: preview, against an empty program: the engine alone takes so long",
    );
    expect(text).toContain("FAILED  other: no disk");
    expect(text).toContain("0 of 2 reached");
  });
});

describe("time", () => {
  it("counts the processor time and the memory of what a command starts", async () => {
    const script =
      "const end = process.cpuUsage().user + 3e5; const all = Buffer.alloc(2e8, 1); while (process.cpuUsage().user < end); if (all[5] !== 1) process.exit(1)";
    const result = await time(
      { command: ["sh", "-c", '"$0" -e "$1"; true', process.execPath, script] },
      new AbortController().signal,
    );
    expect(result.cpuSeconds).toBeGreaterThan(0.25);
    expect(result.seconds).toBeGreaterThan(0.2);
    expect(result.megabytes).toBeGreaterThan(200);
  });

  it("is an error where the command fails, with its last words", async () => {
    const failing = time(
      { command: ["sh", "-c", "echo why; exit 3"] },
      new AbortController().signal,
    );
    await expect(failing).rejects.toThrow(/ended with 3:\nwhy/);
  });

  it("ends the command when the run is interrupted", async () => {
    const stop = new AbortController();
    const waiting = time({ command: ["sleep", "600"] }, stop.signal);
    stop.abort(new Error("Stopped by SIGINT"));
    await expect(waiting).rejects.toThrow("Stopped by SIGINT");
  });
});
