import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AT_HUB } from "../../../hub/results.ts";
import type { HostAtTarget, StatusReport } from "../../../hub/status/report.ts";
import { World } from "../world.ts";
import { addTargets, DAY, goodNight, HOUR, look, record } from "./cluster.ts";

let world: World;

beforeAll(async () => {
  world = new World(["q", "joker"]);
  addTargets(world);
  for (const host of world.hosts) await world.seed(host);
});

beforeEach(async () => {
  rmSync(world.state, { recursive: true, force: true });
  await goodNight(world, world.hosts);
});

afterAll(async () => {
  await world.close();
});

function atPeer(report: StatusReport): HostAtTarget | undefined {
  return report.targets.peer?.hosts.q;
}

describe("what a target holds", () => {
  it("is fresh as of the start of the last mirror that was complete", async () => {
    const at = Date.now() - 10 * HOUR;
    record(world, "mirror", "peer", "q", { at });
    record(world, "mirror", "peer", "q", { at: at + HOUR, errors: ["the link is dead"] });
    const report = await look(world);
    expect(atPeer(report)).toMatchObject({ fresh: true, freshAsOf: new Date(at).toISOString() });
    expect(report.targets.peer?.freshAsOf).toBe(new Date(at).toISOString());
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatch(/^peer: q: the last mirror .* failed: the link is dead$/);
  });

  it("is not fresh once that is too long ago, however new the hub's snapshots are", async () => {
    record(world, "mirror", "peer", "q", { at: Date.now() - 49 * HOUR });
    const report = await look(world);
    expect(atPeer(report)?.fresh).toBe(false);
    expect(report.targets.peer?.fresh).toBe(false);
    expect(report.targets.cloud?.fresh).toBe(true);
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatch(/^peer: q: not fresh: complete as of .* 49 h ago/);
  });

  it("is not fresh after a verify that failed, until a mirror has been complete again", async () => {
    record(world, "mirror", "peer", "q", { at: Date.now() - 3 * HOUR });
    record(world, "verify", "peer", "q", {
      at: Date.now() - 2 * HOUR,
      errors: ["data/ab: missing", "data/cd: missing"],
      facts: { missing: 2 },
    });
    const failed = await look(world);
    expect(atPeer(failed)).toMatchObject({ fresh: false, freshAsOf: null });
    expect(failed.problems.join("\n")).toContain("data/ab: missing (and 1 more)");
    expect(failed.problems.join("\n")).toContain("a verify failed after the last complete mirror");
    record(world, "mirror", "peer", "q", { at: Date.now() - HOUR });
    expect(atPeer(await look(world))?.fresh).toBe(true);
  });

  it("is not fresh after a verify found damage, which no mirror sees, until one passes", async () => {
    const found = { errors: ["data/ab: damaged"], facts: { damaged: 1 } };
    record(world, "verify", "peer", "q", { at: Date.now() - 2 * HOUR, ...found });
    record(world, "mirror", "peer", "q", { at: Date.now() - HOUR });
    expect(atPeer(await look(world))?.freshAsOf).toBeNull();
    record(world, "verify", "peer", "q", { at: Date.now() });
    expect(atPeer(await look(world))?.fresh).toBe(true);
  });

  it("is not fresh as of a time that is yet to come", async () => {
    record(world, "mirror", "peer", "q", { at: Date.now() + DAY });
    const report = await look(world);
    expect(atPeer(report)?.fresh).toBe(false);
    expect(report.problems.join()).toContain("the hub's clock was wrong");
  });

  it("waits to be complete for what has arrived since, and for what was left over", async () => {
    const { waitingFiles } = atPeer(await look(world)) ?? {};
    expect(waitingFiles).toBe(0);
    record(world, "mirror", "peer", "q", { at: Date.now() - 60_000 });
    const all = (await look(world)).hosts.q;
    const since = atPeer(await look(world));
    expect(since?.waitingFiles).toBe(all?.files);
    expect(since?.waitingBytes).toBe(all?.bytes);
    record(world, "mirror", "peer", "q", {
      errors: ["the disk is full"],
      facts: { waitingFiles: 7, waitingBytes: 700 },
    });
    const left = await look(world);
    expect(atPeer(left)).toMatchObject({ waitingFiles: 7, waitingBytes: 700 });
    expect(left.targets.peer).toMatchObject({ waitingFiles: 7, waitingBytes: 700 });
  });

  it("waits with everything where nothing was ever mirrored", async () => {
    rmSync(join(world.state, "results", "mirror", "peer"), { recursive: true });
    const report = await look(world);
    expect(atPeer(report)?.waitingFiles).toBe(report.hosts.q?.files);
    expect(report.problems).toEqual([
      "peer: q, joker: not fresh: no mirror of it has been completed yet. Look at the mirror",
    ]);
  });
});

describe("what the commands really leave", () => {
  it("is a good night, and then a host whose peer is down and whose file is rotten", async () => {
    const real = new World(["q", "joker"]);
    try {
      await real.addPeer();
      for (const host of real.hosts) await real.seed(host);
      const before = Date.now();
      expect((await real.mirror()).exitCode).toBe(0);
      expect((await real.run("verify", "--wait", "0")).stderr).toBe("");
      const good = await look(real);
      expect(good.problems).toEqual([]);
      expect(good.notices).toEqual(["peer: q, joker: no drill yet"]);
      expect(good.targets.peer).toMatchObject({ reachable: true, fresh: true, waitingFiles: 0 });
      expect(atPeer(good)).toMatchObject({ snapshots: 2, credential: { age: "current" } });
      expect(Date.parse(atPeer(good)?.freshAsOf ?? "")).toBeGreaterThanOrEqual(before);
      expect(atPeer(good)?.verify?.facts.files).toBe(good.hosts.q?.files);
      await real.backup("q");
      expect(atPeer(await look(real))?.waitingFiles).toBeGreaterThan(2);
      const names = real.filesAt(real.repositories, "q", "data");
      const added = names.filter(
        (name) => !real.filesAt(real.peerData, "q", "data").includes(name),
      );
      const path = join(real.at("q"), "data", added[0]?.slice(0, 2) ?? "", added[0] ?? "");
      chmodSync(path, 0o600);
      writeFileSync(path, "rotten", { flag: "a" });
      await real.mirror();
      await real.stopPeer();
      await real.run("verify", "--wait", "0");
      const bad = await look(real);
      const problems = bad.problems.join("\n");
      expect(problems).toMatch(/^peer: q: the last mirror .* rotten at the hub/m);
      expect(problems).toMatch(/^q: the last verify of the hub's own files .* failed/m);
      expect(problems).toMatch(/^peer: q, joker: the last verify .*ECONNREFUSED/m);
      expect(bad.targets.peer).toMatchObject({ reachable: false, fresh: false });
      expect(atPeer(bad)?.waitingFiles).toBeGreaterThan(2);
    } finally {
      await real.close();
    }
  });
});

describe("a target", () => {
  it("was not reachable where its last run got no answer", async () => {
    for (const host of world.hosts) {
      record(world, "mirror", "peer", host, {
        at: Date.now() + 1000,
        errors: ["connect ECONNREFUSED"],
        facts: { credential: null },
      });
    }
    const report = await look(world);
    expect(report.targets.peer?.reachable).toBe(false);
    expect(report.targets.cloud?.reachable).toBe(true);
    // One line for both hosts.
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatch(/^peer: q, joker: the last mirror .*ECONNREFUSED$/);
  });

  it("shows which credential it took and its generation, and who owes a deployment", async () => {
    record(world, "mirror", "peer", "q", { facts: { credential: "next" } });
    record(world, "mirror", "peer", "joker", { facts: { credential: "previous", generation: 9 } });
    const report = await look(world);
    expect(report.problems).toEqual([]);
    expect(atPeer(report)?.credential).toMatchObject({ age: "next", generation: 3 });
    expect(report.targets.peer?.credential).toMatchObject({ age: "previous", generation: 9 });
    expect(report.targets.cloud?.credential).toMatchObject({ age: "current", generation: 1 });
    expect(report.notices.join("\n")).toMatch(/^peer: q: .*the hub still owes a deployment\./m);
    expect(report.notices.join("\n")).toMatch(/^peer: joker: .*the target still owes/m);
    const without = await look(world, { credentials: undefined });
    expect(atPeer(without)?.credential).toMatchObject({ age: "next", generation: null });
  });

  it("shows when which generation was last accepted, by a mirror or a verify", async () => {
    const [before, after] = ["2026-08-30T02:00:00.000Z", "2026-08-30T06:00:00.000Z"];
    record(world, "mirror", "peer", "q", {
      facts: { credential: "current", generation: 3, accepted: before },
    });
    record(world, "verify", "peer", "q", {
      facts: { credential: "previous", generation: 2, accepted: after },
    });
    const expected = { age: "previous", generation: 2, lastUsed: after };
    expect(atPeer(await look(world))?.credential).toEqual(expected);
  });

  it("says before a cloud's key ends, and after, with the way out", async () => {
    const key = (role: "current" | "next" | "restore", days: number) => ({
      ...{ role, generation: role === "next" ? 2 : 1, accepted: true },
      expires: new Date(Date.now() + days * 86_400_000 + 60_000).toISOString(),
    });
    const keys = [key("current", 20), key("next", 60), key("restore", 29)];
    record(world, "verify", "cloud", "*", { facts: { keys } });
    const now = await look(world);
    expect(now.problems).toEqual([]);
    expect(now.targets.cloud?.keys).toEqual(keys);
    const notices = now.notices.filter((line) => line.includes("key ends on"));
    expect(notices).toHaveLength(2);
    expect(notices[0]).toMatch(
      /^cloud: the hub's current key ends on \S+, in 20 days: run offsite rotate cloud and deploy/,
    );
    const later = await look(world, { later: 35 * 86_400_000 });
    const ended = later.problems.filter((line) => line.includes("key ended on"));
    expect(ended).toHaveLength(2);
    expect(later.notices.join("\n")).toMatch(/the hub's next key ends on .* twice/);
    // After a rotation they are others, of which the next verify tells.
    const held = structuredClone(world.credentials);
    if (held.targets.cloud?.type === "b2") held.targets.cloud.generation = 2;
    expect((await look(world, { credentials: held })).targets.cloud?.keys).toEqual([]);
  });

  it("has problems where a verify, drill, control, rehearsal or prune failed or is overdue", async () => {
    record(world, "drill", "peer", "q", { errors: ["restic restore: exit code 1"] });
    record(world, "control", "cloud", "q", { errors: ["a truncated dump passed"] });
    record(world, "thief", "cloud", "*", { errors: ["verify noticed nothing"] });
    record(world, "prune", AT_HUB, "joker", { errors: ["it would remove more than usual"] });
    const problems = (await look(world)).problems.join("\n");
    expect(problems).toMatch(/^peer: q: the last drill \(.*\) failed: restic restore/m);
    expect(problems).toMatch(/^cloud: q: the last drill --control .* a truncated dump passed$/m);
    expect(problems).toMatch(/^cloud: the last drill --thief .* verify noticed nothing$/m);
    expect(problems).toMatch(/^joker: the last prune .* more than usual$/m);
    const at = Date.now() - 50 * DAY;
    for (const kind of ["verify", "drill"] as const) {
      rmSync(join(world.state, "results", kind), { recursive: true });
      record(world, kind, "cloud", "q", { at });
    }
    record(world, "prune", AT_HUB, "q", { at });
    const late = (await look(world)).problems.join("\n");
    expect(late).toMatch(/^cloud: q: the last verify is 50 d old, and 9 d are allowed/m);
    expect(late).toMatch(/^cloud: q: the last drill is 50 d old, and 40 d are allowed/m);
    expect(late).toMatch(/^q: the last prune is 50 d old, and 3 d are allowed/m);
  });
});
