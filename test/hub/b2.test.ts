import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cloud } from "./cloud.ts";
import { PASSWORD, World } from "./world.ts";

const HOSTS = ["drhorrible", "q", "ursula", "raishan", "joker", "lordhenry", "minos"];

let world: World;
let cloud: Cloud;

beforeEach(async () => {
  world = new World(HOSTS);
  cloud = await Cloud.start(world);
});

afterEach(async () => {
  await cloud.close();
  await world.close();
});

const BAD_KEY = "account = 000000000000000000000000a\nkey = K000thisisnokeyofanybody\n";

describe("a mirror to B2", { timeout: 120_000 }, () => {
  it("copies seven hosts, and makes at most 10 calls of class B or C when nothing is new", async () => {
    for (const host of HOSTS) await world.seed(host);
    const first = await world.mirror();
    expect(first.stderr).not.toContain("error");
    for (const host of HOSTS) {
      expect(World.host(first, "cloud", host)).toMatchObject({ outcome: "complete", snapshots: 2 });
    }
    await cloud.check("q");
    await cloud.check("minos");
    cloud.b2.resetStats();
    const second = await world.mirror();
    expect(second.exitCode).toBe(0);
    const { operations, transactions } = cloud.b2.stats();
    expect(transactions.B + transactions.C).toBeLessThanOrEqual(10);
    expect(operations.b2_upload_file ?? 0).toBe(0);
    for (const host of HOSTS) expect(World.host(second, "cloud", host).files).toBe(0);
  });

  it("sends each new file once, without asking for any of them, and deletes nothing", async () => {
    for (const host of HOSTS.slice(0, 3)) await world.seed(host);
    await world.mirror();
    const before = (await cloud.versions()).length;
    await world.backup("q", 30_000_000, 12);
    cloud.b2.resetStats();
    const run = await world.mirror();
    const { operations, transactions } = cloud.b2.stats();
    const { files } = World.host(run, "cloud", "q");
    expect(files).toBeGreaterThan(3);
    expect(operations.b2_upload_file).toBe(files);
    // One listing, then a run of rclone for each of data, index and snapshots.
    expect(transactions.B + transactions.C).toBeLessThanOrEqual(20);
    expect(operations.b2_delete_file_version ?? 0).toBe(0);
    expect(operations.b2_hide_file ?? 0).toBe(0);
    expect(await cloud.versions()).toHaveLength(before + files);
    await cloud.check("q");
  });

  it("takes the next key when the current one is refused, and says so", async () => {
    await world.seed("q");
    cloud.useKeys(BAD_KEY, await cloud.syncKey());
    const run = await world.mirror();
    expect(run.exitCode).toBe(0);
    expect(run.report.targets.cloud?.credential).toBe("next");
    expect(run.stderr).toContain("owes a deployment");
    expect(World.host(run, "cloud", "q").outcome).toBe("complete");
  });

  it("fails with one line and no secret when both keys are refused", async () => {
    await world.seed("q");
    cloud.useKeys(BAD_KEY, BAD_KEY);
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    expect(run.report.targets.cloud?.errors).toHaveLength(1);
    expect(run.report.targets.cloud?.errors[0]).toContain("accepts none of its credentials");
    expect(run.stdout + run.stderr).not.toContain("K000thisisnokey");
  });

  it("goes on through resets and busy servers, and after a full account", async () => {
    await world.seed("q");
    cloud.b2.faults.add({ operation: "b2_upload_file", kind: "reset", skip: 1, count: 2 });
    cloud.b2.faults.add({
      operation: "b2_upload_file",
      kind: "service-unavailable",
      skip: 3,
      count: 2,
    });
    const run = await world.mirror();
    expect(run.exitCode).toBe(0);
    await world.backup("q", 20_000_000, 8);
    cloud.b2.caps.set({ storageBytes: cloud.b2.stats().storedBytes + 1_000_000 });
    const full = await world.mirror();
    expect(full.exitCode).toBe(1);
    expect(World.host(full, "cloud", "q")).toMatchObject({ outcome: "incomplete", snapshots: 2 });
    await cloud.check("q");
    cloud.b2.caps.set({ storageBytes: null });
    const again = await world.mirror();
    expect(World.host(again, "cloud", "q")).toMatchObject({ outcome: "complete", snapshots: 3 });
    await cloud.check("q");
  });

  it("tells another repository from the hub's by the listing alone", async () => {
    await world.seed("q");
    await world.mirror();
    const config = join(world.at("q"), "config");
    writeFileSync(config, Buffer.alloc(155, "x"), { flush: true });
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    expect(World.host(run, "cloud", "q").outcome).toBe("refused");
    expect(run.stdout + run.stderr).not.toContain(PASSWORD);
  });
});
