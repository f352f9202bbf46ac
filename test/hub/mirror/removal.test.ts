import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Cloud } from "../cloud.ts";
import { restic, World } from "../world.ts";

const DAY = 86_400_000;

let world: World;
let cloud: Cloud;

beforeEach(async () => {
  world = new World(["q"]);
  cloud = await Cloud.start(world);
});

afterEach(async () => {
  await cloud.close();
  await world.close();
});

/** The hub's repository with five more snapshots, and with all but the newest pruned. */
let full: string;
let pruned: string;

beforeAll(async () => {
  const maker = new World(["q"]);
  const folder = mkdtempSync(join(tmpdir(), "offsite-hub-"));
  [full, pruned] = [join(folder, "full"), join(folder, "pruned")];
  await maker.seed("q");
  for (let backup = 0; backup < 5; backup += 1) await maker.backup("q", 30_000, 1);
  cpSync(maker.at("q"), full, { recursive: true });
  await prune(maker);
  cpSync(maker.at("q"), pruned, { recursive: true });
  await maker.close();
  return () => rmSync(folder, { recursive: true });
}, 60_000);

/** Seven snapshots are mirrored; then all but the newest are pruned at the hub. */
async function mirrorThenPrune(): Promise<void> {
  hubBecomes(full);
  const run = await world.mirror();
  expect(run.exitCode).toBe(0);
  hubBecomes(pruned);
}

function hubBecomes(repository: string): void {
  rmSync(world.at("q"), { recursive: true, force: true });
  cpSync(repository, world.at("q"), { recursive: true });
}

async function prune(world: World): Promise<void> {
  const keep = ["--group-by", "", "--keep-last", "1", "--prune", "--max-unused", "0"];
  await restic(world, world.at("q"), "forget", "--quiet", ...keep);
}

/** Hides what is due, however much of the repository that is. */
async function remove(...args: string[]): ReturnType<World["mirror"]> {
  return await world.mirror("cloud", "--grace-days", "0", "--allow-removal", ...args);
}

/** What is in sight at the cloud and not at the hub. */
async function extras(): Promise<string[]> {
  const there = await cloud.rclone("lsf", "q", "--recursive", "--files-only");
  const hub = new Set(
    ["keys", "data", "index", "snapshots"].flatMap((kind) =>
      world.filesAt(world.repositories, "q", kind),
    ),
  );
  return there
    .split("\n")
    .filter((path) => path !== "config" && !hub.has(path.slice(path.lastIndexOf("/") + 1)));
}

/** The kinds of the files that were hidden, in the order in which they were. */
async function hiddenKinds(): Promise<string[]> {
  const markers = (await cloud.versions()).filter(({ action }) => action === "hide");
  markers.sort((a, b) => a.uploadTimestamp - b.uploadTimestamp);
  return markers.map(({ fileName }) => fileName.split("/")[2] ?? "");
}

const notes = (): string => join(world.state, "removals", "cloud", "q.json");

/** Makes the notes as old as they would be so many milliseconds later. */
function age(milliseconds: number): void {
  const stored = JSON.parse(readFileSync(notes(), "utf8")) as { batches: { age: number }[] };
  for (const batch of stored.batches) batch.age += milliseconds;
  writeFileSync(notes(), JSON.stringify(stored));
}

describe("removal at a cloud target", { timeout: 120_000 }, () => {
  it("hides what the hub pruned after the grace period, in the safe order, and recoverably", async () => {
    await mirrorThenPrune();
    const noted = await world.mirror("--allow-removal");
    expect(noted.exitCode).toBe(0);
    const gone = await extras();
    expect(gone.length).toBeGreaterThan(10);
    age(6.9 * DAY);
    expect(World.host(await world.mirror("--allow-removal"), "cloud", "q").hidden).toBe(0);
    expect(await hiddenKinds()).toEqual([]);
    age(0.1 * DAY);
    const dry = await world.mirror("--allow-removal", "--dry-run");
    expect(World.host(dry, "cloud", "q").hidden).toBe(gone.length);
    expect(await hiddenKinds()).toEqual([]);
    const before = new Date();
    const run = await world.mirror("--allow-removal");
    expect(run.exitCode).toBe(0);
    expect(World.host(run, "cloud", "q")).toMatchObject({
      outcome: "complete",
      verified: true,
      hidden: gone.length,
    });
    expect(await extras()).toEqual([]);
    const kinds = await hiddenKinds();
    expect(kinds).toHaveLength(gone.length);
    const order = ["snapshots", "index", "data"];
    expect(kinds).toEqual([...kinds].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
    expect(new Set(kinds)).toEqual(new Set(order));
    expect(cloud.b2.stats().operations.b2_delete_file_version ?? 0).toBe(0);
    await cloud.check("q");
    // As of the time before, all seven snapshots are there.
    await cloud.fetch("q", "--b2-version-at", before.toISOString());
    expect(world.filesAt(world.cloudData, "q", "snapshots")).toHaveLength(7);
    await world.check(world.cloudData, "q");
  });

  it("leaves a sound repository wherever it is killed, and goes on from there", async () => {
    await mirrorThenPrune();
    const stats = cloud.b2.stats.bind(cloud.b2);
    let hidden = 0;
    for (const reached of [2, 7, 12]) {
      cloud.b2.resetStats();
      const skip = Math.max(1, reached - hidden);
      const delay = { operation: "b2_hide_file", kind: "delay", milliseconds: 60_000 } as const;
      cloud.b2.faults.add({ ...delay, skip, count: null });
      const run = world.startMirror("cloud", "--grace-days", "0", "--allow-removal");
      while ((stats().operations.b2_hide_file ?? 0) <= skip) await setTimeout(10);
      if (run.pid !== undefined) process.kill(-run.pid, "SIGKILL");
      await run;
      cloud.b2.faults.clear();
      hidden = (await hiddenKinds()).length;
      // The server may still have had calls of the killed one to answer.
      expect(hidden).toBeGreaterThanOrEqual(reached);
      await cloud.check("q");
    }
    expect((await extras()).length).toBeGreaterThan(0);
    expect((await remove()).exitCode).toBe(0);
    expect(await extras()).toEqual([]);
    await cloud.check("q");
  });

  it("stops at a kind that could not be hidden whole, says so, and mends it with the next run", async () => {
    await mirrorThenPrune();
    cloud.b2.faults.add({ operation: "b2_hide_file", kind: "expired-token", skip: 8, count: null });
    const run = await remove();
    expect(run.exitCode).toBe(1);
    const report = World.host(run, "cloud", "q");
    expect(report).toMatchObject({ outcome: "complete", hidden: 8 });
    expect(report.errors.join()).toContain("could not be hidden");
    expect(new Set(await hiddenKinds())).toEqual(new Set(["snapshots", "index"]));
    await cloud.check("q");
    cloud.b2.faults.clear();
    expect((await remove()).exitCode).toBe(0);
    expect(await extras()).toEqual([]);
  });

  it("never removes anything at a rest-server", async () => {
    await world.addPeer();
    await mirrorThenPrune();
    const run = await world.mirror("--grace-days", "0", "--allow-removal");
    expect(World.host(run, "cloud", "q").hidden).toBeGreaterThan(10);
    expect(World.host(run, "peer", "q")).toMatchObject({ outcome: "complete", hidden: 0 });
    expect(world.requests().filter((line) => line.startsWith("DELETE"))).toEqual([]);
    expect(world.filesAt(world.peerData, "q", "snapshots")).toHaveLength(7);
    await world.check(world.peerData, "q");
  });

  it("asks before it hides more than half of a host's bytes", async () => {
    await mirrorThenPrune();
    const run = await world.mirror("--grace-days", "0");
    expect(run.exitCode).toBe(3);
    const report = World.host(run, "cloud", "q");
    expect(report).toMatchObject({ outcome: "complete", hidden: 0, errors: [] });
    expect(report.asks).toHaveLength(1);
    expect(run.stderr).toContain("--allow-removal");
    expect(await hiddenKinds()).toEqual([]);
  });

  it("begins anew when a file is back at the hub, or when its notes are lost", async () => {
    await mirrorThenPrune();
    await world.mirror("--allow-removal");
    age(30 * DAY);
    hubBecomes(full);
    await world.mirror("--allow-removal");
    hubBecomes(pruned);
    expect(World.host(await world.mirror("--allow-removal"), "cloud", "q").hidden).toBe(0);
    age(30 * DAY);
    rmSync(join(world.state, "removals"), { recursive: true });
    expect(World.host(await world.mirror("--allow-removal"), "cloud", "q").hidden).toBe(0);
    expect(await hiddenKinds()).toEqual([]);
    await cloud.check("q");
  });

  it("hides nothing that it did not send, nor what that may need", async () => {
    await mirrorThenPrune();
    await world.mirror("--allow-removal");
    const stranger = join(world.root, "stranger");
    writeFileSync(stranger, "not a snapshot");
    await cloud.put(stranger, `q/snapshots/${"ab".repeat(32)}`);
    const run = await remove();
    expect(run.exitCode).toBe(0);
    expect(World.host(run, "cloud", "q").hidden).toBe(0);
    expect(World.host(run, "cloud", "q").notices.join()).toContain("1 snapshot or index file that");
    expect(await extras()).toContain(`snapshots/${"ab".repeat(32)}`);
  });
});
