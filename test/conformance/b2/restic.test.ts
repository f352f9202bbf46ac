import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { ConformanceWorld, noise } from "./world.ts";

let world: ConformanceWorld;
let bucketId: string;
beforeAll(async () => {
  world = await ConformanceWorld.start();
  bucketId = await world.master.createBucket("restic-bucket");
});
afterAll(async () => world.stop());

// Without --b2-hard-delete, which restic adds by itself, rclone hides: a key need not delete.
const hiding = ["-o", "rclone.args=serve restic --stdio"];

async function restic(repository: string, ...parameters: string[]): Promise<string> {
  return world.ok("restic", "-r", `rclone:${repository}`, ...parameters);
}

describe("restic through rclone", () => {
  it("backs up, checks, restores, forgets and prunes", async () => {
    const repository = "master:restic-bucket/full";
    await restic(repository, "init");
    const source = await world.write("home", { "docs/a": "one", big: noise(20_000_000, 3) });
    await restic(repository, "backup", source);
    await world.write("home", { "docs/b": "two" });
    await restic(repository, "backup", source);
    await restic(repository, "check", "--read-data");
    await restic(repository, "forget", "--keep-last", "1", "--prune");
    await restic(repository, "check");
    await restic(repository, "restore", "latest", "--target", world.path("restored"));
    const restored = Object.values(await world.read("restored"));
    expect(restored.toSorted()).toEqual(Object.values(await world.read("home")).toSorted());
  });

  it("backs up and restores with a key that can neither delete nor leave its prefix", async () => {
    await world.addRestrictedRemote("host", {
      bucketId,
      namePrefix: "host/",
      capabilities: ["listBuckets", "listFiles", "readFiles", "writeFiles"],
    });
    const repository = "host:restic-bucket/host/repo";
    const source = await world.write("small", { a: "a" });
    await restic(repository, ...hiding, "init");
    await restic(repository, ...hiding, "backup", source);
    const snapshots = await restic(repository, ...hiding, "snapshots", "--json");
    expect(JSON.parse(snapshots)).toHaveLength(1);
    await restic(repository, ...hiding, "check");
    const locks = await world.rclone("lsf", "-R", `master:restic-bucket/host/repo/locks`);
    expect(locks).toBe("");
    const versions = await world.master.ok("list_file_versions", {
      bucketId,
      prefix: "host/repo/",
      maxFileCount: 1000,
    });
    expect(versions.files.some((file) => file.action === "hide")).toBe(true);
    await restic(repository, "--no-lock", "restore", "latest", "--target", world.path("small2"));
    expect(Object.values(await world.read("small2"))).toEqual(
      Object.values(await world.read("small")),
    );
  });
});
