import { Command } from "commander";
import { doctor } from "../doctor/doctor.ts";
import { reportText } from "../doctor/report.ts";
import type { StackOptions } from "../options.ts";

interface Options extends StackOptions {
  readonly json?: true;
}

/** `offsite doctor`. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .summary("say whether this machine has all that the commands need, and what to do first")
    .description(
      "Looks at the operator's own machine and at what it has to reach: Node.js, the programs and their versions, " +
        "Pulumi's login, the stack, its settings and passphrase, the login at Backblaze and what its key may do, the SSH " +
        "login at each peer with root's rights and Docker there, the clocks, and the bundle's directory. It changes " +
        "nothing, gets nothing, and runs before anything is set up too.",
    )
    .option("--json", "print the report as JSON")
    .addHelpText(
      "after",
      "\nStates: ok; missing, wrong, unknown (each is an error); optional (some commands want it)." +
        "\nExit codes: 0 nothing is missing, 1 something is, 2 wrong use, 130 interrupted.",
    )
    .action(run);
}

async function run(options: Options): Promise<void> {
  const report = await doctor(options, (step) => {
    if (process.stderr.isTTY) console.error(step);
  });
  console.log(options.json === true ? JSON.stringify(report, undefined, 2) : reportText(report));
  if (!report.healthy) process.exitCode = 1;
}
