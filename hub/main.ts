#!/usr/bin/env node
/** `offsite-hub`, the agent that a hub runs. Built to one file, `dist/offsite-hub.mjs`. */
import { Command, CommanderError } from "commander";
import { drillCommand } from "./commands/drill.ts";
import { listCommand } from "./commands/list.ts";
import { metricsCommand } from "./commands/metrics.ts";
import { migrateCommand } from "./commands/migrate.ts";
import { mirrorCommand } from "./commands/mirror.ts";
import { statusCommand } from "./commands/status.ts";
import { triggerCommand } from "./commands/trigger.ts";
import { pruneCommand } from "./commands/prune.ts";
import { verifyCommand } from "./commands/verify.ts";
import { messageOf, UsageError } from "./errors.ts";

// So that what is to be cleaned up at the end is, and a child does not outlive its parent.
for (const [signal, number] of [
  ["SIGINT", 2],
  ["SIGTERM", 15],
  ["SIGHUP", 1],
] as const) {
  process.on(signal, () => process.exit(128 + number));
}

const program = new Command("offsite-hub")
  .description("Copies the hub's restic repositories to their offsite targets.")
  .helpCommand(false)
  .addCommand(mirrorCommand())
  .addCommand(verifyCommand())
  .addCommand(pruneCommand())
  .addCommand(migrateCommand())
  .addCommand(drillCommand())
  .addCommand(statusCommand())
  .addCommand(listCommand())
  .addCommand(triggerCommand())
  .addCommand(metricsCommand());

for (const command of [program, ...program.commands]) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  // commander has already said what is wrong with the arguments.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(`error: ${error instanceof UsageError ? error.message : messageOf(error)}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
