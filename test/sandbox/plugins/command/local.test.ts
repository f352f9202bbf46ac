import { mkdtemp, readFile, realpath, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { secret, UNKNOWN } from "../../../../sandbox/plugins/command/wire.ts";
import { Plugin } from "./plugin.ts";

let plugin: Plugin;
let folder: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(path.join(os.tmpdir(), "command-")));
  plugin = await Plugin.start("local", { cwd: folder });
});
afterAll(async () => {
  await plugin.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("local.Command", () => {
  test("keeps both outputs without the last newline, and its inputs", async () => {
    const state = await plugin.create({ create: "printf 'a\\nb\\n\\n'; printf 'warn\\n' >&2" });
    expect(state).toEqual({
      addPreviousOutputInEnv: true,
      create: "printf 'a\\nb\\n\\n'; printf 'warn\\n' >&2",
      stdout: "a\nb\n",
      stderr: "warn",
    });
  });

  test("runs in the project's folder, or in dir", async () => {
    expect((await plugin.create({ create: "pwd" })).stdout).toBe(folder);
    expect((await plugin.create({ create: "pwd", dir: "/" })).stdout).toBe("/");
    await expect(plugin.create({ create: "pwd", dir: "/nowhere" })).rejects.toThrow(
      'chdir /nowhere: no such file or directory: running "pwd":',
    );
  });

  test("gives the command to the interpreter as its last argument", async () => {
    const interpreter = ["/bin/sh", "-c", 'printf "%s" "$2"', "sh", "first"];
    const state = await plugin.create({ interpreter, create: "it's $HOME; echo" });
    expect(state.stdout).toBe("it's $HOME; echo");
    await expect(plugin.create({ interpreter: ["/no/such"], create: "x" })).rejects.toThrow(
      'exec: "/no/such": ENOENT',
    );
  });

  test("passes standard input and environment, whatever characters they hold", async () => {
    const stdin = "ünïcode\n'\"$(exit 3)`\\\n";
    const state = await plugin.create({
      create: 'cat; printf "%s" "$VALUE" >&2',
      stdin,
      environment: { VALUE: "a b'c\"$(d)\n" },
    });
    expect(state.stdout).toBe(stdin.slice(0, -1));
    expect(state.stderr).toBe("a b'c\"$(d)");
  });

  test("fails in the official shape, with both streams", async () => {
    const create = 'echo "out"; echo err >&2; exit 3';
    await expect(plugin.create({ create })).rejects.toThrow(
      `exit status 3: running ${JSON.stringify(create)}:\nout\nerr\n`,
    );
    await expect(plugin.create({ create: "kill -9 $$" })).rejects.toThrow("signal: SIGKILL");
  });

  test("does not show a command that is a secret", async () => {
    await expect(plugin.create({ create: secret("exit 4 # hush") })).rejects.toThrow(
      /^exit status 4: running "\[secret\]":\n$/,
    );
  });

  test("updates by update, else by create again, with the previous output in the environment", async () => {
    const show = 'printf "%s,%s" "$PULUMI_COMMAND_STDOUT" "$PULUMI_COMMAND_STDERR"';
    const first = await plugin.create({ create: "echo one; echo two >&2" });
    const second = await plugin.update(first, { create: "exit 1", update: show });
    expect(second.stdout).toBe("one,two");
    const third = await plugin.update(second, { create: show });
    expect(third.stdout).toBe("one,two,");
    const silent = { create: show, addPreviousOutputInEnv: false };
    expect((await plugin.update(third, silent)).stdout).toBe(",");
  });

  test("deletes with what the state holds", async () => {
    const file = path.join(folder, "deleted");
    const state = await plugin.create({
      create: "echo made",
      delete: 'printf "%s|%s|%s" "$(cat)" "$PULUMI_COMMAND_STDOUT" "$X" > deleted',
      stdin: "of the state",
      environment: { X: "y" },
    });
    await plugin.delete(state);
    expect(await readFile(file, "utf8")).toBe("of the state|made|y");
    await expect(plugin.delete({ create: "exit 1" })).resolves.toBeUndefined();
  });

  test("runs nothing in a preview, and says what is not known yet", async () => {
    const create = "touch previewed";
    const preview = await plugin.create({ create }, true);
    expect(preview).toMatchObject({ create, stdout: UNKNOWN, stderr: UNKNOWN });
    const old = { addPreviousOutputInEnv: true, create, stdout: "s", stderr: "" };
    expect(await plugin.update(old, { create }, true)).toMatchObject({ stdout: "s", stderr: "" });
    expect(await plugin.update(old, { create, stdin: UNKNOWN }, true)).toMatchObject({
      stdin: UNKNOWN,
      stdout: UNKNOWN,
    });
    await expect(stat(path.join(folder, "previewed"))).rejects.toThrow("ENOENT");
  });

  test("keeps what is secret secret in the state", async () => {
    const environment = { A: "open", B: secret("hidden") };
    const state = await plugin.create({ create: "cat", stdin: secret("s"), environment });
    expect(state.stdin).toEqual(secret("s"));
    expect(state.environment).toEqual(environment);
    expect(state.stdout).toBe("s");
  });

  test("replaces for a trigger and updates for everything else", async () => {
    const state = await plugin.create({
      create: "echo",
      triggers: ["a", { b: [1] }],
      environment: { X: "1", Y: "2" },
      stdin: "in",
    });
    const { inputs } = await plugin.check({
      create: "echo 2",
      triggers: ["a", { b: [2] }],
      environment: { X: "3" },
      delete: "rm",
    });
    expect(await plugin.diff(state, inputs)).toEqual({
      changed: true,
      diffs: expect.arrayContaining([
        "create",
        "triggers",
        "environment",
        "delete",
        "stdin",
      ]) as string[],
      replaces: ["triggers"],
      detailed: {
        create: "UPDATE",
        delete: "ADD",
        stdin: "DELETE",
        "environment.X": "UPDATE",
        "environment.Y": "DELETE",
        "triggers[1].b[0]": "UPDATE_REPLACE",
      },
    });
    const same = await plugin.check({ ...state, stdout: null, stderr: null });
    expect(await plugin.diff(state, same.inputs)).toMatchObject({ changed: false, diffs: [] });
    const hidden = { ...same.inputs, stdin: secret("in") };
    expect((await plugin.diff(state, hidden)).changed).toBe(false);
  });

  test("logs the streams that logging names, line by line", async () => {
    const create = "echo out1; echo out2; echo err >&2";
    for (const [logging, wanted] of [
      ["none", []],
      ["stdout", ["out1", "out2"]],
      ["stderr", ["err"]],
      [undefined, ["err", "out1", "out2"]],
    ] as const) {
      plugin.logged.length = 0;
      await plugin.create(logging === undefined ? { create } : { create, logging });
      expect(plugin.logged.map(({ message }) => message).sort()).toEqual(wanted);
      expect(plugin.logged.every(({ ephemeral }) => ephemeral)).toBe(true);
    }
  });

  test("refuses what it does not implement, and says all that is wrong at once", async () => {
    const { failures } = await plugin.check({
      assetPaths: ["*"],
      archivePaths: ["*"],
      logging: "loud",
      creat: "x",
      stdin: secret({ a: "hush" }),
    });
    expect(failures.sort()).toEqual([
      ": stdin: Invalid input: expected string, received object",
      expect.stringMatching(/^archivePaths: is not implemented by the sandbox's stand-in/),
      expect.stringMatching(/^assetPaths: is not implemented/),
      "creat: is not an input of this resource",
      expect.stringMatching(/^logging: Invalid option/),
    ]);
  });

  test("kills what runs when the deployment is cancelled", async () => {
    const other = await Plugin.start("local", { cwd: folder });
    const running = other.create({ create: "echo started; exec sleep 600" });
    const failed = expect(running).rejects.toThrow();
    await expect.poll(() => other.logged.length).toBeGreaterThan(0);
    await other.cancel();
    await failed;
    await expect(other.create({ create: "true" })).rejects.toThrow("cancelled");
    await other.stop();
  });
});
