/**
 * `npm run bench`: measures what is claimed, each figure as a ratio in one run. A table on standard
 * output; `--json FILE` for programs. Exit code 0 where everything could be measured, whatever the
 * figures: a figure is read by people, on a quiet machine.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { binDirectory, ensurePrograms } from "../../tools/index.ts";
import { BENCHMARKS } from "./all.ts";
import type { Bench, Benchmark } from "./benchmark.ts";
import { judged, machine, render, type BenchReport } from "./table.ts";
import { time } from "./time.ts";

interface Options {
  readonly runs: number;
  readonly quick: boolean;
  readonly json?: string;
}

const command = new Command("npm run bench --")
  .description("Measures speed, memory and requests, each beside what it is compared with.")
  .argument("[name...]", `which (default: all): ${BENCHMARKS.map(({ name }) => name).join(", ")}`)
  .option("--runs <number>", "counted runs of each, after one that warms up", whole, 5)
  .option("--quick", "little data and one run: to see that it works, not to measure", false)
  .option("--json <file>", "write the figures there as well")
  .addHelpText(
    "after",
    `\n${BENCHMARKS.map(({ name, summary }) => `${name}: ${summary}`).join("\n")}`,
  )
  .parse();
const options = command.opts<Options>();
const runs = options.quick ? 1 : options.runs;
const unknown = command.args.filter((name) => !BENCHMARKS.some((each) => each.name === name));
if (unknown.length > 0) {
  const names = BENCHMARKS.map(({ name }) => name).join(", ");
  command.error(`There is no "${unknown.join('", "')}". Give some of: ${names}`, { exitCode: 2 });
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => stop.abort(new Error(`Stopped by ${signal}`)));
}
const programs = await ensurePrograms(["restic", "rclone", "rest-server", "time"]);
process.env.PATH = `${await binDirectory(programs)}${path.delimiter}${process.env.PATH ?? ""}`;

const started = new Date();
const figures: BenchReport["figures"][number][] = [];
const failures: { benchmark: string; error: string }[] = [];
for (const benchmark of BENCHMARKS.filter(isWanted)) {
  if (stop.signal.aborted) break;
  console.error(`${benchmark.name}: ${benchmark.summary}`);
  try {
    figures.push(...(await runOne(benchmark)).map((each) => judged(benchmark.name, each)));
  } catch (error) {
    failures.push({ benchmark: benchmark.name, error: (error as Error).message });
  }
}
const report: BenchReport = {
  ...{ version: 1, time: started.toISOString(), machine: machine(), runs, quick: options.quick },
  ...{ seconds: (Date.now() - started.getTime()) / 1000, figures, failures },
};
console.log(render(report));
if (options.json !== undefined) {
  await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
}
process.exitCode = stop.signal.aborted ? 130 : failures.length > 0 ? 1 : 0;

/** Runs one, and takes down what it stood up. */
async function runOne(benchmark: Benchmark): Promise<Awaited<ReturnType<Benchmark["run"]>>> {
  const scratch = mkdtempSync(path.join(os.tmpdir(), "fort-offsite-bench-"));
  const ends: (() => Promise<unknown>)[] = [];
  const bench: Bench = {
    ...{ runs, quick: options.quick, signal: stop.signal },
    log: (line) => console.error(`  ${line}`),
    folder: (name) => mkdtempSync(path.join(scratch, `${name}-`)),
    defer: (end) => void ends.push(end),
    time: (timed) => time(timed, stop.signal),
  };
  try {
    return await benchmark.run(bench);
  } finally {
    for (const end of ends.reverse()) {
      await end().catch((error: unknown) => console.error(`  ${(error as Error).message}`));
    }
    rmSync(scratch, { recursive: true, force: true });
  }
}

function isWanted({ name }: Benchmark): boolean {
  return command.args.length === 0 || command.args.includes(name);
}

function whole(value: string): number {
  if (/^[1-9]\d{0,2}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("It must be a whole number from 1 to 999.");
}
