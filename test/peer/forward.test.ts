import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { readdirSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { forward } from "../../peer/forward.ts";
import { sweepPrivateFolders, UnreachableError, type SshConnection } from "../../peer/ssh.ts";
import { PROJECT, waitFor } from "../../sandbox/world.ts";
import { startSshd, type Sshd } from "../sandbox/plugins/command/sshd.ts";

describe("a port that leads to one of the peer's", { timeout: 60_000 }, () => {
  let sshd: Sshd;
  let server: Server;
  let port: number;
  let connection: SshConnection;

  beforeAll(async () => {
    sshd = await startSshd();
    const { user, hostKey, privateKey } = sshd;
    connection = { host: "127.0.0.1", port: sshd.port, user, hostKey, privateKey };
    server = createServer((_, response) => response.end("from the peer"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ({ port } = server.address() as AddressInfo);
  });

  afterAll(async () => {
    server.close();
    await sshd.stop();
  });

  test("carries many connections over one SSH connection, and none once it is closed", async () => {
    const way = await forward(connection, "127.0.0.1", port);
    const url = `http://127.0.0.1:${way.port}/`;
    const ask = async () => await (await fetch(url, { headers: { connection: "close" } })).text();
    expect(await Promise.all([ask(), ask(), ask()])).toEqual(Array(3).fill("from the peer"));
    expect(way.failure()).toBeUndefined();
    await Promise.all([way.close(), way.close()]);
    await expect(ask()).rejects.toThrow();
  });

  test("says why when the peer shows another host key", async () => {
    // Of the same kind, and somebody else's.
    const hostKey =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDEVf0XQl7YqUcsw2gfJpZDBk5HH0Wv5c1yUYpFmjS8y";
    const attempt = forward({ ...connection, hostKey }, "127.0.0.1", port);
    await expect(attempt).rejects.toThrow(UnreachableError);
    await expect(attempt).rejects.toThrow(/another host key than the pinned one/);
  });

  test("is gone when the program that opened it is killed", async () => {
    const script = `
      import { forward } from "${PROJECT}/peer/forward.ts";
      const connection = JSON.parse(process.env.CONNECTION);
      const way = await forward(connection, "127.0.0.1", ${port});
      console.log(way.port, process.pid);
      setInterval(() => undefined, 1000);`;
    const child = spawn(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "-e", script],
      {
        cwd: PROJECT,
        env: { ...process.env, CONNECTION: JSON.stringify(connection) },
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    await once(child.stdout, "data");
    const pid = child.pid ?? 0;
    expect(sshOf(pid)).toHaveLength(1);
    child.kill("SIGKILL");
    await once(child, "exit");
    await waitFor("The end of ssh", () => sshOf(pid).length === 0);
    // The folder stays until the next command looks: a killed process cannot clear up.
    await sweepPrivateFolders();
  });
});

/** The processes that work from a private folder of this process. */
function sshOf(pid: number): string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, "utf8").includes(`fort-offsite-ssh-${pid}-`);
    } catch {
      return false;
    }
  });
}
