/**
 * Kills the mirror again and again: `node --import tsx test/soak/run.ts --kills 200`. A line a kill,
 * then a summary; exit code 0 where every check was clean.
 */
import path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { binDirectory, ensurePrograms } from "../../tools/index.ts";

const command = new Command("soak")
  .description("Kills the mirror at random moments while backups and prunes run at the hub.")
  .option("--kills <number>", "how many times", whole, 200)
  .parse();

const programs = await ensurePrograms(["restic", "rclone", "rest-server"]);
process.env.PATH = `${await binDirectory(programs)}${path.delimiter}${process.env.PATH ?? ""}`;
const { soak } = await import("./soak.ts");
const started = performance.now();
const { problems, ...counts } = await soak({
  kills: command.opts<{ kills: number }>().kills,
  log: (line) => console.log(line),
});
for (const problem of problems) console.error(`error: ${problem}`);
const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
const seconds = Math.round((performance.now() - started) / 1000);
console.log(`${parts.join(", ")}, ${problems.length} problems, ${seconds} s`);
process.exitCode = problems.length === 0 ? 0 : 1;

function whole(value: string): number {
  if (/^[1-9]\d{0,5}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("It must be a whole number above 0.");
}
