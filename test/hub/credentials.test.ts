import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { World } from "./world.ts";

let world: World;

beforeEach(() => {
  world = new World(["q", "joker"]);
});

afterEach(async () => {
  await world.close();
});

describe("credentials", { timeout: 60_000 }, () => {
  it.each(["current", "next", "previous"] as const)(
    "mirrors to a server that accepts the %s password, and says so",
    async (age) => {
      await world.seed("q");
      await world.addPeer({ accepts: world.trio[age] ?? "" });
      const run = await world.mirror();
      expect(run.exitCode).toBe(0);
      expect(run.report.targets.peer?.credential).toBe(age);
      expect(World.host(run, "peer", "q")).toMatchObject({ outcome: "complete", credential: age });
      expect(run.stderr.includes("owes a deployment")).toBe(age !== "current");
      await world.check(world.peerData, "q");
    },
  );

  it("fails with one clear line a host, and no password, when none is accepted", async () => {
    await world.seed("q");
    await world.addPeer({ accepts: randomBytes(16).toString("hex") });
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    const { errors, credential } = World.host(run, "peer", "q");
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain('none of the credentials of user "q" (current, next, previous)');
    expect(credential).toBeNull();
    const { current, next, previous } = world.trio;
    for (const secret of [current, next, previous ?? ""]) {
      expect(run.stdout + run.stderr).not.toContain(secret);
    }
  });

  it("fails for the one host that the hub has no password for", async () => {
    await world.seed("q");
    await world.seed("joker");
    await world.addPeer();
    const peer = world.credentials.targets.peer;
    if (peer?.type === "rest-server") delete peer.users.joker;
    const run = await world.mirror();
    expect(World.host(run, "peer", "q").outcome).toBe("complete");
    expect(World.host(run, "peer", "joker").errors.join()).toContain('no user for host "joker"');
  });

  it("does not show what an unreadable credentials file holds", async () => {
    await world.addPeer();
    const run = await world.mirror("--credentials", join(world.root, "other.json"));
    expect(run.exitCode).toBe(2);
    writeFileSync(join(world.root, "other.json"), "topsecret {");
    const again = await world.mirror("--credentials", join(world.root, "other.json"));
    expect(again.exitCode).toBe(2);
    expect(again.stderr).toContain("Is it still sealed?");
    expect(again.stderr).not.toContain("topsecret");
    writeFileSync(join(world.root, "other.json"), '{"version": "topsecret"}');
    const third = await world.mirror("--credentials", join(world.root, "other.json"));
    expect(third.exitCode).toBe(2);
    expect(third.stderr).not.toContain("topsecret");
  });
});
