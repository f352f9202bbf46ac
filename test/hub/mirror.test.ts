import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { restic, World } from "./world.ts";

let world: World;

beforeEach(async () => {
  world = new World(["q", "joker"]);
  await world.addPeer();
  world.addCloud();
});

afterEach(async () => {
  await world.close();
});

describe("mirror", { timeout: 120_000 }, () => {
  it("makes sound copies at both kinds of target and then has nothing to send", async () => {
    for (const host of world.hosts) await world.seed(host);
    const first = await world.mirror();
    expect(first.stderr).not.toContain("error");
    expect(first.exitCode).toBe(0);
    for (const [target, place] of [
      ["peer", world.peerData],
      ["cloud", world.cloudData],
    ] as const) {
      for (const host of world.hosts) {
        const report = World.host(first, target, host);
        expect(report).toMatchObject({ outcome: "complete", skipped: 0, snapshots: 2, errors: [] });
        expect(report.files).toBeGreaterThan(6);
        for (const kind of ["keys", "data", "index", "snapshots"]) {
          expect(world.filesAt(place, host, kind)).toEqual(
            world.filesAt(world.repositories, host, kind),
          );
        }
        expect(world.filesAt(place, host, "locks")).toEqual([]);
        await world.check(place, host);
      }
    }
    const posts = world.requests().filter((line) => line.startsWith("POST")).length;
    const second = await world.mirror();
    expect(second.exitCode).toBe(0);
    for (const target of ["peer", "cloud"]) {
      const report = World.host(second, target, "q");
      const files = World.host(first, target, "q").files;
      expect(report).toMatchObject({ outcome: "complete", files: 0, bytes: 0, skipped: files });
    }
    expect(world.requests().filter((line) => line.startsWith("POST"))).toHaveLength(posts);
  });

  it("sends keys, config, data, index and snapshots in this order", async () => {
    await world.seed("q");
    await world.mirror("peer", "--host", "q");
    const posts = world.requests().filter((line) => line.startsWith("POST"));
    expect(posts.every((line) => line.endsWith(" 200"))).toBe(true);
    const kinds = posts.map((line) => line.split(" ")[1] ?? "");
    const order = ["?create=true", "keys", "config", "data", "index", "snapshots"];
    expect(kinds).toEqual([...kinds].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
    expect(new Set(kinds)).toEqual(new Set(order));
  });

  it("keeps at the target what a prune removed at the hub", async () => {
    await world.seed("q");
    await world.mirror("--host", "q");
    await restic(world, world.at("q"), "forget", "--keep-last", "1", "--prune");
    await world.backup("q");
    const run = await world.mirror("--host", "q");
    expect(run.exitCode).toBe(0);
    expect(World.host(run, "peer", "q").snapshots).toBe(2);
    for (const place of [world.peerData, world.cloudData]) {
      expect(world.filesAt(place, "q", "snapshots")).toHaveLength(3);
      await world.check(place, "q");
    }
  });

  it("says in a dry run what it would send, and sends nothing", async () => {
    await world.seed("q");
    const dry = await world.mirror("--dry-run");
    expect(dry.exitCode).toBe(0);
    expect(world.filesAt(world.peerData, "q", "keys")).toEqual([]);
    expect(world.filesAt(world.cloudData, "q", "keys")).toEqual([]);
    const run = await world.mirror();
    for (const target of ["peer", "cloud"]) {
      const { files, bytes } = World.host(run, target, "q");
      expect(World.host(dry, target, "q")).toMatchObject({ outcome: "planned", files, bytes });
    }
  });

  it("takes a host that never backed up for no failure, and names repositories of nobody", async () => {
    await restic(world, world.at("stranger"), "init");
    const run = await world.mirror();
    expect(run.exitCode).toBe(0);
    expect(World.host(run, "peer", "q").outcome).toBe("absent");
    expect(run.report.notices.join()).toContain('"stranger"');
  });

  it("fails when the hub has lost a repository that the target has", async () => {
    await world.seed("q");
    await world.mirror();
    rmSync(world.at("q"), { recursive: true });
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    for (const target of ["peer", "cloud"]) {
      expect(World.host(run, target, "q").outcome).toBe("refused");
      expect(World.host(run, target, "q").errors.join()).toContain("restore it from there");
      expect(World.host(run, target, "joker").outcome).toBe("absent");
    }
  });

  it("refuses a target that holds another repository under the host's name", async () => {
    await world.seed("q");
    await world.seed("joker");
    await world.mirror();
    rmSync(world.at("q"), { recursive: true });
    world.init("q");
    await world.backup("q");
    const before = world.filesAt(world.peerData, "q", "data");
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    for (const target of ["peer", "cloud"]) {
      expect(World.host(run, target, "q").outcome).toBe("refused");
      expect(World.host(run, target, "q").errors.join()).toContain("another repository");
      expect(World.host(run, target, "joker").outcome).toBe("complete");
    }
    expect(world.filesAt(world.peerData, "q", "data")).toEqual(before);
    expect(world.filesAt(world.peerData, "q", "snapshots")).toHaveLength(2);
  });

  it("refuses a target with keys of another repository and no config", async () => {
    await world.seed("q");
    const name = "ab".repeat(32);
    mkdirSync(join(world.peerData, "q", "keys"), { recursive: true });
    writeFileSync(join(world.peerData, "q", "keys", name), "x");
    const run = await world.mirror("peer");
    expect(World.host(run, "peer", "q").errors.join()).toContain("keys of another repository");
    expect(world.filesAt(world.peerData, "q", "keys")).toEqual([name]);
  });

  it("tells a config that was cut short from another repository's", async () => {
    await world.seed("q");
    await world.mirror("peer");
    writeFileSync(join(world.peerData, "q", "config"), "");
    const run = await world.mirror("peer");
    expect(run.exitCode).toBe(1);
    expect(World.host(run, "peer", "q").errors.join()).toContain("cut short");
  });

  it("goes on with the other targets when one cannot be reached", async () => {
    await world.seed("q");
    const peer = world.manifest.targets.peer;
    if (peer?.type === "rest-server") peer.url = "http://127.0.0.1:1/";
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    expect(World.host(run, "cloud", "q").outcome).toBe("complete");
    expect(World.host(run, "peer", "q").outcome).toBe("incomplete");
    expect(World.host(run, "peer", "q").errors.join()).toContain("ECONNREFUSED");
    await world.check(world.cloudData, "q");
  });

  it("ends with exit code 2 and one line when it is used wrongly", async () => {
    const unknown = await world.startMirror("nowhere");
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toBe('error: no such target: "nowhere". The manifest has: peer, cloud');
  });
});
