import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { keptBy } from "../../../hub/prune/retention.ts";
import { parseSnapshots } from "../../../hub/prune/snapshot.ts";
import { restic } from "../world.ts";
import { DAY, hostOf, HOUR, OwnedWorld } from "./owned-world.ts";

const RETENTION = { daily: 7, weekly: 4, monthly: 6 };
const FLAGS = ["--keep-daily", "7", "--keep-weekly", "4", "--keep-monthly", "6"];

let world: OwnedWorld;

afterEach(async () => {
  await world.close();
});

async function snapshots() {
  return parseSnapshots(await restic(world, world.at("q"), "snapshots", "--json", "--no-lock"));
}

/** What restic itself would keep of the repository, without any guard. */
async function resticKeeps(): Promise<string[]> {
  const args = ["forget", "--dry-run", "--no-lock", "--json", ...FLAGS];
  const told = await restic(world, world.at("q"), ...args);
  const groups = JSON.parse(told) as { keep: { id: string }[] }[];
  return groups.flatMap(({ keep }) => keep.map(({ id }) => id));
}

describe("prune of a repository in which a thief may append", () => {
  it("keeps every good snapshot, where restic's own policy keeps those of the thief alone", async () => {
    world = await OwnedWorld.make(["q"]);
    const good = world.days("q", 200);
    const due = keptBy(await snapshots(), RETENTION);
    // At the end of each day, and so of each week and month; and one of the distant future.
    const evil = good.map((_, day) => {
      const end = new Date(Date.now() - (day + 1) * DAY).setUTCHours(23, 59, 59, 0);
      return world.forged("q", end, Date.now());
    });
    evil.push(world.forged("q", Date.now() + 400 * DAY, Date.now()));
    const fallen = await resticKeeps();
    expect(fallen.filter((id) => good.slice(0, -1).includes(id))).toEqual([]);
    const run = await world.prune("--allow-removal");
    expect(run.exitCode).toBe(0);
    const left = world.snapshotsOf("q");
    expect(left.filter((id) => good.includes(id))).toEqual([...due].sort());
    expect(left.filter((id) => evil.includes(id))).toEqual(evil.toSorted());
    // Yesterday's could be that of a long backup; it takes nobody's place for two days.
    expect(hostOf(run, "q").suspicious.length).toBeGreaterThanOrEqual(evil.length - 2);
    expect(run.stderr).toContain("suspicious, counts for nothing and stays");
    expect(run.stderr).toContain("arrived in 24 hours");
  });

  it("lets no almost empty snapshot take the place of a good one", async () => {
    world = await OwnedWorld.make(["q"]);
    const good = world.days("q", 3, 5_000_000_000);
    const noon = new Date().setUTCHours(12, 0, 0, 0);
    const empty = good.map((_, day) => {
      const evening = noon - (day + 1) * DAY + 11 * HOUR;
      return world.forged("q", evening, evening + 60_000, 0);
    });
    const run = await world.prune("--keep-hours", "0", "--allow-removal");
    expect(run.exitCode).toBe(0);
    expect(world.snapshotsOf("q")).toEqual([...good, ...empty].sort());
    expect(
      hostOf(run, "q")
        .suspicious.map(({ id }) => id)
        .sort(),
    ).toEqual(empty.toSorted());
    expect(hostOf(run, "q").suspicious[0]?.reason).toContain("holds 0 B");
    // The operator knows that the host is so small now.
    const newest = empty[0] ?? "";
    const trusting = await world.prune("--trust", newest, "--keep-hours", "0");
    expect(hostOf(trusting, "q").suspicious).toHaveLength(2);
    expect(world.snapshotsOf("q")).toContain(newest);
    expect(world.snapshotsOf("q")).not.toContain(good[0]);
  });

  it("counts a snapshot that the operator trusts, from then on", async () => {
    world = await OwnedWorld.make(["q"]);
    const days = world.days("q", 3);
    const moved = world.forged("q", Date.now() - 90 * DAY, Date.now());
    const before = await world.prune();
    expect(hostOf(before, "q").suspicious.map(({ id }) => id)).toEqual([moved]);
    expect(hostOf(before, "q").suspicious[0]?.reason).toContain("90 days before its file arrived");
    const dry = await world.prune("--trust", moved.slice(0, 12), "--dry-run");
    expect(hostOf(dry, "q").suspicious).toEqual([]);
    expect(hostOf(await world.prune(), "q").suspicious).toHaveLength(1);
    await world.prune("--trust", moved.slice(0, 12));
    const after = await world.prune();
    expect(hostOf(after, "q")).toMatchObject({ outcome: "pruned", suspicious: [] });
    expect(world.snapshotsOf("q")).toEqual([...days, moved].sort());
  });

  it("says in one line that a hub was restored, and goes on once all are trusted", async () => {
    world = await OwnedWorld.make(["q"]);
    world.days("q", 30);
    touchAll();
    const run = await world.prune();
    expect(run.exitCode).toBe(0);
    expect(hostOf(run, "q")).toMatchObject({ removed: [], kept: 30 });
    const lines = run.stderr.split("\n").filter((line) => line.includes("suspicious"));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain("offsite-hub prune q --trust-all");
    const trusting = await world.prune("q", "--trust-all", "--keep-hours", "0", "--allow-removal");
    expect(hostOf(trusting, "q").suspicious).toEqual([]);
    expect(world.snapshotsOf("q")).toHaveLength(hostOf(trusting, "q").kept);
    expect(world.snapshotsOf("q").length).toBeLessThan(17);
  });

  it("takes the arrivals that a mirror remembers where a copy has lost them", async () => {
    world = await OwnedWorld.make(["q"]);
    world.addCloud();
    world.days("q", 20);
    expect((await world.mirror()).exitCode).toBe(0);
    touchAll();
    const run = await world.prune("--allow-removal");
    expect(hostOf(run, "q").suspicious).toEqual([]);
    expect(hostOf(run, "q").removed.length).toBeGreaterThan(3);
  });

  it("names the snapshot over which restic's prune stumbles", async () => {
    world = await OwnedWorld.make(["q"]);
    world.days("q", 1);
    const time = new Date().toISOString();
    const broken = world.forge("q").snapshot({ tree: "12".repeat(32) }, { time });
    const run = await world.prune();
    expect(run.exitCode).toBe(1);
    const [error = ""] = hostOf(run, "q").errors;
    expect(error).toContain(`restic prune: id ${"12".repeat(32)} not found in repository. `);
    expect(error).toContain(`restic forget ${broken.slice(0, 8)}`);
  });

  it("removes nothing where a file cannot be read as a snapshot, and names it", async () => {
    world = await OwnedWorld.make(["q"]);
    world.days("q", 20);
    // Over so short a one, restic crashes.
    for (const bytes of [200, 8]) {
      const name = world.junk("q", bytes);
      const run = await world.prune("--allow-removal");
      expect(run.exitCode).toBe(1);
      const [error = ""] = hostOf(run, "q").errors;
      expect(error).toContain("nothing was removed");
      expect(error).toContain(`snapshots/${name}`);
    }
    expect(world.snapshotsOf("q")).toHaveLength(22);
  });
});

function touchAll(): void {
  const folder = join(world.at("q"), "snapshots");
  for (const name of readdirSync(folder)) utimesSync(join(folder, name), new Date(), new Date());
}
