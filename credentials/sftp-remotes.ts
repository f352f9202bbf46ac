/** How a key opens an SFTP directory: the hub's remotes of rclone, and the lines of a host's file. */
import type { EnvLine } from "./env-file.ts";
import type { RcloneRemote } from "./rclone-conf.ts";
import type { SshKey, SshKeyTrio } from "./ssh-key.ts";

/** Where a user of a peer logs in. */
export interface SftpConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** The one host key that is accepted, as in known_hosts without the host. */
  readonly hostKey: string;
}

/** How the peer may sign with its host key: a client of Go's asks for another kind first. */
function algorithmsOf(hostKey: string): string {
  const [type = ""] = hostKey.split(" ");
  return type === "ssh-rsa" ? "rsa-sha2-512 rsa-sha2-256" : type;
}

/** The line of known_hosts that pins the peer's host key. */
export function knownHostsLine({ host, port, hostKey }: Omit<SftpConnection, "user">): string {
  const [type = "", key = ""] = hostKey.split(" ");
  return `${port === 22 ? host : `[${host}]:${port}`} ${type} ${key}\n`;
}

/** Options that hold for hub and hosts: there is no shell to ask, and nobody's time to set. */
function commonOptions(connection: SftpConnection): Record<string, string> {
  return {
    type: "sftp",
    host: connection.host,
    port: String(connection.port),
    user: connection.user,
    shell_type: "none",
    disable_hashcheck: "true",
    set_modtime: "false",
  };
}

/** A remote of the hub's. */
export function sftpRemote(name: string, connection: SftpConnection, key: SshKey): RcloneRemote {
  const [type = "", blob = ""] = connection.hostKey.split(" ");
  return {
    name,
    options: {
      ...commonOptions(connection),
      key_pem: key.privateKey.trimEnd().replaceAll("\n", "\\n"),
      host_key_algorithms: algorithmsOf(connection.hostKey),
      // For rclone 1.75 and newer, used by hand; the agent gives every rclone a known_hosts_file.
      host_keys: `${type} ${blob}`,
    },
  };
}

/**
 * What a host needs to restore. Keys hold spaces and line breaks, which no file that systemd, a shell
 * and Docker read alike can hold: they are in base64.
 */
export function restoreLines(
  target: string,
  connection: SftpConnection,
  keys: SshKeyTrio,
  path: string,
): EnvLine[] {
  const prefix = `OFFSITE_${target.toUpperCase()}`;
  const remote = `RCLONE_CONFIG_${target.toUpperCase()}`;
  const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");
  const { type, ...options } = commonOptions(connection);
  return [
    {
      comment: `Restore from ${target} (reads this host's repository, and no other): write the two into private files with base64 -d, as docs/targets/sftp.md shows, then: restic -r $${prefix}_REPOSITORY --no-lock restore … ; or with ssh alone: restic -r sftp:${connection.user}@${connection.host}:${path}`,
    },
    [`${prefix}_REPOSITORY`, `rclone:${target}:${path}`],
    [`${prefix}_KEY`, base64(keys.current.privateKey)],
    [`${prefix}_KEY_NEXT`, base64(keys.next.privateKey)],
    [`${prefix}_KEY_PREVIOUS`, keys.previous === undefined ? "" : base64(keys.previous.privateKey)],
    [`${prefix}_KNOWN_HOSTS`, base64(knownHostsLine(connection))],
    [`${remote}_TYPE`, type ?? "sftp"],
    ...Object.entries(options).map(([option, value]): EnvLine => [
      `${remote}_${option.toUpperCase()}`,
      value,
    ]),
  ];
}
