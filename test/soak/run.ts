/**
 * What takes too long for every run of the tests: `npm run soak -- --kills 200` kills the mirror again
 * and again, `npm run soak -- --rotations 100` rotates credentials while backups and mirrors run. A
 * line a step, then a summary; exit code 0 where every check was clean.
 */
import path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { binDirectory, ensurePrograms } from "../../tools/index.ts";

interface Options {
  readonly kills?: number;
  readonly rotations?: number;
  readonly seed: number;
}

const options = new Command("soak")
  .description("Kills the mirror at random moments, or rotates credentials, while backups run.")
  .option("--kills <number>", "how many times to kill it (200 where nothing is given)", whole)
  .option("--rotations <number>", "how many rotations", whole)
  .option("--seed <number>", "decides the schedule of the rotations", whole, newSeed())
  .parse()
  .opts<Options>();

const programs = await ensurePrograms(["restic", "rclone", "rest-server"]);
process.env.PATH = `${await binDirectory(programs)}${path.delimiter}${process.env.PATH ?? ""}`;
const log = (line: string): void => console.log(line);
const problems: string[] = [];
if (options.kills !== undefined || options.rotations === undefined) {
  const { soak } = await import("./soak.ts");
  await report(soak({ kills: options.kills ?? 200, log }));
}
if (options.rotations !== undefined) {
  const { soakRotations } = await import("./rotation.ts");
  log(`seed ${options.seed}`);
  await report(soakRotations({ rotations: options.rotations, seed: options.seed, log }));
}
process.exitCode = problems.length === 0 ? 0 : 1;

async function report(work: Promise<{ problems: string[] }>): Promise<void> {
  const started = performance.now();
  const { problems: found, ...counts } = await work;
  problems.push(...found);
  for (const problem of found) console.error(`error: ${problem}`);
  const parts = Object.entries(counts).map(([name, count]) => `${String(count)} ${name}`);
  const seconds = Math.round((performance.now() - started) / 1000);
  log(`${parts.join(", ")}, ${found.length} problems, ${seconds} s`);
}

function newSeed(): number {
  return Math.floor(Math.random() * 1_000_000) + 1;
}

function whole(value: string): number {
  if (/^[1-9]\d{0,5}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("It must be a whole number above 0.");
}
