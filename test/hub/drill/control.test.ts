import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readResults } from "../../../hub/results.ts";
import { DrillWorld, HOST } from "./world.ts";

let world: DrillWorld;

beforeAll(async () => {
  world = new DrillWorld();
  await world.addPeer();
  world.init(HOST);
  await world.furnish();
  await world.save();
  await world.mirror();
});

afterAll(async () => {
  await world.close();
});

describe("a control", () => {
  it("passes when every breakage is noticed, and leaves the target as it is", async () => {
    const command: [string, ...string[]] = ["sh", "-c", `test -s .${world.data}/outline.sql`];
    world.setDrill({ checks: { [HOST]: [{ name: "dump", command }] } });
    const before = world.filesAt(world.peerData, HOST, "snapshots");
    const run = await world.drill("--control");
    expect(run.controls[0]?.errors).toEqual([]);
    expect(run.exitCode).toBe(0);
    expect(run.controls[0]?.breakages.map(({ what }) => what)).toEqual([
      `${world.data}/outline.sql, cut in half`,
      `${world.data}/app/vikunja.db, first page overwritten`,
      `${world.data}/app/vikunja.db, cut in half`,
      'check "dump", every file empty',
      'check "dump", every file gone',
      "a pack of the repository, one bit flipped",
      "a pack of the repository, cut in half",
      "a pack of the repository, removed",
    ]);
    expect(world.filesAt(world.peerData, HOST, "snapshots")).toEqual(before);
    expect(readdirSync(world.scratch)).toEqual([]);
    expect(readResults(world.state, "control")[0]?.last).toMatchObject({
      outcome: "ok",
      facts: { breakages: 8 },
    });
  });

  it("fails with a check that cannot fail, or cannot be made, and names it", async () => {
    const [program, none]: [string, string] = ["true", "/no/such/sqlite3"];
    world.setDrill({ checks: { [HOST]: [{ name: "blind", command: [program] }] }, sqlite3: none });
    const run = await world.drill("--control");
    expect(run.exitCode).toBe(1);
    expect(run.controls[0]?.errors).toEqual([
      `passes although broken: ${world.data}/app/vikunja.db, first page overwritten`,
      `passes although broken: ${world.data}/app/vikunja.db, cut in half`,
      'passes although broken: check "blind", every file empty',
      'passes although broken: check "blind", every file gone',
    ]);
    expect(readResults(world.state, "control")[0]?.last.outcome).toBe("failed");
  });
});
