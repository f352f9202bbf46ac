import { spawnSync } from "node:child_process";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { lockRepository } from "../../../hub/locks.ts";
import { FLAGS, HOUR, hostOf, OwnedWorld } from "./owned-world.ts";

let world: OwnedWorld;

afterEach(async () => {
  await world.close();
});

const here = hostname();
/** A process that has ended. */
const DEAD = spawnSync("true").pid;

function lock(host: string, pid: number, age: number, exclusive = true): string {
  const time = new Date(Date.now() - age);
  const id = world.forge(host).lock({ time, exclusive, hostname: host, pid });
  world.handOver(host);
  return id;
}

describe("prune and restic's locks", () => {
  it("removes those that no living process can hold, and no other", async () => {
    world = await OwnedWorld.make(["elsewhere", here, "young"]);
    for (const host of world.hosts) world.days(host, 1);
    // Of this machine: a process that has ended, and one that began long after its lock was made.
    lock(here, DEAD, 0);
    lock(here, process.pid, 20 * 24 * HOUR, false);
    lock("elsewhere", process.pid, 2 * HOUR);
    const held = lock("young", DEAD, HOUR / 2);
    const run = await world.prune();
    expect(run.exitCode).toBe(1);
    expect(hostOf(run, here).outcome).toBe("pruned");
    expect(hostOf(run, here).staleLocks).toHaveLength(2);
    expect(hostOf(run, "elsewhere")).toMatchObject({ outcome: "pruned" });
    expect(hostOf(run, "elsewhere").staleLocks.join()).toContain("on elsewhere");
    for (const host of [here, "elsewhere"]) {
      expect(world.filesAt(world.repositories, host, "locks")).toEqual([]);
    }
    expect(hostOf(run, "young").errors.join()).toContain(`process ${DEAD} of test on young`);
    expect(world.filesAt(world.repositories, "young", "locks")).toEqual([held]);
  });

  it("waits for a living process of this machine and leaves its lock alone", async () => {
    world = await OwnedWorld.make([here]);
    world.days(here, 30);
    const held = lock(here, process.pid, 0, false);
    const run = await world.prune("--allow-removal");
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain(`locked by process ${process.pid}`);
    expect(world.filesAt(world.repositories, here, "locks")).toEqual([held]);
    expect(world.snapshotsOf(here)).toHaveLength(30);
  });

  it("does not begin while a mirror reads the repository", async () => {
    world = await OwnedWorld.make(["q"]);
    world.days("q", 1);
    const release = await lockRepository(world.state, "q", "shared", { seconds: 0 });
    const run = await world.prune();
    release();
    expect(run.exitCode).toBe(1);
    expect(hostOf(run, "q").errors.join()).toContain("another offsite-hub reads");
    expect((await world.prune()).exitCode).toBe(0);
  });

  it("leaves a sound repository when it is killed, and the next run goes on", async () => {
    world = await OwnedWorld.make(["q"]);
    let newest = "";
    for (const hours of [4, 3, 2, 1]) {
      newest = await world.oldBackup("q", 2_000_000, 30 + hours / 24);
    }
    const data = world.filesAt(world.repositories, "q", "data").length;
    const only = ["--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0"];
    const killed = world.start("prune", ...FLAGS, ...only, "--allow-removal");
    while (world.snapshotsOf("q").length === 4) await setTimeout(2);
    process.kill(-(killed.pid ?? 0), "SIGKILL");
    expect((await killed).signal).toBe("SIGKILL");
    await world.check(world.repositories, "q");
    const run = await world.prune(...only, "--allow-removal");
    expect(run.stderr).not.toContain("error");
    expect(run.exitCode).toBe(0);
    expect(world.snapshotsOf("q")).toEqual([newest]);
    expect(world.filesAt(world.repositories, "q", "data").length).toBeLessThan(data);
    await world.check(world.repositories, "q");
  });
});
