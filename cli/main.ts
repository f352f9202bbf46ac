/** `offsite`, the commands of the operator. */
import { Command, CommanderError } from "commander";
import { InputError } from "../config/problems.ts";
import { messageOf, UsageError } from "../hub/errors.ts";
import "../hub/standard-streams.ts";
import { interruption, Interrupted } from "./interruption.ts";
import { withStackOptions } from "./options.ts";

/** The commands in the order in which help lists them. Only the one that is asked for is loaded. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import("./commands/init.ts")).initCommand(),
  rotate: async () => (await import("./commands/rotate.ts")).rotateCommand(),
  verify: async () => (await import("./commands/verify.ts")).verifyCommand(),
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand(),
  prune: async () => (await import("./commands/prune.ts")).pruneCommand(),
  cost: async () => (await import("./commands/cost.ts")).costCommand(),
  report: async () => (await import("./commands/report.ts")).reportCommand(),
  bundle: async () => (await import("./commands/bundle.ts")).bundleCommand(),
  recover: async () => (await import("./commands/recover.ts")).recoverCommand(),
};

const program = new Command("offsite")
  .description(
    "Sets up, rotates, checks and prunes the offsite homes of a cluster's backups. Every command says what it is about to do before it changes anything outside of this machine.",
  )
  .helpCommand(false)
  .addHelpText(
    "after",
    "\noffsite <command> --help says all of a command's options and exit codes.",
  );

const wanted = Object.entries(COMMANDS).filter(([name]) => name === process.argv[2]);
for (const [, load] of wanted.length > 0 ? wanted : Object.entries(COMMANDS)) {
  program.addCommand(withStackOptions(await load()));
}
for (const command of [program, ...program.commands]) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
// Whatever was cleaned up on the way, the interruption is what the caller must see.
if (interruption.aborted) process.exitCode = 130;

function exitCodeOf(error: unknown): number {
  // commander has already said what is wrong with the arguments.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof Interrupted || isEndedPrompt(error)) {
    console.error("Interrupted.");
    return 130;
  }
  if (error instanceof InputError) console.error(`error: ${error.message}`);
  else console.error(`error: ${messageOf(error)}`);
  return error instanceof InputError || error instanceof UsageError ? 2 : 1;
}

/** Ctrl-C at a prompt. */
function isEndedPrompt(error: unknown): boolean {
  return error instanceof Error && ["ExitPromptError", "AbortPromptError"].includes(error.name);
}
