/** What is sent to a peer's shell for an SFTP directory. There is nothing secret in it. */
import { readFileSync } from "node:fs";
import { withVariables } from "../script.ts";
import type { SftpPlace } from "./place.ts";

function script(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8");
}

const COMMON = script("common.sh");
const INSTALL = COMMON + script("install.sh");
const LOOK = COMMON + script("look.sh");
const PRUNE = COMMON + script("prune.sh");
const SEAL = script("seal.sh");

/** What holds for each of our users, whatever else the peer's sshd allows: see sshd_config(5). */
const CONFINED = [
  "AuthenticationMethods publickey",
  "PubkeyAuthentication yes",
  "PasswordAuthentication no",
  "KbdInteractiveAuthentication no",
  "HostbasedAuthentication no",
  "AuthorizedKeysCommand none",
  "AuthorizedPrincipalsFile none",
  "TrustedUserCAKeys none",
  "DisableForwarding yes",
  "AllowTcpForwarding no",
  "AllowStreamLocalForwarding no",
  "AllowAgentForwarding no",
  "X11Forwarding no",
  "PermitTunnel no",
  "PermitTTY no",
  "PermitUserRC no",
  "Banner none",
];

/** The settings that sshd is given: a chroot and SFTP, and nothing else, for our users alone. */
export function sshdSettings({ dataDir, users }: SftpPlace): string {
  const repositories = `${dataDir}/repositories`;
  const blocks = users.map(({ user, host }) => [
    `Match User ${user}`,
    `ChrootDirectory ${host === undefined ? repositories : `${repositories}/${host}`}`,
    // What the hub writes, hosts must be able to read; they may do nothing else. The hub makes no
    // links: root works among its files.
    `ForceCommand internal-sftp ${host === undefined ? "-P symlink,hardlink -u 022" : "-R"}`,
  ]);
  const all = [
    `Match User ${users.map(({ user }) => user).join(",")}`,
    `AuthorizedKeysFile ${dataDir}/sftp/keys/%u`,
    ...CONFINED,
  ];
  const text = [...blocks, all]
    .map(([match, ...lines]) => [match, ...lines.map((line) => `    ${line}`), ""].join("\n"))
    .join("\n");
  return `# Written by fort-offsite. The next installation writes it again.\n\n${text}`;
}

/** The script that the peer runs every few minutes. */
export function sealScript(place: SftpPlace): string {
  const { dataDir, users } = place;
  const variables = { data_dir: dataDir, hub_group: groupOf(users[0]?.user ?? "") };
  return withVariables(SEAL, variables);
}

/**
 * The standard input of `sh -s install`, `sh -s install repair-<name>` and `sh -s remove` on the
 * peer; and of `sh -s check`, which says what is in the way and changes nothing.
 */
export function sftpScript(place: SftpPlace): string {
  const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");
  return withVariables(INSTALL, {
    ...variablesOf(place),
    max_size_kib: String(Math.floor(place.maxSizeGiB * 1024 ** 2)),
    dropin_b64: base64(sshdSettings(place)),
    seal_b64: base64(sealScript(place)),
  });
}

/** The standard input of `sh -s look`. */
export function sftpLookScript(place: SftpPlace, thorough: boolean): string {
  return withVariables(LOOK, { ...variablesOf(place), thorough: thorough ? "yes" : "" });
}

/** The standard input of `sh -s list` and `sh -s remove`: which hosts, and which of their files. */
export function sftpPruneScript(
  place: SftpPlace,
  hosts: readonly string[],
  files: readonly { readonly host: string; readonly kind: string; readonly name: string }[] = [],
): string {
  return withVariables(PRUNE, {
    ...variablesOf(place),
    hosts: hosts.join(" "),
    files: files.map(({ host, kind, name }) => `${host} ${kind} ${name}`).join("\n"),
  });
}

function variablesOf({ project, dataDir, users }: SftpPlace): Record<string, string> {
  const [hub] = users;
  return {
    project,
    data_dir: dataDir,
    hub_user: hub?.user ?? "",
    hub_group: groupOf(hub?.user ?? ""),
    host_group: groupOf(hub?.user ?? "").replace(/_hub$/, "_hosts"),
    users: users
      .map(({ user, host, publicKey }) => `${user} ${host ?? "-"} ${publicKey}`)
      .join("\n"),
  };
}

/** The hub's group has the name of its user. */
function groupOf(hubUser: string): string {
  return hubUser;
}
