import { mkdtemp, rm, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { expect, test } from "vitest";
import { buildAgent } from "../../tools/build.ts";

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
