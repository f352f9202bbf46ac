#!/usr/bin/env -S node --max-semi-space-size=2
/**
 * `offsite-hub`, the agent that a hub runs. Built to one file, `dist/offsite-hub.mjs`. Node.js is told
 * to keep little garbage: of a million files' names that is a quarter of the memory.
 */
import "./parse-once.ts";
import { Command, CommanderError } from "commander";
import { messageOf, UsageError } from "./errors.ts";
import { withCommonOptions } from "./options.ts";
import { Output } from "./output.ts";
import "./standard-streams.ts";

// So that what is to be cleaned up at the end is, and a child does not outlive its parent.
for (const [signal, number] of [
  ["SIGINT", 2],
  ["SIGTERM", 15],
  ["SIGHUP", 1],
] as const) {
  process.on(signal, () => process.exit(128 + number));
}

/**
 * The commands in the order in which help lists them. Only the one that is asked for is loaded: the
 * start is most of a night with nothing new.
 */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  mirror: async () => (await import("./commands/mirror.ts")).mirrorCommand(),
  verify: async () => (await import("./commands/verify.ts")).verifyCommand(),
  fetch: async () => (await import("./commands/fetch.ts")).fetchCommand(),
  prune: async () => (await import("./commands/prune.ts")).pruneCommand(),
  drill: async () => (await import("./commands/drill.ts")).drillCommand(),
  status: async () => (await import("./commands/status.ts")).statusCommand(),
  list: async () => (await import("./commands/list.ts")).listCommand(),
  trigger: async () => (await import("./commands/trigger.ts")).triggerCommand(),
  metrics: async () => (await import("./commands/metrics.ts")).metricsCommand(),
  migrate: async () => (await import("./commands/migrate.ts")).migrateCommand(),
};

const program = new Command("offsite-hub")
  .description(
    "Copies the hub's restic repositories to their offsite targets, and watches over both.",
  )
  .helpCommand(false)
  .addHelpText(
    "after",
    "\noffsite-hub <command> --help says all of a command's options and exit codes.",
  );

const wanted = Object.entries(COMMANDS).filter(([name]) => name === process.argv[2]);
for (const [, load] of wanted.length > 0 ? wanted : Object.entries(COMMANDS)) {
  program.addCommand(withCommonOptions(await load()));
}

for (const command of [program, ...program.commands]) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  // commander has already said what is wrong with the arguments.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    new Output({ json: true }).error(messageOf(error));
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
