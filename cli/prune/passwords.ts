/** The repositories' passwords: asked for, or had from a command; kept in memory alone. */
import { password as askPassword } from "@inquirer/prompts";
import { execa } from "execa";
import { UsageError } from "../../hub/errors.ts";
import { interruption } from "../interruption.ts";

/**
 * A password of each host's repository.
 *
 * @param command - run by a shell for each host, with the host's name in OFFSITE_HOST; the first
 * line that it prints is the password. Without it the operator is asked.
 * @throws UsageError where the command fails or prints nothing.
 */
export async function repositoryPasswords(
  hosts: readonly string[],
  command: string | undefined,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const host of hosts) {
    const secret = command === undefined ? await ask(host) : await run(host, command);
    if (secret === "") throw new UsageError(`the password of ${host}'s repository is empty`);
    found.set(host, secret);
  }
  return found;
}

async function ask(host: string): Promise<string> {
  return await askPassword(
    { message: `restic's password of ${host}'s repository:` },
    { signal: interruption, output: process.stderr },
  );
}

async function run(host: string, command: string): Promise<string> {
  // Nothing that it printed goes into a message: it may be the password.
  const { stdout, exitCode } = await execa("sh", ["-c", command], {
    env: { OFFSITE_HOST: host },
    stdin: "ignore",
    stderr: "inherit",
    reject: false,
    cancelSignal: interruption,
  });
  interruption.throwIfAborted();
  if (exitCode === 0) return stdout.split(/\r?\n/, 1)[0] ?? "";
  throw new UsageError(
    `--password-command: ended with ${exitCode === undefined ? "a signal" : `exit code ${exitCode}`} for ${host} (OFFSITE_HOST), must print the password on its first line`,
  );
}
