import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Client, type Setup, setUp } from "./harness.ts";

const day = 24 * 60 * 60 * 1000;

let setup: Setup;
beforeEach(async () => {
  setup = await setUp();
});
afterEach(async () => setup.stop());

async function advance(days: number): Promise<void> {
  const { emulator, master } = setup;
  emulator.clock.advance(days * day);
  const fresh = await Client.authorize(
    emulator,
    emulator.applicationKeyId,
    emulator.applicationKey,
  );
  master.token = fresh.token;
}

async function bucketWith(rule: object, more: object = {}): Promise<string> {
  return setup.master.createBucket("lifecycle-bucket", {
    lifecycleRules: [{ fileNamePrefix: "p/", ...rule }],
    ...more,
  });
}

describe("lifecycle rules", () => {
  it("delete a version so many days after it was hidden, and then the marker", async () => {
    const { emulator, master } = setup;
    const bucketId = await bucketWith({ daysFromHidingToDeleting: 3 });
    await master.put(bucketId, "p/a", "first");
    await master.put(bucketId, "q/a", "out of the rule");
    await advance(10);
    await master.ok("hide_file", { bucketId, fileName: "p/a" });
    await master.ok("hide_file", { bucketId, fileName: "q/a" });
    await advance(2);
    expect(await master.versions(bucketId)).toEqual([
      "hide p/a",
      "upload p/a",
      "hide q/a",
      "upload q/a",
    ]);
    await advance(2);
    expect(await master.versions(bucketId)).toEqual(["hide q/a", "upload q/a"]);
    expect(emulator.stats().storedBytes).toBe("out of the rule".length);
  });

  it("delete an old version so many days after a newer one came", async () => {
    const { master } = setup;
    const bucketId = await bucketWith({ daysFromHidingToDeleting: 1 });
    await master.put(bucketId, "p/a", "1");
    await master.put(bucketId, "p/a", "2");
    await advance(1);
    expect(await master.versions(bucketId)).toEqual(["upload p/a"]);
    expect(await (await master.download("/file/lifecycle-bucket/p/a")).text()).toBe("2");
    await advance(100);
    expect(await master.versions(bucketId)).toEqual(["upload p/a"]);
  });

  it("hide a file so many days after its upload, and go on from there in one long step", async () => {
    const { master } = setup;
    const bucketId = await bucketWith({
      daysFromUploadingToHiding: 2,
      daysFromHidingToDeleting: 5,
    });
    await master.put(bucketId, "p/a");
    await advance(3);
    expect(await master.versions(bucketId)).toEqual(["hide p/a", "upload p/a"]);
    await master.put(bucketId, "p/b");
    await advance(30);
    expect(await master.versions(bucketId)).toEqual([]);
  });

  it("cancel unfinished large files", async () => {
    const { emulator, master } = setup;
    const bucketId = await bucketWith({ daysFromStartingToCancelingUnfinishedLargeFiles: 2 });
    await master.startLarge(bucketId, "p/big", [Buffer.from("part")]);
    await master.startLarge(bucketId, "q/big", [Buffer.from("part")]);
    await advance(2);
    expect(await master.versions(bucketId)).toEqual(["start q/big"]);
    expect(emulator.stats().storedBytes).toBe(4);
  });

  it("leave locked versions until they are free", async () => {
    const { emulator, master } = setup;
    const bucketId = await bucketWith({ daysFromHidingToDeleting: 1 }, { fileLockEnabled: true });
    await master.put(bucketId, "p/a", "x", {
      "X-Bz-File-Retention-Mode": "compliance",
      "X-Bz-File-Retention-Retain-Until-Timestamp": String(emulator.clock.now() + 10 * day),
    });
    await master.ok("hide_file", { bucketId, fileName: "p/a" });
    await advance(5);
    expect(await master.versions(bucketId)).toEqual(["hide p/a", "upload p/a"]);
    await advance(6);
    expect(await master.versions(bucketId)).toEqual([]);
  });
});
