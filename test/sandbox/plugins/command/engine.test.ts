import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { binDirectory, ensurePrograms } from "../../../../tools/index.ts";
import { startSshd, type Sshd } from "./sshd.ts";

let project: string;
let folder: string;
let env: Record<string, string>;
let sshd: Sshd;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "command-engine-"));
  const programs = await ensurePrograms(["pulumi", "pulumi-language-nodejs", "ssh"]);
  env = {
    PATH: `${await binDirectory(programs)}${path.delimiter}${process.env.PATH ?? ""}`,
    PULUMI_HOME: folder,
    PULUMI_BACKEND_URL: `file://${folder}`,
    PULUMI_CONFIG_PASSPHRASE: "of the test",
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
  // The engine writes into the project's folder, so it gets one of its own.
  project = path.join(folder, "project");
  await cp(path.join(import.meta.dirname, "program"), project, { recursive: true });
  for (const name of ["node_modules", "package.json"]) {
    await symlink(path.resolve(name), path.join(project, name));
  }
  const settings = path.join(project, "Pulumi.yaml");
  const plugin = path.resolve("sandbox/plugins/command");
  await writeFile(settings, (await readFile(settings, "utf8")).replace("PLUGIN", plugin));
  sshd = await startSshd();
  const init = await pulumi(["stack", "init", "dev"]);
  expect(init.exitCode, init.all).toBe(0);
});
afterAll(async () => {
  await sshd.stop();
  await rm(folder, { recursive: true, force: true });
});

async function pulumi(args: string[], program: object = {}) {
  return await execa("pulumi", [...args, "--non-interactive", "--color", "never"], {
    cwd: project,
    env: { ...env, PROGRAM: JSON.stringify(program) },
    all: true,
    reject: false,
  });
}

test("goes through a whole life under the real engine", async () => {
  const { port, user, hostKey, privateKey } = sshd;
  const connection = { host: "127.0.0.1", port, user, hostKey, privateKey };
  const deleted = path.join(folder, "deleted");
  const program = {
    local: {
      a: { create: "cat", delete: `cat > ${deleted}`, stdin: "hush-hush", logging: "stderr" },
      b: { create: "echo $X", environment: { X: "1" }, triggers: ["t"] },
    },
    remote: { c: { create: "cat; echo there >&2", stdin: "over-there\n", connection } },
  };
  const up = await pulumi(["up", "--yes", "--skip-preview"], program);
  expect(up.exitCode, up.all).toBe(0);
  // The engine warns when PATH leads to another language host than lies beside it.
  expect(up.all).not.toContain("from $PATH");
  for (const output of ['a: "hush-hush"', 'b: "1"', 'c: "over-there"']) {
    expect(up.all).toContain(output);
  }
  const again = await pulumi(["preview", "--expect-no-changes"], program);
  expect(again.exitCode, again.all).toBe(0);

  const changed = {
    local: {
      a: { ...program.local.a, stdin: "of-tomorrow" },
      b: { ...program.local.b, triggers: ["u"] },
    },
    remote: program.remote,
  };
  const second = await pulumi(["up", "--yes"], changed);
  expect(second.exitCode, second.all).toBe(0);
  expect(second.all).toMatch(/command:local:Command +a +update +\[diff: ~stdin\]/);
  expect(second.all).toMatch(/command:local:Command +b +replace +\[diff: ~triggers\]/);
  expect(second.all).toContain('a: "hush-hush" => "of-tomorrow"');

  const state = await pulumi(["stack", "export"]);
  expect(state.stdout).toContain(`"stderr": "there"`);
  expect(state.stdout).not.toContain(privateKey.split("\n")[1]);

  const failing = { local: { a: { ...changed.local.a, create: "echo why; exit 3" } } };
  const failed = await pulumi(["up", "--yes", "--skip-preview"], failing);
  expect(failed.exitCode).not.toBe(0);
  expect(failed.all).toContain('exit status 3: running "echo why; exit 3":');

  const destroyed = await pulumi(["destroy", "--yes", "--skip-preview"], changed);
  expect(destroyed.exitCode, destroyed.all).toBe(0);
  expect(await readFile(deleted, "utf8")).toBe("of-tomorrow");
}, 180_000);
