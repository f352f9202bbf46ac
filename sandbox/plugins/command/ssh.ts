/** A connection for OpenSSH's client: its configuration, keys and known hosts, in private files. */
import { rmSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Connection } from "./inputs.ts";

const PREFIX = "fort-offsite-ssh-";

/** The name of the host in our configuration: nothing of the connection is in an argument. */
export const HOST = "peer";

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
  connection: Connection,
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

/** Removes the folders of plugins that were killed. */
export async function sweepPrivateFolders(): Promise<void> {
  for (const name of await readdir(os.tmpdir()).catch(() => [] as string[])) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]);
    if (!Number.isInteger(pid) || isAlive(pid)) continue;
    await rm(path.join(os.tmpdir(), name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** See ssh_config(5) for each option. */
function configText(
  connection: Connection,
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
