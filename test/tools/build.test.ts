import { cp, mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { buildAgent, linkCommands } from "../../tools/build.ts";

test("the hub's agent is one file that needs Node.js alone", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "agent-"));
  try {
    const file = path.join(folder, "offsite-hub.mjs");
    await buildAgent(file);
    expect((await stat(file)).mode & 0o111).not.toBe(0);
    const { stdout } = await execa(file, ["--help"], {
      cwd: folder,
      env: { PATH: `${path.dirname(process.execPath)}:/usr/bin:/bin`, NODE_PATH: "" },
      extendEnv: false,
    });
    expect(stdout).toContain("offsite-hub");
    expect(stdout).toContain("mirror");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("npx finds the operator's commands, which ask for their packages where these are missing", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "offsite-"));
  try {
    const root = path.dirname(path.dirname(import.meta.dirname));
    await mkdir(path.join(folder, "cli"));
    for (const file of ["package.json", "cli/offsite.mjs"]) {
      await cp(path.join(root, file), path.join(folder, file));
    }
    await linkCommands(folder);
    await linkCommands(folder);
    const npx = await execa("npx", ["--offline", "offsite", "doctor"], {
      cwd: folder,
      reject: false,
      all: true,
    });
    expect(npx.exitCode, npx.all).toBe(1);
    expect(npx.stderr).toContain(
      `offsite needs its npm packages. Install them first: cd ${folder} && npm ci`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
