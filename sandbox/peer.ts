/** The brother's machine: a real OpenSSH daemon on this one, whose shell reaches a real engine. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { Engine } from "./engine.ts";
import { freePort, isRoot, waitFor, type World } from "./world.ts";

/** How the operator reaches the peer. */
export interface Peer {
  /** Its daemon's settings, and the folder of those that are included. */
  readonly sshdConfig: string;
  readonly dropins: string;
  /** Where a cron of busybox's finds what to do, once one is started. */
  readonly crontabs: string;
  readonly port: number;
  readonly user: string;
  /** The public host key, without a comment. */
  readonly hostKey: string;
  /** The operator's private key. */
  readonly privateKey: string;
  readonly privateKeyFile: string;
}

/** Makes a key pair without a passphrase and says where it is. */
export async function newSshKey(file: string, comment: string, type = "ed25519"): Promise<string> {
  await execa("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", comment, "-f", file]);
  return file;
}

/** A public key file's type and key, without the comment. */
export function publicKey(privateKeyFile: string): string {
  return readFileSync(`${privateKeyFile}.pub`, "utf8").trim().split(" ").slice(0, 2).join(" ");
}

/** sshd will not start as root without the directory to which it gives up its privileges. */
function makePrivilegeSeparation(world: World): void {
  const directory = "/run/sshd";
  if (!isRoot() || existsSync(directory)) return;
  mkdirSync(directory, { mode: 0o755 });
  world.cleanup.add(directory, () => rmSync(directory, { recursive: true, force: true }));
}

/** The peer's script needs root's rights: as root, or through a sudo that asks nothing. */
async function needRoot(): Promise<void> {
  if (isRoot()) return;
  const { exitCode } = await execa("sudo", ["-n", "true"], { reject: false });
  if (exitCode === 0) return;
  throw new Error(
    "The peer's server is installed with root's rights. Run this as root, or let this user use sudo without a password",
  );
}

/**
 * For a user who is not root: a `sudo` on the peer that keeps what leads to the engine, which on a
 * real peer is where root finds it anyway.
 *
 * @returns what comes before the rest of PATH.
 */
function sudoThatKeeps(world: World, engine: Engine): string {
  if (isRoot()) return "";
  const folder = world.folder("sudo");
  const kept = `OFFSITE_CRONTABS='${crontabsOf(world)}' DOCKER_HOST='${engine.host}' DOCKER_CONFIG='${engine.config}' PATH='${process.env.PATH ?? ""}'`;
  const script = `#!/bin/sh\n[ "$1" != -n ] || shift\nexec "$(PATH=/usr/bin:/bin command -v sudo)" -n env ${kept} "$@"\n`;
  writeFileSync(join(folder, "sudo"), script, { mode: 0o755 });
  return `${folder}:`;
}

function crontabsOf(world: World): string {
  return world.folder("crontabs");
}

/** Starts the peer's OpenSSH daemon on a free port of the loopback address. */
export async function startPeer(world: World, sshd: string, engine: Engine): Promise<Peer> {
  await needRoot();
  const folder = world.folder("ssh");
  // Two host keys, as every machine has them: a client that does not ask for the pinned one fails.
  const hostKeyFile = await newSshKey(join(folder, "host"), "peer", "ecdsa");
  const otherHostKeyFile = await newSshKey(join(folder, "other-host"), "peer");
  const privateKeyFile = await newSshKey(join(folder, "operator"), "operator");
  copyFileSync(`${privateKeyFile}.pub`, join(folder, "authorized_keys"));
  makePrivilegeSeparation(world);
  const port = await freePort();
  const dropins = world.folder("ssh", "sshd_config.d");
  const sshdConfig = world.file(
    "ssh/sshd_config",
    [
      `Include ${dropins}/*.conf`,
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${hostKeyFile}`,
      `HostKey ${otherHostKeyFile}`,
      `AuthorizedKeysFile ${join(folder, "authorized_keys")}`,
      `PidFile none`,
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin prohibit-password",
      // Its files are in a folder below the system's temporary one, which everybody may write to.
      "StrictModes no",
      "UsePAM no",
      `SetEnv PATH="${sudoThatKeeps(world, engine)}${process.env.PATH ?? ""}" DOCKER_HOST=${engine.host} DOCKER_CONFIG=${engine.config} OFFSITE_CRONTABS=${crontabsOf(world)}`,
      "Subsystem sftp internal-sftp",
      "",
    ].join("\n"),
  );
  const daemon = world.start("sshd", sshd, ["-D", "-e", "-f", sshdConfig]);
  await waitFor("The OpenSSH daemon's start", () => listens(port), {
    failed: daemon.failure,
  });
  return {
    port,
    user: userInfo().username,
    hostKey: publicKey(hostKeyFile),
    privateKey: readFileSync(privateKeyFile, "utf8"),
    privateKeyFile,
    sshdConfig,
    dropins,
    crontabs: crontabsOf(world),
  };
}

/** Whether somebody listens on a port of the loopback address. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
