/** A real OpenSSH server on a free port of the loopback, for the user who runs the tests. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { freePort } from "../../../../sandbox/world.ts";
import { ensurePrograms } from "../../../../tools/index.ts";

/** A running server and what a client needs to get in. */
export interface Sshd {
  port: number;
  user: string;
  hostKey: string;
  privateKey: string;
  stop(): Promise<void>;
}

export async function startSshd(acceptEnv: readonly string[] = []): Promise<Sshd> {
  const programs = await ensurePrograms(["sshd", "ssh-keygen"]);
  const program = (name: "sshd" | "ssh-keygen") => programs.get(name)?.path ?? name;
  const folder = await mkdtemp(path.join(os.tmpdir(), "sshd-"));
  for (const name of ["host", "client"]) {
    await execa(program("ssh-keygen"), [
      "-q",
      "-t",
      "ed25519",
      "-N",
      "",
      "-f",
      path.join(folder, name),
    ]);
  }
  // sshd wants this folder when it runs as root (sshd(8), "FILES").
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const authorized = path.join(folder, "authorized_keys");
  await writeFile(authorized, await readFile(path.join(folder, "client.pub")), { mode: 0o600 });
  const port = await freePort();
  const config = path.join(folder, "sshd_config");
  await writeFile(
    config,
    [
      "ListenAddress 127.0.0.1",
      `Port ${port}`,
      `HostKey ${path.join(folder, "host")}`,
      `AuthorizedKeysFile ${authorized}`,
      "PidFile none",
      "PermitRootLogin prohibit-password",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "UsePAM no",
      "StrictModes no",
      ...(acceptEnv.length > 0 ? [`AcceptEnv ${acceptEnv.join(" ")}`] : []),
      "",
    ].join("\n"),
  );
  const child = spawn(program("sshd"), ["-D", "-e", "-f", config], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await untilListening(child);
  const [type = "", key = ""] = (await readFile(path.join(folder, "host.pub"), "utf8")).split(" ");
  return {
    port,
    user: os.userInfo().username,
    hostKey: `${type} ${key}`,
    privateKey: await readFile(path.join(folder, "client"), "utf8"),
    stop: async () => {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function untilListening(child: ChildProcess): Promise<void> {
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("Server listening")) resolve();
    });
    child.once("exit", () => {
      reject(new Error(`sshd ended: ${said}`));
    });
  });
}
