import {
  chmodSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pathOf, type HashedKind } from "../../hub/repository/layout.ts";
import type { VerifyReport } from "../../hub/verify/report.ts";
import { World } from "./world.ts";

let world: World;
const places = (): [string, string][] => [
  ["peer", world.peerData],
  ["cloud", world.cloudData],
];

beforeEach(async () => {
  world = new World(["q", "joker"]);
  await world.addPeer({ args: ["--no-verify-upload"] });
  world.addCloud();
});

afterEach(async () => {
  await world.close();
});

/** Flips one bit of the largest file of a kind that is not in `known`. */
function rot(kind: HashedKind, known: readonly string[]): string {
  const sizeOf = (name: string): number => statSync(join(world.at("q"), pathOf(kind, name))).size;
  const [name] = world
    .filesAt(world.repositories, "q", kind)
    .filter((each) => !known.includes(each))
    .sort((a, b) => sizeOf(b) - sizeOf(a));
  if (name === undefined) throw new Error(`no file of kind ${kind}`);
  const path = join(world.at("q"), pathOf(kind, name));
  const content = readFileSync(path);
  const middle = Math.floor(content.length / 2);
  content[middle] = (content[middle] ?? 0) ^ 1;
  chmodSync(path, 0o600);
  writeFileSync(path, content);
  return name;
}

describe("a rotten file at the hub", { timeout: 120_000 }, () => {
  // The servers of this file store whatever they are sent, so the agent's own check is what is seen.
  it.each([
    ["data", "held back 1 index file and 1 snapshot"],
    ["index", "held back 1 index file and 1 snapshot"],
    ["snapshots", undefined],
  ] as const)("of kind %s is named and not sent, nor what may refer to it", async (kind, held) => {
    await world.seed("q");
    await world.seed("joker");
    await world.mirror();
    const known = world.filesAt(world.repositories, "q", kind);
    await world.backup("q", 3_000_000);
    const rotten = rot(kind, known);
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    for (const [target, place] of places()) {
      const report = World.host(run, target, "q");
      expect(report.outcome).toBe("incomplete");
      expect(report.errors[0]).toContain(`${pathOf(kind, rotten)}: rotten at the hub`);
      expect(report.errors[1]?.startsWith(held ?? "")).toBe(held === undefined ? undefined : true);
      expect(report.snapshots).toBe(2);
      expect(world.filesAt(place, "q", kind)).toEqual(expect.arrayContaining(known));
      expect(world.filesAt(place, "q", kind)).not.toContain(rotten);
      expect(World.host(run, target, "joker").outcome).toBe("complete");
      await world.check(place, "q");
    }
  });

  it("sends the good packs beside a rotten one, and goes on once it is mended", async () => {
    await world.seed("q");
    await world.mirror();
    await world.backup("q", 60_000_000, 6);
    const known = world.filesAt(world.peerData, "q", "data");
    const rotten = rot("data", known);
    const path = join(world.at("q"), pathOf("data", rotten));
    const bad = readFileSync(path);
    const run = await world.mirror();
    const all = world.filesAt(world.repositories, "q", "data");
    expect(run.exitCode).toBe(1);
    for (const [, place] of places()) {
      expect(world.filesAt(place, "q", "data")).toEqual(all.filter((name) => name !== rotten));
      await world.check(place, "q");
    }
    const middle = Math.floor(bad.length / 2);
    bad[middle] = (bad[middle] ?? 0) ^ 1;
    writeFileSync(path, bad);
    const mended = await world.mirror();
    expect(mended.exitCode).toBe(0);
    for (const [target, place] of places()) {
      expect(World.host(mended, target, "q")).toMatchObject({ outcome: "complete", snapshots: 3 });
      await world.check(place, "q");
    }
  });

  it("tells a copy that was cut short at the hub from one that was at the target", async () => {
    await world.seed("q");
    await world.mirror();
    const [one, other] = world.filesAt(world.repositories, "q", "data");
    truncateSync(join(world.peerData, "q", pathOf("data", one ?? "")), 10);
    truncateSync(join(world.cloudData, "q", pathOf("data", one ?? "")), 10);
    const atHub = join(world.at("q"), pathOf("data", other ?? ""));
    chmodSync(atHub, 0o600);
    truncateSync(atHub, 10);
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    const peer = World.host(run, "peer", "q").errors.join("\n");
    expect(peer).toContain(`data/${one?.slice(0, 2) ?? ""}/${one ?? ""}: damaged at the target`);
    expect(peer).toContain(`${other ?? ""}: rotten at the hub`);
    const cloud = World.host(run, "cloud", "q").errors.join("\n");
    expect(cloud).toContain(
      `${one ?? ""}: the target's copy had another size; a good one was sent`,
    );
    expect(cloud).toContain(`${other ?? ""}: rotten at the hub, not sent`);
    expect(statSync(join(world.peerData, "q", pathOf("data", one ?? ""))).size).toBe(10);
    await world.check(world.cloudData, "q");
  });

  it("makes no repository of a host whose only key is rotten", async () => {
    await world.seed("q");
    const key = rot("keys", []);
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    for (const [target, place] of places()) {
      expect(World.host(run, target, "q").errors[0]).toContain(`keys/${key}: rotten`);
      expect(existsSync(join(place, "q", "config"))).toBe(false);
      expect(world.filesAt(place, "q", "data")).toEqual([]);
    }
  });

  it("sends no file of keys that restic stumbles over, and all else", async () => {
    await world.seed("q");
    const [real = ""] = world.filesAt(world.repositories, "q", "keys");
    const key = JSON.parse(readFileSync(join(world.at("q"), "keys", real), "utf8")) as object;
    const forged = [
      "garbage",
      "{}",
      { ...key, N: 2 ** 40 },
      { ...key, data: "AA==" },
      { ...key, KDF: "x" },
    ];
    const names = forged.map((each) => {
      const content = typeof each === "string" ? each : JSON.stringify(each);
      const name = createHash("sha256").update(content).digest("hex");
      writeFileSync(join(world.at("q"), "keys", name), content);
      return name;
    });
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    for (const [target, place] of places()) {
      expect(World.host(run, target, "q").errors.join()).toContain("find out who wrote it");
      expect(world.filesAt(place, "q", "keys")).toEqual([real]);
      await world.check(place, "q");
    }
    const verified = await world.run<VerifyReport>("verify", "peer", "--json");
    for (const name of names) expect(verified.report.hub.q?.errors.join()).toContain(name);
  });

  it("sends nothing new while the hub's repository has snapshots and no index", async () => {
    await world.seed("q");
    rmSync(join(world.at("q"), "index"), { recursive: true });
    const run = await world.mirror();
    for (const [target, place] of places()) {
      expect(World.host(run, target, "q").errors.join()).toContain("has snapshots but no index");
      expect(world.filesAt(place, "q", "snapshots")).toEqual([]);
    }
  });
});
