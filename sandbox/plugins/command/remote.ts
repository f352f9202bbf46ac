/** Runs a command of `command:remote:Command`, over OpenSSH's client. */
import { setTimeout as sleep } from "node:timers/promises";
import { sshArguments, wasLetIn, withPrivateFolder } from "../../../peer/ssh.ts";
import type { RemoteInputs } from "./inputs.ts";
import { runProcess, type Outcome } from "./process.ts";
import {
  CommandError,
  lineLogger,
  outputsOf,
  previousOutput,
  type Outputs,
  type Run,
} from "./run.ts";

/** Milliseconds before the second attempt to connect; each further wait is half as long again. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 5_000;

/** No other attempt changes these. */
const HOPELESS =
  /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|error in libcrypto|invalid format|Bad configuration/;

/**
 * Runs a command on the host of the connection. Connecting is tried again as the connection says;
 * the command, once it may have started, never is.
 *
 * @throws CommandError when it does not exit with 0; Error when the host is not reached.
 */
export async function runRemote(inputs: RemoteInputs, run: Run): Promise<Outputs> {
  if (run.isSecret) {
    // It would be seen in the process lists of both machines.
    throw new Error(
      "A command that is a secret is not implemented by the sandbox's stand-in for the command plugin. " +
        "Give the secret to the command on standard input (stdin).",
    );
  }
  const environment = inputs.environment ?? {};
  const variables = { ...environment, ...previousOutput(inputs, run.previous) };
  const names = Object.keys(variables);
  const wrong = names.filter((name) => !/^[A-Za-z_]\w*$/.test(name));
  if (wrong.length > 0)
    throw new Error(`environment: no variable can be named "${wrong.join('", "')}"`);

  const session = (command: string, sent: readonly string[], rest: Partial<Session> = {}) =>
    connectAndRun({ inputs, run, command, sent, variables, ...rest });
  const required = Object.keys(environment);
  if (required.length > 0) {
    // The server drops what its AcceptEnv does not name, and ssh does not hear of it.
    const test = required.map((name) => `[ -n "\${${name}+x}" ] || echo ${name}`).join("; ");
    const { stdout, code } = await session(test, required);
    const refused = stdout.split("\n").filter((name) => name !== "");
    if (code !== 0 || refused.length > 0) {
      throw new Error(
        `could not set environment variable "${refused.join('", "')}": the SSH server has to name it in AcceptEnv`,
      );
    }
  }
  const outcome = await session(run.command, names, {
    stdin: inputs.stdin,
    onLine: lineLogger(inputs.logging, run),
  });
  if (outcome.lost !== undefined) {
    const reason = `wait: remote command exited without exit status or exit signal (${outcome.lost})`;
    throw new CommandError(reason, run, outcome.both);
  }
  if (outcome.code !== 0) {
    throw new CommandError(`Process exited with status ${outcome.code ?? -1}`, run, outcome.both);
  }
  return outputsOf(outcome);
}

interface Session {
  inputs: RemoteInputs;
  run: Run;
  command: string;
  stdin?: string | undefined;
  onLine?: ReturnType<typeof lineLogger>;
  sent: readonly string[];
  variables: Readonly<Record<string, string>>;
}

/** @returns How the command ended; `lost` says how the connection went away under it. */
async function connectAndRun(session: Session): Promise<Outcome & { lost?: string }> {
  const { inputs, run, command, stdin, onLine, sent, variables } = session;
  const limit = inputs.connection.dialErrorLimit ?? 10;
  for (let dials = 1, wait = FIRST_WAIT; ; dials += 1, wait = Math.min(wait * 1.5, LONGEST_WAIT)) {
    const { outcome, log } = await withPrivateFolder(inputs.connection, sent, async (folder) => {
      const result = await runProcess({
        file: "ssh",
        args: sshArguments(folder, command),
        env: { ...process.env, ...Object.fromEntries(sent.map((name) => [name, variables[name]])) },
        stdin,
        onLine,
        signal: run.signal,
      });
      return { outcome: result, log: await folder.log() };
    });
    run.signal.throwIfAborted();
    // Written by ssh as soon as the host has accepted us, and before any command is sent.
    if (wasLetIn(log)) {
      // Depending on how it goes, ssh says this in its log or, quitting, on standard error.
      const lost = outcome.code === 255 ? lostConnection(`${log}\n${outcome.stderr}`) : undefined;
      return lost === undefined ? outcome : { ...outcome, lost };
    }
    const reason = lastLine(log) || outcome.both.trim() || "ssh ended without a reason";
    if (HOPELESS.test(log)) throw new Error(`cannot connect: ${reason}`);
    if (limit >= 0 && dials > limit)
      throw new Error(`after ${dials - 1} failed attempts: ${reason}`);
    run.log.status(run.urn, `Dial ${dials}/${limit < 0 ? "inf" : limit} failed: retrying`);
    await sleep(wait, undefined, { signal: run.signal });
  }
}

function lostConnection(log: string): string | undefined {
  return log
    .split("\n")
    .find((line) =>
      /closed by remote host|send disconnect|Broken pipe|Connection reset|not responding/i.test(
        line,
      ),
    )
    ?.trim();
}

function lastLine(log: string): string {
  return log.trim().split("\n").at(-1)?.trim() ?? "";
}
