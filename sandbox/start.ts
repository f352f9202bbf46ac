/** `npm start`: fresh machine to the whole round trip in the sandbox. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { Listr, type ListrTaskWrapper, type DefaultRenderer, type SimpleRenderer } from "listr2";
import { renderReport, type SandboxReport, type StepReport } from "./report.ts";
import { Scenario } from "./scenario.ts";
import { clearStaleWorlds, SANDBOX, World } from "./world.ts";

const command = new Command("npm start --")
  .description(
    "Stands the offsite targets up on this machine, backs up, mirrors, restores, and shows what is refused.",
  )
  .option("--keep", "leave it standing until Ctrl-C, and say how to reach it")
  .parse();
const { keep = false } = command.opts<{ keep?: boolean }>();

const stop = new AbortController();
const stopped = new Promise<void>((resolve) =>
  stop.signal.addEventListener("abort", () => resolve()),
);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => stop.abort(new Error(`Stopped by ${signal}`)));
}

const stale = await clearStaleWorlds();
if (stale > 0)
  console.log(`Cleared what ${stale} killed run${stale === 1 ? "" : "s"} left behind.`);

const world = new World();
const scenario = new Scenario(world, stop.signal, keep);
const steps: StepReport[] = [];
let failure: Error | undefined;

/** How long a step may go on after Ctrl-C, in milliseconds. */
const PATIENCE = 30_000;

type Task = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

/** A step of the run: timed, reported, ended by Ctrl-C. */
function step(title: string, run: (say: (line: string) => void) => Promise<string>) {
  return {
    title,
    task: async (_: unknown, task: Task) => {
      const begin = performance.now();
      const seconds = () => (performance.now() - begin) / 1000;
      // What runs is told to end, and gets the time for it.
      const interrupted = stopped
        .then(() => sleep(PATIENCE))
        .then(() => Promise.reject(stop.signal.reason as Error));
      const say = (line: string) => {
        task.output = line;
      };
      try {
        const outcome = await Promise.race([run(say), interrupted]);
        stop.signal.throwIfAborted();
        steps.push({ step: title, seconds: seconds(), outcome });
        task.title = `${title} (${seconds().toFixed(1)} s): ${outcome}`;
      } catch (error) {
        steps.push({ step: title, seconds: seconds(), outcome: "FAILED" });
        throw error;
      }
    },
  };
}

const up = new Listr(
  [
    step("Get the outside programs ready", (say) => scenario.getPrograms(say)),
    step("Start the cloud's stand-in and the peer", () => scenario.startMachines()),
    step("pulumi up", () => scenario.up()),
    step("pulumi preview and up again", () => scenario.previewAgain()),
    step("Deploy the bundle", () => scenario.deploy()),
    step("Back every host up to the hub", () => scenario.backUp()),
    step("Mirror to the targets", () => scenario.mirror()),
    step("Try what must be refused", () => scenario.tryRefusals()),
    step("Verify the targets", () => scenario.verify()),
    step("Prune at the hub", () => scenario.prune()),
    step("Rehearse a restore, and a theft", () => scenario.drill()),
    step("Ask the hub how it stands", () => scenario.status()),
    step("Rotate a host that is deployed late", () => scenario.rotate()),
    step("Verify the targets from outside", () => scenario.verifyFromOutside()),
    step("Restore from each target, the hub gone", () => scenario.restore()),
    step("Look for secrets in the open", () => scenario.lookForLeaks()),
    ...(keep ? [step("Open a shell on every machine", () => scenario.openShells())] : []),
  ],
  { concurrent: false, exitOnError: true, registerSignalListeners: false },
);
const down = new Listr([step("pulumi destroy", () => scenario.destroy())], {
  registerSignalListeners: false,
});

try {
  await up.run();
  if (keep) {
    console.log("\nIt stands until Ctrl-C:\n");
    for (const [what, how] of Object.entries(scenario.directions)) console.log(`  ${what}: ${how}`);
    await stopped;
  } else {
    await down.run();
  }
} catch (error) {
  failure = error instanceof Error ? error : new Error(String(error));
}

const report = makeReport();
const leftovers = await world.cleanup.run();
mkdirSync(SANDBOX, { recursive: true });
const file = join(SANDBOX, "report.json");
writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
console.log(`\n${renderReport(report)}\n\nThe same as JSON: ${file}`);
for (const { message, cause } of leftovers) console.error(`${message}: ${String(cause)}`);
if (failure !== undefined) console.error(`\n${failure.message}`);
process.exit(failure === undefined && leftovers.length === 0 ? 0 : 1);

function makeReport(): SandboxReport {
  return {
    version: 1,
    ok: failure === undefined,
    ...(failure !== undefined && { error: failure.message }),
    programs: Object.fromEntries(
      [...scenario.programs].map(([name, { version, origin, path }]) => [
        name,
        { version, origin, path },
      ]),
    ),
    steps,
    hosts: scenario.hostReports,
    refusals: scenario.refusals,
    leaks: scenario.leaks,
    b2Calls: scenario.b2Calls,
  };
}
