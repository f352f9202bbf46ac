/** What local and remote commands have in common: outputs, environment, errors, log. */
import type { Log } from "./log.ts";
import type { Outcome } from "./process.ts";

/** What a command leaves in the state. */
export interface Outputs {
  stdout: string;
  stderr: string;
}

/** One run of a command. */
export interface Run {
  command: string;
  /** The command was given as a secret, so no message shows it. */
  isSecret: boolean;
  /** Of the run before, for the environment; empty at the first. */
  previous: Outputs;
  urn: string;
  log: Log;
  signal: AbortSignal;
}

/** A run that failed. The message has the official plugin's shape. */
export class CommandError extends Error {
  override name = "CommandError";

  constructor(reason: string, run: Run, output: string) {
    const command = run.isSecret ? "[secret]" : run.command;
    super(`${reason}: running ${JSON.stringify(command)}:\n${output}`);
  }
}

/** The outputs of a run that succeeded: one newline at the end of each is taken off. */
export function outputsOf(outcome: Outcome): Outputs {
  return { stdout: trimNewline(outcome.stdout), stderr: trimNewline(outcome.stderr) };
}

/** The variables that tell a command what the run before it wrote. */
export function previousOutput(
  inputs: { addPreviousOutputInEnv?: boolean | undefined },
  previous: Outputs,
): Record<string, string> {
  if (inputs.addPreviousOutputInEnv === false) return {};
  return {
    ...(previous.stdout === "" ? {} : { PULUMI_COMMAND_STDOUT: previous.stdout }),
    ...(previous.stderr === "" ? {} : { PULUMI_COMMAND_STDERR: previous.stderr }),
  };
}

/** Shows the streams that the input `logging` names, all when there is none. */
export function lineLogger(
  logging: string | undefined,
  { log, urn }: Run,
): (stream: "stdout" | "stderr", line: string) => void {
  return (stream, line) => {
    const both = logging === undefined || logging === "stdoutAndStderr";
    if (both || logging === stream) log.status(urn, line);
  };
}

function trimNewline(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}
