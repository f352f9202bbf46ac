import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lockRepository } from "../../../hub/locks.ts";
import { mirrorTarget } from "../../../hub/mirror/mirror-target.ts";
import { noProgress } from "../../../hub/progress.ts";
import { readResults } from "../../../hub/results.ts";
import { targetFromManifest } from "../../../hub/targets/from-manifest.ts";
import { World } from "../world.ts";

let world: World;

beforeEach(async () => {
  world = new World(["q", "joker", "minos"]);
  world.addCloud();
  await world.seed("q");
  await world.seed("joker");
});

afterEach(async () => {
  await world.close();
});

function outcomes(): Record<string, string> {
  const results = readResults(world.state, "mirror");
  return Object.fromEntries(results.map(({ host, last }) => [host, last.outcome]));
}

describe("what the mirror remembers of a host", { timeout: 60_000 }, () => {
  it("is a success when it was complete and confirmed; a dry run and a host without a backup leave nothing", async () => {
    await world.mirror("--dry-run");
    expect(existsSync(world.state)).toBe(false);
    const run = await world.mirror();
    expect(World.host(run, "cloud", "q")).toMatchObject({ verified: true, waitingFiles: 0 });
    expect(outcomes()).toEqual({ q: "ok", joker: "ok" });
    const [result] = readResults(world.state, "mirror").filter(({ host }) => host === "q");
    const { files } = World.host(run, "cloud", "q");
    expect(result).toMatchObject({ place: "cloud", last: { facts: { files, snapshots: 2 } } });
    expect(result?.lastSuccess).toEqual(result?.last);
  });

  it("is a failure, with the success before, when its lock cannot be had; the others go on", async () => {
    await world.mirror();
    await world.backup("joker");
    const release = await lockRepository(world.state, "q", "exclusive", { seconds: 0 });
    const run = await world.mirror();
    release();
    expect(run.exitCode).toBe(1);
    expect(World.host(run, "cloud", "q").errors.join()).toContain("another offsite-hub");
    expect(World.host(run, "cloud", "joker")).toMatchObject({ outcome: "complete", snapshots: 3 });
    expect(outcomes()).toEqual({ q: "failed", joker: "ok" });
    const [result] = readResults(world.state, "mirror").filter(({ host }) => host === "q");
    expect(result?.lastSuccess?.outcome).toBe("ok");
  });

  it("is a failure when the target cannot be reached at all", async () => {
    rmSync(join(world.root, "rclone.conf"));
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    expect(outcomes()).toMatchObject({ q: "failed", joker: "failed" });
  });

  it("is a failure when the target, listed again, does not have what it was sent", async () => {
    await world.mirror("--dry-run");
    const target = targetFromManifest("cloud", {
      manifest: world.manifest,
      credentials: world.credentials,
      repositories: world.repositories,
      rcloneConfig: join(world.root, "rclone.conf"),
      rclone: "rclone",
      uploadLimitKiB: undefined,
    });
    const send = target.send.bind(target);
    target.send = async (files, observer) => {
      await send(files, observer);
      const [lost] = world.filesAt(world.cloudData, "q", "snapshots");
      if (lost !== undefined) rmSync(join(world.cloudData, "q", "snapshots", lost));
    };
    const report = await mirrorTarget(target, {
      hosts: ["q", "joker"],
      repositories: world.repositories,
      state: world.state,
      patience: { seconds: 0 },
      retention: { daily: 7, weekly: 4, monthly: 6 },
      graceDays: 7,
      allowRemoval: false,
      dryRun: false,
      progress: noProgress,
      onHost: () => undefined,
    });
    expect(report.hosts.q).toMatchObject({ outcome: "incomplete", verified: false });
    expect(report.hosts.q?.errors.join()).toMatch(/1 file not there, such as snapshots\//);
    expect(report.hosts.joker).toMatchObject({ outcome: "complete", verified: true });
    expect(outcomes()).toEqual({ q: "failed", joker: "ok" });
    // What is not at the target is not taken for mirrored by what looks for lost snapshots.
    expect(readdirSync(join(world.state, "snapshots", "cloud"))).toEqual(["joker.json"]);
  });
});
