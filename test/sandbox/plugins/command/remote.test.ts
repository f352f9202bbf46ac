import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { plain, secret, type RawProperties } from "../../../../sandbox/plugins/command/wire.ts";
import { Plugin } from "./plugin.ts";
import { freePort } from "../../../../sandbox/world.ts";
import { startSshd, type Sshd } from "./sshd.ts";

let sshd: Sshd;
let plugin: Plugin;
let folder: string;
let privateFolders: string;
let connection: Record<string, string | number>;

beforeAll(async () => {
  sshd = await startSshd(["GIVEN", "PULUMI_COMMAND_*"]);
  folder = await mkdtemp(path.join(os.tmpdir(), "remote-"));
  privateFolders = await mkdtemp(path.join(os.tmpdir(), "remote-tmp-"));
  plugin = await Plugin.start("remote", { env: { TMPDIR: privateFolders } });
});
afterAll(async () => {
  await plugin.stop();
  await sshd.stop();
  await rm(folder, { recursive: true, force: true });
  await rm(privateFolders, { recursive: true, force: true });
});
beforeEach(() => {
  const { port, user, hostKey, privateKey } = sshd;
  connection = { host: "127.0.0.1", port, user, hostKey, privateKey, dialErrorLimit: 0 };
});
afterEach(async () => {
  const left = (await readdir(privateFolders)).filter((name) => name.startsWith("fort-offsite"));
  expect(left).toEqual([]);
});

const create = async (inputs: RawProperties) =>
  await plugin.create({
    ...inputs,
    connection: { ...connection, ...(inputs.connection as object) },
  });

describe("remote.Command", () => {
  test("runs on the host, with standard input, and keeps the outputs", async () => {
    const state = await create({ create: "cat; echo two >&2", stdin: "one\n'$(x)\n" });
    expect(state.stdout).toBe("one\n'$(x)");
    expect(state.stderr).toBe("two");
  });

  test("fills in the connection's defaults and keeps it secret", async () => {
    const { hostKey } = sshd;
    const { inputs } = await plugin.check({ create: "true", connection: { host: "h", hostKey } });
    expect(inputs.connection).toEqual(
      secret({
        host: "h",
        hostKey,
        port: 22,
        user: "root",
        dialErrorLimit: 10,
        perDialTimeout: 15,
      }),
    );
  });

  test("shows nothing secret in any process's arguments", async () => {
    const state = await create({
      create: "cat > /dev/null; cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'",
      stdin: secret("password-of-the-peer"),
    });
    const seen = JSON.stringify(plain(state.stdout ?? ""));
    expect(seen).toContain("cat > /dev/null");
    expect(seen).not.toContain("password-of-the-peer");
    expect(seen).not.toContain(sshd.privateKey.split("\n")[1]);
    await expect(create({ create: secret("echo hush") })).rejects.toThrow(
      /secret is not implemented.*standard input/,
    );
  });

  test("refuses a host with another key than the pinned one, without another attempt", async () => {
    const other = await startSshd();
    try {
      const wrong = { hostKey: other.hostKey, dialErrorLimit: 5 };
      plugin.logged.length = 0;
      await expect(create({ create: "true", connection: wrong })).rejects.toThrow(
        "Host key verification failed",
      );
      expect(plugin.logged).toEqual([]);
    } finally {
      await other.stop();
    }
  });

  test("wants a pinned host key", async () => {
    const { failures } = await plugin.check({ create: "true", connection: { host: "h" } });
    expect(failures).toEqual([expect.stringMatching(/^connection\.hostKey: must be given/)]);
  });

  test("refuses what it does not implement, and what would be more than a value", async () => {
    const { failures } = await plugin.check({
      create: "true",
      connection: {
        host: "-oProxyCommand=x",
        user: "a\nProxyCommand x",
        hostKey: "key",
        password: "p",
        proxy: { host: "h" },
      },
    });
    expect(failures.map((failure) => failure.split(":")[0]).sort()).toEqual([
      "connection.host",
      "connection.hostKey",
      "connection.password",
      "connection.proxy",
      "connection.user",
    ]);
  });

  test("fails in the official shape when the command does", async () => {
    await expect(create({ create: "echo out; exit 7" })).rejects.toThrow(
      'Process exited with status 7: running "echo out; exit 7":\nout\n',
    );
    // 255 is what ssh itself ends with when it cannot connect.
    await expect(create({ create: "exit 255" })).rejects.toThrow("Process exited with status 255");
  });

  test("sends the environment, and says which variable the server does not accept", async () => {
    const given = { GIVEN: "a b'\"$(x)" };
    const state = await create({ create: 'printf "%s" "$GIVEN"', environment: given });
    expect(state.stdout).toBe(given.GIVEN);
    const refused = create({ create: "true", environment: { ...given, REFUSED: "1" } });
    await expect(refused).rejects.toThrow('could not set environment variable "REFUSED"');
    await expect(create({ create: "true", environment: { "A;B": "" } })).rejects.toThrow('"A;B"');
  });

  test("gives update and delete the previous output and the state's standard input", async () => {
    const file = path.join(folder, "deleted");
    const full = {
      connection,
      delete: `(cat; echo "$PULUMI_COMMAND_STDOUT") > ${file}`,
      stdin: "in,",
    };
    const first = await plugin.create({ ...full, create: "echo made" });
    const second = await plugin.update(first, {
      ...full,
      create: 'echo "again $PULUMI_COMMAND_STDOUT"',
    });
    expect(second.stdout).toBe("again made");
    await plugin.delete(second);
    expect(await readFile(file, "utf8")).toBe("in,again made\n");
  });

  test("tries to connect again, and runs the command once", async () => {
    const flaky = await startFlakyProxy(sshd.port, 2);
    const file = path.join(folder, "runs");
    try {
      plugin.logged.length = 0;
      await create({
        create: `echo run >> ${file}`,
        connection: { port: flaky.port, dialErrorLimit: 3 },
      });
      expect(await readFile(file, "utf8")).toBe("run\n");
      expect(plugin.logged.map(({ message }) => message)).toEqual([
        "Dial 1/3 failed: retrying",
        "Dial 2/3 failed: retrying",
      ]);
    } finally {
      flaky.stop();
    }
  });

  test("gives up after the attempts that the connection allows", async () => {
    const port = await freePort();
    await expect(
      create({ create: "true", connection: { port, dialErrorLimit: 1 } }),
    ).rejects.toThrow(/^after 1 failed attempts: .*Connection refused/);
  });

  test("never runs a command again whose connection was lost under it", async () => {
    const file = path.join(folder, "lost");
    const lost = create({
      create: `echo run >> ${file}; kill -9 $PPID; sleep 60`,
      connection: { dialErrorLimit: 5 },
    });
    await expect(lost).rejects.toThrow("remote command exited without exit status or exit signal");
    expect(await readFile(file, "utf8")).toBe("run\n");
  });

  test("removes its private files when the deployment is cancelled", async () => {
    const tmp = await mkdtemp(path.join(folder, "tmp-"));
    const other = await Plugin.start("remote", { env: { TMPDIR: tmp } });
    const files = async () =>
      (await readdir(tmp)).filter((name) => name.startsWith("fort-offsite"));
    const failed = expect(
      other.create({ connection, create: "echo started; exec sleep 600" }),
    ).rejects.toThrow();
    await expect.poll(() => other.logged.length).toBeGreaterThan(0);
    expect(await files()).toHaveLength(1);
    await other.cancel();
    await failed;
    expect(await files()).toEqual([]);
    await other.stop();
  });

  test("removes the private files of a plugin that was killed", async () => {
    const tmp = await mkdtemp(path.join(folder, "tmp-"));
    const killed = await Plugin.start("remote", { env: { TMPDIR: tmp } });
    const files = async () =>
      (await readdir(tmp)).filter((name) => name.startsWith("fort-offsite"));
    const failed = expect(
      killed.create({ connection, create: "echo started; exec sleep 5" }),
    ).rejects.toThrow();
    await expect.poll(() => killed.logged.length).toBeGreaterThan(0);
    await killed.stop();
    await failed;
    expect(await files()).toHaveLength(1);
    const next = await Plugin.start("remote", { env: { TMPDIR: tmp } });
    expect(await files()).toEqual([]);
    await next.stop();
  });
});

/** A proxy that closes the first connections at once. */
async function startFlakyProxy(target: number, failures: number) {
  let left = failures;
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    if (left-- > 0) {
      socket.destroy();
      return;
    }
    const upstream = net.connect(target, "127.0.0.1").on("error", () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { port, stop: () => server.close() };
}
