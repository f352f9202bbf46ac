import { rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { unexplained } from "../../../hub/mirror/shrinkage.ts";
import { World } from "../world.ts";

const RETENTION = { daily: 7, weekly: 4, monthly: 6 };
const DAY = 86_400_000;
const NOON = Date.UTC(2026, 5, 15, 12);

/** A snapshot a day, the newest today. */
function days(count: number): Map<string, number> {
  return new Map(Array.from({ length: count }, (_, day) => [`s${day}`, NOON - day * DAY]));
}

describe("unexplained", () => {
  it("finds nothing when nothing went", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: NOON })), (times) => {
        const all = new Map(times.map((time, at) => [String(at), time]));
        expect(unexplained(all, all, RETENTION)).toBe(0);
      }),
    );
  });

  it("finds nothing when a prune took years of daily snapshots down to the retention", () => {
    const before = days(800);
    const kept = [0, 1, 2, 3, 4, 5, 6, 8, 15, 22];
    const months = [...before].filter(([, time]) => new Date(time + DAY).getUTCDate() === 1);
    const now = new Map([
      ...kept.map((day) => [`s${day}`, NOON - day * DAY] as const),
      ...months.slice(0, 6),
    ]);
    expect(unexplained(before, now, RETENTION)).toBe(0);
  });

  it("counts what should have been kept, also when new snapshots came", () => {
    expect(unexplained(days(30), new Map(), RETENTION)).toBeGreaterThan(7);
    expect(unexplained(days(30), new Map([["new", NOON + DAY]]), RETENTION)).toBeGreaterThan(7);
    expect(unexplained(days(30), days(2), RETENTION)).toBeGreaterThan(5);
  });
});

describe("a hub that lost its snapshots", { timeout: 60_000 }, () => {
  let world: World;

  afterEach(async () => {
    await world.close();
  });

  it("is refused once there is something to compare with, until removal is allowed", async () => {
    world = new World(["q"]);
    await world.addPeer();
    await world.seed("q");
    const snapshots = join(world.at("q"), "snapshots");
    const names = world.filesAt(world.repositories, "q", "snapshots");
    names.forEach((name, day) => {
      const time = (NOON - day * DAY) / 1000;
      utimesSync(join(snapshots, name), time, time);
    });
    expect((await world.mirror()).exitCode).toBe(0);
    for (const name of names) rmSync(join(snapshots, name));
    const refused = await world.mirror();
    expect(refused.exitCode).toBe(3);
    expect(World.host(refused, "peer", "q").outcome).toBe("refused");
    expect(World.host(refused, "peer", "q").asks.join()).toContain("lost 2 snapshots");
    expect(refused.stderr).toContain("--allow-removal");
    const allowed = await world.mirror("--allow-removal");
    expect(World.host(allowed, "peer", "q").outcome).toBe("complete");
    expect((await world.mirror()).exitCode).toBe(0);
    expect(world.filesAt(world.peerData, "q", "snapshots")).toEqual(names);
  });
});
