/** `npm start -- --keep`, as somebody who wants to follow a runbook by hand. */
import { existsSync } from "node:fs";
import { execa } from "execa";
import { expect, it } from "vitest";
import { PROJECT, waitFor } from "../../../sandbox/world.ts";

it("says how to enter each machine's shell and how to lose one, and leaves nothing at Ctrl-C", async () => {
  const run = execa("npm", ["start", "--", "--keep"], {
    ...{ cwd: PROJECT, all: true, reject: false, detached: true, cleanup: false },
  });
  let said = "";
  run.all.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const printed = () => / a shell: sh (\S+)\/enter [\s\S]* pulumi: /.exec(said)?.[1];
  try {
    await waitFor("The sandbox", () => printed() !== undefined, {
      timeout: 14 * 60_000,
      failed: () => (run.exitCode === null ? undefined : said),
    });
    const world = printed() ?? "";
    const at = (machine: string, command: string) =>
      execa("sh", [`${world}/enter`, machine, "-c", command], { all: true, reject: false });

    const greeting = await execa("sh", [`${world}/enter`, "q"], { all: true, input: "exit\n" });
    expect(greeting.all).toMatch(/^ {2}HOST=q$/m);
    expect((await at("operator", "npx offsite verify --help")).exitCode).toBe(0);
    expect((await at("operator", "pulumi stack --show-name")).all).toMatch(/^sandbox-/);
    expect((await at("hub", "offsite-hub status")).exitCode).toBe(0);
    expect((await at("peer", "docker ps --format '{{.Names}}'")).all).toContain("fort-offsite-");
    expect((await at("q", "restic-offsite snapshots")).all).toMatch(/\d+ snapshots/);
    expect((await at("nobody", "true")).exitCode).toBe(2);

    const lost = await execa("sh", [`${world}/lose`, "q"], { all: true, reject: false });
    expect(lost.exitCode, lost.all).toBe(0);
    expect((await at("q", "restic-offsite snapshots")).exitCode).not.toBe(0);
    const after = await execa("sh", [`${world}/enter`, "operator"], { all: true, input: "exit\n" });
    expect(after.all).toMatch(/^ {2}HOST_PUBLIC_KEY='ssh-ed25519 \S+'$/m);
  } finally {
    interrupt(run.pid);
    await run;
  }
  expect(existsSync(printed() ?? ""), said).toBe(false);
});

/** Ctrl-C. */
function interrupt(group: number | undefined): void {
  try {
    if (group !== undefined) process.kill(-group, "SIGINT");
  } catch {
    // It has ended by itself.
  }
}
