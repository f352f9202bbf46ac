/** The options that all commands share. */
import { Option, type Command } from "commander";

/** What commander makes of {@link withStackOptions}. */
export interface StackOptions {
  readonly stack?: string;
  readonly project?: string;
  readonly configFile?: string;
}

/** Adds the options that say which stack is meant, below those of the command itself. */
export function withStackOptions(command: Command): Command {
  return command
    .optionsGroup("Options of all commands:")
    .addOption(
      new Option(
        "-s, --stack <name>",
        "the stack (default: the one that pulumi stack select chose)",
      ).env("PULUMI_STACK"),
    )
    .option(
      "--project <dir>",
      "fort-offsite's folder, with Pulumi.yaml in it (default: the nearest above)",
    )
    .option("--config-file <file>", "the stack's settings (default: Pulumi.<stack>.yaml there)");
}
