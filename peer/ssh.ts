/**
 * The operator's way to a peer: OpenSSH's client, told by private files alone which host key is
 * pinned and which key to show, so that nothing of the operator's own configuration gets in between.
 */
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { sweepFolders } from "./stale-folders.ts";

const PREFIX = "fort-offsite-ssh-";

/** The name of the host in our configuration: nothing of the connection is in an argument. */
export const HOST = "peer";

/** How a peer is reached. */
export interface SshConnection {
  readonly host: string;
  /** 22 when left out. */
  readonly port?: number | undefined;
  /** root when left out. */
  readonly user?: string | undefined;
  /** The one host key that is accepted, as in known_hosts without the host. */
  readonly hostKey: string;
  /** A key without a passphrase; without it an SSH agent is asked. Secret. */
  readonly privateKey?: string | undefined;
  /** The agent's socket; `SSH_AUTH_SOCK` when left out. */
  readonly agentSocketPath?: string | undefined;
  /** Seconds for one attempt to connect, 0 for no limit. 15 when left out. */
  readonly perDialTimeout?: number | undefined;
}

const open = new Set<string>();
process.once("exit", () => {
  for (const folder of open) rmSync(folder, { recursive: true, force: true });
});

/** A private folder with all that `ssh -F` needs. */
export interface PrivateFolder {
  config: string;
  /** What ssh itself has to say goes here, apart from the command's standard error. */
  log(): Promise<string>;
}

/**
 * Writes a connection into a private folder, which goes again at the end, whatever happens.
 *
 * @param sendEnv - Names of variables to send along.
 */
export async function withPrivateFolder<T>(
  connection: SshConnection,
  sendEnv: readonly string[],
  action: (folder: PrivateFolder) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), `${PREFIX}${process.pid}-`));
  open.add(folder);
  try {
    const write = async (name: string, text: string) => {
      const file = path.join(folder, name);
      await writeFile(file, text, { mode: 0o600, flag: "wx" });
      return file;
    };
    const [type = "", key = ""] = connection.hostKey.trim().split(/\s+/);
    const knownHosts = await write("known_hosts", `${HOST} ${type} ${key}\n`);
    const identity =
      connection.privateKey === undefined
        ? undefined
        : await write("identity", `${connection.privateKey.trimEnd()}\n`);
    const log = await write("log", "");
    const config = await write(
      "config",
      configText(connection, { knownHosts, identity, log, sendEnv }),
    );
    return await action({ config, log: () => readFile(log, "utf8") });
  } finally {
    await rm(folder, { recursive: true, force: true });
    open.delete(folder);
  }
}

/** The peer cannot be reached, is not who it was, or does not let the operator in. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/** How a command on the peer ended. */
export interface RemoteResult {
  /** 255 too when the connection broke under it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command on a peer, once.
 *
 * @param command - what the peer's shell runs. It is seen in process lists: secrets go to `input`.
 * @throws UnreachableError, with the reason on one line, when the command was never started.
 */
export async function runOnPeer(
  connection: SshConnection,
  command: string,
  options: { readonly input?: string; readonly signal?: AbortSignal } = {},
): Promise<RemoteResult> {
  return await withPrivateFolder(connection, [], async (folder) => {
    const result = await execa("ssh", sshArguments(folder, command), {
      ...(options.input === undefined ? { stdin: "ignore" } : { input: options.input }),
      ...(options.signal !== undefined && { cancelSignal: options.signal }),
      reject: false,
    });
    options.signal?.throwIfAborted();
    if (result.code === "ENOENT") {
      throw new UnreachableError("needs the program ssh, which is not on PATH");
    }
    const log = await folder.log();
    if (!wasLetIn(log)) throw new UnreachableError(reasonOf(log, connection));
    return { exitCode: result.exitCode ?? 255, stdout: result.stdout, stderr: result.stderr };
  });
}

/** What `ssh` is called with: its own words go to the folder's log, not to standard error. */
export function sshArguments(folder: PrivateFolder, ...rest: readonly string[]): string[] {
  return [
    "-F",
    folder.config,
    "-E",
    path.join(path.dirname(folder.config), "log"),
    "--",
    HOST,
    ...rest,
  ];
}

/** Whether the log says that the host accepted us: written before any command is sent. */
export function wasLetIn(log: string): boolean {
  return /^Authenticated to /m.test(log);
}

/** Why the host did not let us in, on one line, with the way out. */
export function reasonOf(log: string, connection: SshConnection): string {
  const { host, port = 22, user = "root" } = connection;
  const place = `${user}@${host} port ${port}`;
  if (/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/.test(log)) {
    const shown = /\bSHA256:[A-Za-z0-9+/]{43}/.exec(log)?.[0];
    const fingerprints = `${shown === undefined ? "" : `${shown} and not `}${fingerprintOf(connection.hostKey)}`;
    return `${place} shows another host key than the pinned one (${fingerprints}): a new key, or another machine. If its owner says that it is a new key, correct ssh.hostKey`;
  }
  if (/no matching host key type/i.test(log)) {
    return `${place} has no host key of the pinned kind. Correct ssh.hostKey`;
  }
  if (log.includes("Permission denied")) {
    return `${place} does not let the operator's key in. Its public key belongs into that user's authorized_keys`;
  }
  const last = log.trim().split("\n").at(-1)?.trim() ?? "";
  return `${place} cannot be reached: ${last === "" ? "ssh ended without a reason" : last}`;
}

/** A public key's fingerprint, as ssh-keygen -lf prints it. */
function fingerprintOf(publicKey: string): string {
  const [, blob = ""] = publicKey.trim().split(/\s+/);
  const digest = createHash("sha256").update(Buffer.from(blob, "base64")).digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

/** Removes the folders of processes that were killed. */
export async function sweepPrivateFolders(): Promise<void> {
  await sweepFolders(PREFIX);
}

/** See ssh_config(5) for each option. */
function configText(
  connection: SshConnection,
  files: {
    knownHosts: string;
    identity: string | undefined;
    log: string;
    sendEnv: readonly string[];
  },
): string {
  const { identity } = files;
  const agent = connection.agentSocketPath ?? process.env.SSH_AUTH_SOCK;
  const options: [string, string | number | undefined][] = [
    ["HostName", connection.host],
    ["User", connection.user ?? "root"],
    ["Port", connection.port ?? 22],
    ["BatchMode", "yes"],
    ["StrictHostKeyChecking", "yes"],
    ["UserKnownHostsFile", quote(files.knownHosts)],
    ["GlobalKnownHostsFile", "/dev/null"],
    // With a name of its own for the host, another port needs no other line in known_hosts.
    ["HostKeyAlias", HOST],
    ["CheckHostIP", "no"],
    ["UpdateHostKeys", "no"],
    ["PreferredAuthentications", "publickey"],
    ["IdentityFile", identity === undefined ? "none" : quote(identity)],
    ["IdentitiesOnly", identity === undefined ? "no" : "yes"],
    ["IdentityAgent", identity !== undefined || agent === undefined ? "none" : quote(agent)],
    ["ConnectionAttempts", 1],
    ["ConnectTimeout", (connection.perDialTimeout ?? 15) || undefined],
    ["ServerAliveInterval", 15],
    ["ServerAliveCountMax", 4],
    ["ForwardAgent", "no"],
    ["ClearAllForwardings", "yes"],
    ["RequestTTY", "no"],
    ["ControlPath", "none"],
    ["EscapeChar", "none"],
    // At this level the log says when the host has let us in.
    ["LogLevel", "VERBOSE"],
    ["SendEnv", files.sendEnv.length === 0 ? undefined : files.sendEnv.join(" ")],
  ];
  const lines = options
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `  ${name} ${value ?? ""}`);
  return [`Host ${HOST}`, ...lines, ""].join("\n");
}

function quote(file: string): string {
  return `"${file.replaceAll("%", "%%")}"`;
}
