/** A mirror at work while the credentials that it was begun with are taken away. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import bcrypt from "bcryptjs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { B2_CAPABILITIES } from "../../credentials/b2-capabilities.ts";
import type { VerifyReport } from "../../hub/verify/report.ts";
import type { StatusReport } from "../../hub/status/report.ts";
import { Cloud } from "./cloud.ts";
import { World, type Run } from "./world.ts";

let world: World;

beforeEach(() => {
  world = new World(["q"]);
});

afterEach(async () => {
  await world.close();
});

describe("a mirror to B2 whose key is taken away in its middle", { timeout: 120_000 }, () => {
  let cloud: Cloud;
  const keys = { current: "", next: "" };

  beforeEach(async () => {
    cloud = await Cloud.start(world);
    Object.assign(keys, { current: await cloud.syncKey(), next: await cloud.syncKey() });
    cloud.useKeys(keys.current, keys.next);
    // Packs of many megabytes go in parts.
    process.env.RCLONE_B2_UPLOAD_CUTOFF = "5M";
    process.env.RCLONE_B2_CHUNK_SIZE = "5M";
    world.init("q");
    await world.backup("q", 24_000_000, 1);
  });

  afterEach(async () => {
    delete process.env.RCLONE_B2_UPLOAD_CUTOFF;
    delete process.env.RCLONE_B2_CHUNK_SIZE;
    await cloud.close();
  });

  /** Starts a mirror, and resolves when the first part of a large file is there. */
  async function midway(): Promise<{ run: Promise<Run> }> {
    cloud.b2.faults.add({
      operation: "upload_part",
      kind: "delay",
      milliseconds: 1500,
      count: null,
    });
    const run = world.mirror();
    while ((cloud.b2.stats().operations.b2_upload_part ?? 0) === 0) await setTimeout(20);
    return { run };
  }

  it("goes on with the next key, and the large upload in flight arrives whole", async () => {
    const { run } = await midway();
    await cloud.removeKey(keys.current);
    cloud.b2.faults.clear();
    const { exitCode, stderr, report } = await run;
    expect(exitCode, stderr).toBe(0);
    expect(report.targets.cloud?.credential).toBe("next");
    const at = report.targets.cloud?.hosts.q;
    expect(at).toMatchObject({ outcome: "complete", verified: true, generation: 2 });
    const status = await world.run<StatusReport>("status", "--json", "--no-fail");
    expect(status.report.targets.cloud?.credential).toEqual({
      age: "next",
      generation: 2,
      lastUsed: at?.accepted,
    });
    cloud.useKeys(keys.next, keys.next);
    await cloud.check("q");
  });

  it("takes nothing for sent when both are gone, says the way out, and the next run ends it", async () => {
    const { run } = await midway();
    await cloud.removeKey(keys.current);
    await cloud.removeKey(keys.next);
    cloud.b2.faults.clear();
    const { exitCode, stderr, report } = await run;
    expect(exitCode).toBe(1);
    expect(report.targets.cloud?.errors.join()).toContain("accepts none of its credentials");
    expect(stderr).toContain("Deploy the hub with the bundle that pulumi up wrote last");
    const listed = (await cloud.versions()).map(({ fileName }) => fileName);
    expect(listed.some((name) => name.includes("/snapshots/"))).toBe(false);
    expect(await cloud.unfinished()).toBeGreaterThan(0);
    cloud.useKeys(await cloud.syncKey(), await cloud.syncKey());
    const after = await world.mirror();
    expect(after.exitCode, after.stderr).toBe(0);
    await cloud.check("q");
  });
});

describe("keys with an end", { timeout: 60_000 }, () => {
  it("are told of by verify while they live, and refused when it has come", async () => {
    const cloud = await Cloud.start(world);
    try {
      const restore = await cloud.key(B2_CAPABILITIES.restore);
      const monitor = await cloud.key(B2_CAPABILITIES.monitor);
      cloud.useKeys(
        await cloud.key(B2_CAPABILITIES.sync, 10),
        await cloud.key(B2_CAPABILITIES.sync, 90),
      );
      const file = join(world.root, "rclone.conf");
      const more = { restore, monitor };
      const sections = Object.entries(more).map(
        ([name, lines]) => `[${name}]\ntype = b2\nendpoint = ${cloud.b2.url}\n${lines}`,
      );
      writeFileSync(file, [readFileSync(file, "utf8"), ...sections].join("\n"));
      const atCloud = world.credentials.targets.cloud;
      if (atCloud?.type === "b2") {
        Object.assign(atCloud.remotes, { restore: "restore", monitor: "monitor" });
      }
      await world.seed("q");
      await world.mirror();
      const alive = await world.run<VerifyReport>("verify", "--json");
      expect(alive.exitCode, alive.stderr).toBe(0);
      expect(alive.stderr).toMatch(
        /remote "cloud" ends on \S+, in 9 days: run offsite rotate cloud/,
      );
      expect(alive.stderr).not.toContain('remote "cloud-next" ends');
      const metrics = await world.run("metrics");
      expect(metrics.stdout).toMatch(
        /^offsite_key_expiry_timestamp_seconds\{target="cloud",key="current"\} \d+/m,
      );
      expect(metrics.stdout).not.toContain('key="restore"');
      cloud.b2.clock.advance(11 * 86_400_000);
      const over = await world.run<VerifyReport>("verify", "--json");
      const refused = over.report.targets.cloud?.keys?.filter(({ accepted }) => !accepted);
      expect(refused?.map(({ role }) => role)).toEqual(["current"]);
      // It is remembered when it was to end; by the hub's clock, which this test cannot move, later.
      expect(over.exitCode).toBe(0);
      const result = join(world.state, "results", "verify", "cloud", "*.json");
      const end = refused?.[0]?.expires ?? "";
      const past = "2026-01-02T00:00:00.000Z";
      writeFileSync(result, readFileSync(result, "utf8").replaceAll(end, past));
      const ended = await world.run<VerifyReport>("verify", "--json");
      expect(ended.exitCode).toBe(1);
      expect(ended.stderr).toMatch(/current key ended on 2026-01-02: run offsite rotate cloud/);
      const status = await world.run<StatusReport>("status", "--json", "--no-fail");
      expect(status.report.problems.join()).toContain("current key ended on 2026-01-02");
      const mirror = await world.mirror();
      expect(mirror.exitCode, mirror.stderr).toBe(0);
      expect(mirror.report.targets.cloud?.credential).toBe("next");
    } finally {
      await cloud.close();
    }
  });
});

describe("a mirror to a rest-server that changes over in its middle", { timeout: 120_000 }, () => {
  /** Has the peer accept another password, as its htpasswd's owner does. */
  async function accept(password: string): Promise<void> {
    writeFileSync(join(world.root, "htpasswd"), `q:${bcrypt.hashSync(password, 4)}\n`);
    await world.signalPeer("SIGHUP");
  }

  async function until(files: number): Promise<void> {
    while (world.filesAt(world.peerData, "q", "data").length < files) await setTimeout(20);
  }

  it("goes on, several files in flight, and also when the hub is deployed meanwhile", async () => {
    world.init("q");
    await world.addPeer();
    for (let backup = 0; backup < 6; backup += 1) await world.backup("q", 1_500_000, 2);
    const run = world.mirror("--limit-upload", "1500");
    await until(1);
    await accept(world.trio.next);
    await until(3);
    // Two steps on: what the run holds is good no longer, but the hub was deployed between them.
    const [after, later] = [randomBytes(16).toString("hex"), randomBytes(16).toString("hex")];
    const { current, next } = world.trio;
    const trio = { generation: 4, previous: next, current: after, next: later };
    const users = { q: trio };
    writeFileSync(
      join(world.root, "hub-credentials.json"),
      JSON.stringify({ version: 1, targets: { peer: { type: "rest-server", users } } }),
    );
    await accept(after);
    const { exitCode, stderr, report } = await run;
    expect(exitCode, stderr).toBe(0);
    expect(World.host({ report, exitCode, stderr, stdout: "" }, "peer", "q")).toMatchObject({
      ...{ outcome: "complete", verified: true, credential: "current", generation: 4 },
    });
    expect(stderr).not.toContain(current);
    await world.check(world.peerData, "q");
  });

  it("says what must be deployed, and that by hand, when the hub was skipped altogether", async () => {
    world.init("q");
    await world.addPeer();
    await world.backup("q");
    await accept(world.trio.next);
    const first = await world.mirror();
    expect(first.exitCode, first.stderr).toBe(0);
    const before = await world.run("metrics");
    expect(before.stdout).toContain('offsite_deployment_owed{target="peer",by="hub"} 1\n');
    expect(before.stdout).toContain('offsite_deployment_owed{target="peer",by="target"} 0\n');
    await accept(randomBytes(16).toString("hex"));
    const second = await world.mirror();
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain("two rotations without a deployment between them");
  });
});
