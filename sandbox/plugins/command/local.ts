/** Runs a command of `command:local:Command`. */
import { stat } from "node:fs/promises";
import type { LocalInputs } from "./inputs.ts";
import { runProcess } from "./process.ts";
import {
  CommandError,
  lineLogger,
  outputsOf,
  previousOutput,
  type Outputs,
  type Run,
} from "./run.ts";

/**
 * Runs a command with the interpreter, `/bin/sh -c` without one, in `dir`, or the project's folder.
 *
 * @throws CommandError when it cannot be started or does not exit with 0.
 */
export async function runLocal(inputs: LocalInputs, run: Run): Promise<Outputs> {
  const interpreter = inputs.interpreter ?? [];
  const [file = "/bin/sh", ...args] = interpreter.length > 0 ? interpreter : ["/bin/sh", "-c"];
  const cwd = inputs.dir ?? process.cwd();
  const isFolder = await stat(cwd).then(
    (found) => found.isDirectory(),
    () => false,
  );
  // Told apart from an interpreter that is missing, for which the system has the same error.
  if (!isFolder) throw new CommandError(`chdir ${cwd}: no such file or directory`, run, "");
  let outcome;
  try {
    outcome = await runProcess({
      file,
      args: [...args, run.command],
      env: { ...process.env, ...inputs.environment, ...previousOutput(inputs, run.previous) },
      cwd,
      stdin: inputs.stdin,
      onLine: lineLogger(inputs.logging, run),
      signal: run.signal,
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (run.signal.aborted || code === undefined) throw error;
    throw new CommandError(`exec: ${JSON.stringify(file)}: ${code}`, run, "");
  }
  if (outcome.signal !== null) {
    throw new CommandError(`signal: ${outcome.signal}`, run, outcome.both);
  }
  if (outcome.code !== 0) {
    throw new CommandError(`exit status ${outcome.code ?? -1}`, run, outcome.both);
  }
  return outputsOf(outcome);
}
