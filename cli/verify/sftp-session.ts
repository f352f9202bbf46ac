/** What somebody with a key can do at an SFTP directory, tried with OpenSSH's own clients. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import {
  reasonOf,
  sshArguments,
  UnreachableError,
  wasLetIn,
  withPrivateFolder,
  type PrivateFolder,
  type SshConnection,
} from "../../peer/ssh.ts";
import { interruption } from "../interruption.ts";

const PATIENCE_MS = 60_000;

/** What a session came to. */
export interface SftpResult {
  /** Whether every command did what it was to, but those that begin with a hyphen. */
  readonly ok: boolean;
  readonly output: string;
  /** What was fetched, by the name that the command gave it. */
  readonly fetched: ReadonlyMap<string, string>;
}

/**
 * Runs commands of sftp(1) in one session, in a local folder of its own.
 *
 * @param files - local files by name, for `put`.
 * @param fetched - names of local files that `get` makes.
 * @throws UnreachableError where nobody is let in.
 */
export async function sftpSession(
  connection: SshConnection,
  commands: readonly string[],
  {
    files = {},
    fetched = [],
  }: { files?: Record<string, string>; fetched?: readonly string[] } = {},
): Promise<SftpResult> {
  const local = await mkdtemp(join(tmpdir(), "fort-offsite-sftp-"));
  try {
    for (const [name, content] of Object.entries(files))
      await writeFile(join(local, name), content);
    return await withPrivateFolder(connection, [], async (folder) => {
      const { all, exitCode } = await execa(
        "sftp",
        ["-F", folder.config, "-o", "LogLevel=VERBOSE", "-b", "-", "peer"],
        { ...options(), cwd: local, input: `${commands.join("\n")}\n`, all: true },
      );
      const output = all;
      if (!wasLetIn(output)) throw new UnreachableError(reasonOf(output, connection));
      const got = await Promise.all(
        fetched.map(async (name) => {
          const content = await readFile(join(local, name), "utf8").catch(() => undefined);
          return content === undefined ? [] : [[name, content] as const];
        }),
      );
      return { ok: exitCode === 0, output, fetched: new Map(got.flat()) };
    });
  } finally {
    await rm(local, { recursive: true, force: true });
  }
}

/** Whether somebody with the key can run a command there. */
export async function canRunCommands(connection: SshConnection): Promise<boolean> {
  return await withPrivateFolder(connection, [], async (folder) => {
    const { stdout } = await execa("ssh", sshArguments(folder, "echo ran-$((40 + 2))"), {
      ...options(),
      input: "",
    });
    return stdout.includes("ran-42");
  });
}

/** Whether somebody with the key can have the peer connect to where he likes. */
export async function canForward(connection: SshConnection): Promise<boolean> {
  return await withPrivateFolder(connection, [], async (folder: PrivateFolder) => {
    const to = `127.0.0.1:${connection.port ?? 22}`;
    // The peer's own SSH server greets whoever gets through.
    const { stdout } = await execa("ssh", ["-W", to, ...sshArguments(folder)], {
      ...options(),
      timeout: 10_000,
      input: "",
    });
    return stdout.includes("SSH-2.0");
  });
}

function options() {
  return { reject: false, cancelSignal: interruption, timeout: PATIENCE_MS } as const;
}
