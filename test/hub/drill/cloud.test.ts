import { createHash } from "node:crypto";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readResults } from "../../../hub/results.ts";
import { Cloud } from "../cloud.ts";
import { DrillWorld, HOST } from "./world.ts";

let world: DrillWorld;
let cloud: Cloud;

beforeAll(async () => {
  world = new DrillWorld();
  cloud = await Cloud.start(world.asWorld());
  await world.useRestoreKey(cloud);
  world.init(HOST);
  await world.furnish();
  await world.save();
  const mirror = await world.mirror();
  expect(mirror.exitCode).toBe(0);
  world.ignoreDump();
});

afterAll(async () => {
  await cloud.close();
  await world.close();
});

describe("a drill from a cloud", () => {
  it("restores with the restore key, and writes nothing there", async () => {
    const before = (await cloud.versions()).length;
    cloud.b2.resetStats();
    const run = await world.drill();
    expect(run.stderr).not.toContain("error");
    expect(run.exitCode).toBe(0);
    expect(run.drills[0]).toMatchObject({ outcome: "ok", target: "cloud", credential: "restore" });
    expect(run.drills[0]?.snapshots[0]?.files).toBe(4);
    expect(await cloud.versions()).toHaveLength(before);
    const { operations } = cloud.b2.stats();
    const writes = Object.keys(operations).filter((name) => /upload|hide|delete/.test(name));
    expect(writes).toEqual([]);
  });
});

describe("the rehearsal of a theft", () => {
  it("notices what is hidden and overwritten, brings it back, and touches only its canary", async () => {
    // Of a rehearsal that was killed.
    const left = join(world.root, "left");
    writeFileSync(left, "left behind");
    const name = createHash("sha256").update("left behind").digest("hex");
    await cloud.put(left, `offsite-canary/thief-dead/data/${name.slice(0, 2)}/${name}`);
    const before = await cloud.versions();
    const run = await world.thief();
    expect(run.stderr).not.toContain("error");
    expect(run.exitCode).toBe(0);
    expect(run.thefts[0]).toMatchObject({ outcome: "ok", files: 6, notices: [] });
    const after = await cloud.versions();
    const isNew = (each: (typeof after)[number]): boolean =>
      !before.some((old) => old.fileName === each.fileName);
    const fresh = after.filter(isNew);
    expect(fresh.every(({ fileName }) => fileName.startsWith("restic/offsite-canary/thief-"))).toBe(
      true,
    );
    // What was there is as it was, but for the leftover, which is hidden.
    expect(after.length - fresh.length).toBe(before.length + 1);
    // Six were sent, one of them hidden, one overwritten, both sent again, and all hidden.
    expect(fresh.map(({ action }) => action).filter((each) => each === "upload")).toHaveLength(9);
    expect(fresh.map(({ action }) => action).filter((each) => each === "hide")).toHaveLength(7);
    expect(await cloud.rclone("lsf", "offsite-canary", "-R", "--files-only")).toBe("");
    expect(readResults(world.state, "thief")[0]).toMatchObject({ place: "cloud", host: "*" });
    expect(readdirSync(world.scratch)).toEqual([]);
  });

  it("fails when the bucket does not give back what was there", async () => {
    await world.useRestoreKey(cloud, "no such key");
    const run = await world.thief();
    expect(run.exitCode).toBe(1);
    expect(run.thefts[0]?.errors).toHaveLength(1);
    expect(run.thefts[0]?.errors[0]).toContain("rclone copy");
    expect(await cloud.rclone("lsf", "offsite-canary", "-R", "--files-only")).toBe("");
    expect(run.stdout + run.stderr).not.toContain("no such key");
    await world.useRestoreKey(cloud);
  });
});
