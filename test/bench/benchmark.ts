/** What a benchmark is: figures, each a ratio or a count, and what it should reach. */
import type { Timed, TimedCommand } from "./time.ts";

/** One row of the table. It is judged by the median of its values. */
export interface Figure {
  /** What was measured, as a few words. */
  readonly what: string;
  /** What it was measured against, in the same run. */
  readonly against: string;
  /** One value a run, in their order: a ratio of a pair that ran one after the other, or a count. */
  readonly values: readonly number[];
  readonly unit: Unit;
  readonly reach: Reach;
  /** What the ratio was made from, for the reader: medians, by a name that says their unit. */
  readonly behind: Readonly<Record<string, number>>;
  /** Why it is not reached, where that is known; shown only then. */
  readonly because?: string;
}

/** `times` is a ratio; the others count. */
export type Unit = "times" | "requests" | "resources" | "MB";

/** The bound that a figure should keep. */
export type Reach = { readonly most: number } | { readonly least: number };

/** Some figures that share what they need. */
export interface Benchmark {
  /** What it is chosen by on the command line. */
  readonly name: string;
  /** One line on what it does. */
  readonly summary: string;
  run(bench: Bench): Promise<readonly Figure[]>;
}

/** What a benchmark is given. */
export interface Bench {
  /** How many counted runs, or pairs of runs, one after an uncounted first. */
  readonly runs: number;
  /** Makes the benchmark smaller, to see that it works; its figures then say little. */
  readonly quick: boolean;
  readonly signal: AbortSignal;
  /** Says what goes on, on standard error. */
  log(line: string): void;
  /** A new folder that is removed at the end, whatever happens. */
  folder(name: string): string;
  /** What is to be ended when the benchmark ends, the last first. */
  defer(end: () => Promise<unknown>): void;
  /** Runs a command as a whole process; throws where it fails. */
  time(command: TimedCommand): Promise<Timed>;
}

/** A command and one to hold against it, run in turn. */
export interface Pair {
  readonly a: Timed;
  readonly b: Timed;
}

/**
 * Runs two in turn, a b a b: what the machine does beside them then falls on both.
 *
 * @returns one pair a counted run; the first pair warms up and is not among them.
 */
export async function pairs(
  bench: Bench,
  a: (run: number) => Promise<Timed>,
  b: (run: number) => Promise<Timed>,
): Promise<Pair[]> {
  const counted: Pair[] = [];
  for (let run = 0; run <= bench.runs; run += 1) {
    const pair = { a: await a(run), b: await b(run) };
    if (run > 0) counted.push(pair);
  }
  return counted;
}

/** The ratios of pairs: a divided by b. */
export function ratios(all: readonly Pair[], of: (timed: Timed) => number): number[] {
  return all.map(({ a, b }) => of(a) / of(b));
}

/** The middle value; the mean of the two middle ones where there are as many above as below. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error("There is no median of no values");
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** Whether a figure keeps its bound. */
export function isReached({ values, reach }: Figure): boolean {
  const value = median(values);
  return "most" in reach ? value <= reach.most : value >= reach.least;
}
