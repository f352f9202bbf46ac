import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";

let folder: string;

/** A project with one package, and an `npm` that installs it. */
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "bootstrap-"));
  await mkdir(path.join(folder, "tools"));
  await copyFile("tools/bootstrap.mjs", path.join(folder, "tools", "bootstrap.mjs"));
  await json("package.json", { type: "module", engines: { node: ">=20.19" } });
  await lock("1.0.0");
  await write("main.ts", "console.log((process.argv as string[]).slice(1).join());\n");
  const npm = await write(
    "bin/npm",
    `#!/bin/sh
echo "npm $*" >> npm.log
mkdir -p node_modules
ln -sfn "${path.resolve("node_modules/tsx")}" node_modules/tsx
ln -sfn "${path.resolve("node_modules/esbuild")}" node_modules/esbuild
cp package-lock.json node_modules/.package-lock.json
`,
  );
  await chmod(npm, 0o755);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(file: string, text: string): Promise<string> {
  const full = path.join(folder, file);
  await mkdir(path.dirname(full), { recursive: true });
  await writeFile(full, text);
  return full;
}

async function json(file: string, value: object): Promise<void> {
  await write(file, JSON.stringify(value));
}

async function lock(version: string): Promise<void> {
  await json("package-lock.json", {
    packages: {
      "": {},
      "node_modules/a": { version },
      "node_modules/b": { version: "1.0.0", optional: true },
    },
  });
}

async function run() {
  return await execa(process.execPath, ["tools/bootstrap.mjs", "main.ts", "a", "b c"], {
    cwd: folder,
    env: {
      PATH: `${path.join(folder, "bin")}${path.delimiter}/usr/bin${path.delimiter}/bin`,
      npm_execpath: "",
    },
    reject: false,
  });
}

const installs = async () =>
  (await readFile(path.join(folder, "npm.log"), "utf8").catch(() => "")).split("\n").length - 1;

test("installs what a fresh clone lacks, once, and runs TypeScript with its arguments", async () => {
  const first = await run();
  expect(first.stdout, first.stderr).toBe(`${path.join(folder, "main.ts")},a,b c`);
  expect(await installs()).toBe(1);
  expect((await run()).stderr).toBe("");
  expect(await installs()).toBe(1);
});

test("installs again when package-lock.json names another version", async () => {
  await run();
  await lock("1.1.0");
  await run();
  expect(await installs()).toBe(2);
});

test("asks for a newer Node.js before anything else", async () => {
  await json("package.json", { type: "module", engines: { node: ">=99.1" } });
  const { stderr, exitCode } = await run();
  expect(exitCode).toBe(1);
  expect(stderr).toBe(
    `fort-offsite needs Node.js >=99.1, this is ${process.versions.node} (${process.execPath}). Get a newer one from https://nodejs.org or your system's packages.`,
  );
  expect(await installs()).toBe(0);
});

test("stops when npm fails", async () => {
  await write("bin/npm", "#!/bin/sh\necho 'npm error network' >&2\nexit 1\n");
  const { stderr, exitCode, stdout } = await run();
  expect(exitCode).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/npm error network\nnpm ci failed/);
});
