/** The figures as a table for people, and as JSON for programs. */
import os from "node:os";
import Table from "cli-table3";
import { isReached, median, type Figure, type Unit } from "./benchmark.ts";

/** What `--json` writes. It changes only compatibly. */
export interface BenchReport {
  readonly version: 1;
  /** When the run began, ISO 8601 in UTC. */
  readonly time: string;
  readonly machine: {
    readonly cpus: number;
    readonly model: string;
    readonly memoryMegabytes: number;
    readonly kernel: string;
    readonly node: string;
  };
  /** Counted runs of each. */
  readonly runs: number;
  /** Whether the benchmarks were made smaller; the figures then say little. */
  readonly quick: boolean;
  readonly seconds: number;
  readonly figures: readonly (Figure & {
    readonly benchmark: string;
    readonly median: number;
    readonly reached: boolean;
  })[];
  /** Benchmarks that could not be run, and why. */
  readonly failures: readonly { readonly benchmark: string; readonly error: string }[];
}

/** The machine that this runs on. */
export function machine(): BenchReport["machine"] {
  const cpus = os.cpus();
  return {
    cpus: cpus.length,
    model: cpus[0]?.model ?? "unknown",
    memoryMegabytes: Math.round(os.totalmem() / 1e6),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
  };
}

/** The report as text. */
export function render(report: BenchReport): string {
  const table = new Table({
    head: ["what", "against", "reach", "measured", "lowest to highest", "reached", "behind it"],
    style: { head: [], border: [] },
    colWidths: [34, 34, null, null, null, null, 38],
    wordWrap: true,
  });
  for (const figure of report.figures) {
    const { what, against, values, unit, behind } = figure;
    table.push([
      what,
      against,
      reachOf(figure),
      number(figure.median, unit),
      `${number(Math.min(...values), unit)} to ${number(Math.max(...values), unit)}`,
      figure.reached ? "yes" : "NO",
      Object.entries(behind)
        .map(([name, value]) => `${name} ${plain(value)}`)
        .join(", "),
    ]);
  }
  const missed = report.figures.filter(({ reached }) => !reached);
  const { cpus, model, kernel, node } = report.machine;
  return [
    `${cpus} CPUs (${model}), ${kernel}, Node.js ${node}; ${report.runs} runs each${report.quick ? "; QUICK: the figures say little" : ""}`,
    table.toString(),
    ...missed.map(
      ({ what, against, because }) =>
        `not reached: ${what}, against ${against}: ${because ?? "not known why; measure again on a quiet machine"}`,
    ),
    ...report.failures.map(({ benchmark, error }) => `FAILED  ${benchmark}: ${error}`),
    `${report.figures.length - missed.length} of ${report.figures.length} reached, ${Math.round(report.seconds)} s`,
  ].join("\n");
}

/** A figure with what is judged by. */
export function judged(benchmark: string, figure: Figure): BenchReport["figures"][number] {
  return { benchmark, ...figure, median: median(figure.values), reached: isReached(figure) };
}

function reachOf({ reach, unit }: Figure): string {
  return "most" in reach
    ? `at most ${number(reach.most, unit)}`
    : `at least ${number(reach.least, unit)}`;
}

function number(value: number, unit: Unit): string {
  return unit === "times" ? value.toFixed(3) : `${plain(value)} ${unit}`;
}

function plain(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
