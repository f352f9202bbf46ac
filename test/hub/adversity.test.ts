import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BreakingProxy, type Fate } from "./proxy.ts";
import { restic, World } from "./world.ts";

let world: World;

beforeEach(() => {
  world = new World(["q", "joker"]);
});

afterEach(async () => {
  await world.close();
});

async function checkBoth(): Promise<void> {
  for (const place of [world.peerData, world.cloudData]) {
    // Before its config is there, there is no repository.
    if (existsSync(join(place, "q", "config"))) await world.check(place, "q");
  }
}

async function throughProxy(fate: (connection: number) => Fate): Promise<BreakingProxy> {
  await world.addPeer();
  const proxy = new BreakingProxy(world.peerPort, fate);
  const peer = world.manifest.targets.peer;
  const url = await proxy.start();
  if (peer?.type === "rest-server") peer.url = url;
  return proxy;
}

describe("a mirror in adversity", { timeout: 300_000 }, () => {
  it("leaves sound repositories wherever it is killed, and goes on from there", async () => {
    await world.addPeer();
    world.addCloud();
    await world.seed("q");
    for (let round = 0; round < 4; round += 1) {
      await world.backup("q", 40_000_000, 8);
      const run = world.startMirror();
      const { pid } = run;
      await setTimeout(150 + Math.random() * 600);
      // Now the agent alone, so that its rclone lives on, now both.
      if (pid !== undefined && run.exitCode === null) process.kill(round % 2 === 0 ? pid : -pid, 9);
      await run;
      await checkBoth();
    }
    const last = await world.mirror();
    expect(last.stderr).not.toContain("error");
    expect(World.host(last, "peer", "q")).toMatchObject({ outcome: "complete", snapshots: 6 });
    expect(World.host(last, "cloud", "q")).toMatchObject({ outcome: "complete", snapshots: 6 });
    await checkBoth();
  });

  it("leaves sound repositories while backups and prunes run without pause", async () => {
    await world.addPeer();
    world.addCloud();
    await world.seed("q");
    const busy = { on: true };
    const hub = (async () => {
      while (busy.on) {
        await world.backup("q", 5_000_000, 4);
        const keep = ["--keep-last", "2", "--prune", "--max-unused", "0", "--retry-lock", "1m"];
        await restic(world, world.at("q"), "forget", "--quiet", ...keep);
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      const run = await world.mirror();
      for (const target of ["peer", "cloud"]) {
        const { errors } = World.host(run, target, "q");
        const known = /pruned again and again|no consistent view/;
        expect(errors.filter((error) => !known.test(error))).toEqual([]);
      }
      await checkBoth();
    }
    busy.on = false;
    await hub;
    const last = await world.mirror();
    expect(last.exitCode).toBe(0);
    const kept = world.filesAt(world.repositories, "q", "snapshots").length;
    expect(World.host(last, "cloud", "q").snapshots).toBe(kept);
    await checkBoth();
  });

  it("stops at a full target without a snapshot that lacks data, and goes on with more room", async () => {
    await world.addPeer({ args: ["--max-size", "5000000"] });
    await world.seed("q");
    await world.mirror();
    await world.backup("q", 30_000_000, 6);
    const full = await world.mirror();
    expect(full.exitCode).toBe(1);
    expect(World.host(full, "peer", "q")).toMatchObject({ outcome: "incomplete", snapshots: 2 });
    expect(World.host(full, "peer", "q").errors.join()).toContain("full");
    await world.check(world.peerData, "q");
    await world.stopPeer();
    await world.startPeer(world.trio.current);
    const again = await world.mirror();
    expect(World.host(again, "peer", "q")).toMatchObject({ outcome: "complete", snapshots: 3 });
    await world.check(world.peerData, "q");
  });

  it("refuses hosts that would not fit the target's quota and mirrors the others", async () => {
    await world.addPeer({ maxSizeGiB: 0.01 });
    await world.seed("q");
    await world.backup("q", 30_000_000, 6);
    await world.seed("joker");
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    expect(World.host(run, "peer", "q").outcome).toBe("refused");
    expect(World.host(run, "peer", "q").errors.join()).toContain("raise maxSizeGiB");
    expect(world.filesAt(world.peerData, "q", "data")).toEqual([]);
    expect(World.host(run, "peer", "joker").outcome).toBe("complete");
  });

  it("completes through connections that are reset while files travel", async () => {
    const proxy = await throughProxy((connection) =>
      connection % 3 === 0 ? { resetAfter: 200_000 + 400_000 * (connection % 7) } : {},
    );
    await world.seed("q");
    await world.backup("q", 60_000_000, 8);
    const run = await world.mirror();
    expect(proxy.broken).toBeGreaterThan(0);
    await proxy.stop();
    expect(run.stderr).not.toContain("error");
    expect(World.host(run, "peer", "q")).toMatchObject({ outcome: "complete", snapshots: 3 });
    await world.check(world.peerData, "q");
  });

  it("finds a file that was stored although the answer was lost, and does not call it a failure", async () => {
    // The listings take the first connections; those that upload first lose their answers.
    const proxy = await throughProxy((connection) => ({ loseAnswer: connection % 2 === 1 }));
    await world.seed("q");
    const run = await world.mirror();
    expect(proxy.broken).toBeGreaterThan(0);
    await proxy.stop();
    expect(run.exitCode).toBe(0);
    expect(World.host(run, "peer", "q")).toMatchObject({ outcome: "complete", snapshots: 2 });
    await world.check(world.peerData, "q");
  });

  it("gives a target up that resets every connection, and says so once", async () => {
    const proxy = await throughProxy(() => ({ resetAfter: 1_000_000 }));
    await world.seed("q");
    await world.backup("q", 40_000_000, 4);
    const run = await world.mirror("--host", "q");
    await proxy.stop();
    expect(run.exitCode).toBe(1);
    expect(World.host(run, "peer", "q").errors).toHaveLength(1);
    expect(World.host(run, "peer", "q").errors[0]).toContain("gave up after 6 tries");
    await checkBoth();
  });

  it("lets one run at a time work on a target", async () => {
    await world.addPeer();
    world.addCloud();
    await world.seed("q");
    await world.backup("q", 20_000_000);
    const first = world.startMirror("peer", "--limit-upload", "8000");
    while (world.filesAt(world.peerData, "q", "keys").length === 0) await setTimeout(20);
    const second = await world.mirror();
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain("another offsite-hub");
    expect(World.host(second, "cloud", "q").outcome).toBe("complete");
    expect((await first).exitCode).toBe(0);
  });
});
