import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readResults } from "../../../hub/results.ts";
import { PASSWORD } from "../world.ts";
import { DrillWorld, HOST } from "./world.ts";

let world: DrillWorld;

beforeAll(async () => {
  world = new DrillWorld();
  await world.addPeer();
  world.init(HOST);
  await world.furnish();
  await world.save();
  const mirror = await world.mirror();
  expect(mirror.exitCode).toBe(0);
});

afterAll(async () => {
  await world.close();
});

/** Nothing of a drill is left, and no secret was shown. */
afterEach(() => {
  world.ignoreDump();
  if (existsSync(world.scratch)) expect(readdirSync(world.scratch)).toEqual([]);
});

describe("a drill from a peer", () => {
  it("restores the newest snapshot, loads the dump, checks the database, remembers and clears up", async () => {
    const run = await world.drill();
    expect(run.stderr).not.toContain("error");
    expect(run.exitCode).toBe(0);
    const [drill] = run.drills;
    expect(drill).toMatchObject({
      outcome: "ok",
      target: "peer",
      credential: "current",
      errors: [],
    });
    expect(drill?.snapshots).toHaveLength(1);
    expect(drill?.snapshots[0]).toMatchObject({ files: 4 });
    const checks = drill?.checks.map(({ file, outcome, detail }) => [file, outcome, detail]);
    expect(checks).toHaveLength(2);
    expect(checks?.[0]?.[2]).toContain("loaded 1 database");
    expect(checks?.[1]).toEqual([`${world.data}/app/vikunja.db`, "passed", "integrity_check"]);
    expect(run.stdout + run.stderr).not.toContain(PASSWORD);
    const [result] = readResults(world.state, "drill");
    expect(result).toMatchObject({ place: "peer", host: HOST });
    expect(result?.lastSuccess?.facts).toMatchObject({ files: 4, checks: 2 });
    expect(result?.lastSuccess?.facts.snapshot).toBe(drill?.snapshots[0]?.id);
  });

  it("only reads at the target", async () => {
    writeFileSync(world.peerLog, "");
    await world.drill();
    const requests = world.requests();
    expect(requests.length).toBeGreaterThan(3);
    expect(requests.filter((each) => !/^(GET|HEAD) /.test(each))).toEqual([]);
  });

  it("runs the host's own checks where it restored, and fails with what they say", async () => {
    const script = `test "$OFFSITE_HOST $OFFSITE_TARGET" = "q peer" && test "$PWD" = "$OFFSITE_RESTORED" && test -s .${world.data}/outline.sql`;
    const sh = (text: string): [string, ...string[]] => ["sh", "-c", text];
    world.setDrill({
      checks: {
        [HOST]: [
          { name: "place", command: sh(script) },
          { name: "users", command: sh("echo no admin among the users >&2; exit 4") },
          { name: "endless", command: sh("sleep 100 & wait"), timeoutSeconds: 1 },
          { name: "nowhere", command: ["/no/such/program"] },
          {
            name: "keys",
            command: sh("env | grep -E 'RESTIC|RCLONE|OFFSITE_(CRED|MANI)' && exit 1; true"),
          },
        ],
      },
      ignore: { [HOST]: ["/"] },
    });
    const run = await world.drill();
    expect(run.exitCode).toBe(1);
    const own = run.drills[0]?.checks.map(({ name, outcome }) => `${name} ${outcome}`);
    expect(own).toEqual([
      "place passed",
      "users failed",
      "endless failed",
      "nowhere failed",
      "keys passed",
    ]);
    expect(run.drills[0]?.errors[0]).toContain("exit code 4: no admin among the users");
    expect(run.drills[0]?.errors[1]).toContain("not done after 1 s");
    expect(run.drills[0]?.errors[2]).toContain("not found");
  });

  it("takes the next or previous password when the current one is refused, and says so", async () => {
    for (const age of ["next", "previous"] as const) {
      await world.stopPeer();
      await world.startPeer(world.trio[age] ?? "");
      const run = await world.drill();
      expect(run.exitCode).toBe(0);
      expect(run.drills[0]?.credential).toBe(age);
      expect(run.stderr).toContain(`accepted the ${age} credential`);
    }
    await world.stopPeer();
    await world.startPeer("another");
    const refused = await world.drill();
    expect(refused.exitCode).toBe(1);
    expect(refused.drills[0]?.errors[0]).toContain("401: none of the credentials is accepted");
    expect(refused.stdout + refused.stderr).not.toContain(world.trio.current);
    await world.stopPeer();
    await world.startPeer(world.trio.current);
  });

  it("keeps what was restored when it is told to, out of others' sight", async () => {
    const run = await world.drill("--keep");
    const kept = run.drills[0]?.kept ?? "";
    expect(readFileSync(join(kept, world.data, "app", "closed", "secret"), "utf8")).toContain(
      "host",
    );
    expect(statSync(kept).mode & 0o077).toBe(0);
    const next = await world.drill();
    expect(next.exitCode).toBe(0);
    expect(existsSync(kept)).toBe(true);
    await execa("rm", ["-rf", join(kept, "..")]);
  });

  it("has no theft to rehearse at a target that refuses, and says so", async () => {
    const run = await world.thief();
    expect(run.exitCode).toBe(0);
    expect(run.thefts).toEqual([]);
    expect(run.stderr).toContain("peer: nothing to rehearse");
  });

  it("refuses what it cannot do before it begins", async () => {
    const two = await world.startDrill("--snapshot", "abc");
    expect(two.exitCode).toBe(2);
    expect(two.stderr).toContain("name that host");
    const nobody = await world.startDrill("nobody");
    expect(nobody.exitCode).toBe(2);
    for (const mixture of [
      ["--thief", HOST],
      ["--thief", "--keep"],
      ["--control", "--keep"],
    ]) {
      expect((await world.startDrill(...mixture)).exitCode).toBe(2);
    }
    const absent = await world.drill("q", "--snapshot", "ffffff");
    expect(absent.exitCode).toBe(1);
    expect(absent.drills[0]?.errors[0]).toContain('no snapshot whose id begins with "ffffff"');
  });
});

describe("a drill of hosts that never backed up", () => {
  it("leaves them out with a notice, and fails where there is no other", async () => {
    const other = new DrillWorld();
    try {
      await other.addPeer();
      const run = await other.drill();
      expect(run.exitCode).toBe(1);
      expect(run.drills).toEqual([]);
      expect(run.stderr).toContain(`${HOST}: has never backed up`);
      expect(run.stderr).toContain("no host has ever backed up");
    } finally {
      await other.close();
    }
  });
});
