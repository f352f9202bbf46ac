import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { largestPack } from "../../../hub/drill/break.ts";
import { ReadOnlyRepository } from "../../../hub/drill/repository.ts";
import { restoreSnapshot } from "../../../hub/drill/restore.ts";
import { Scratch } from "../../../hub/drill/scratch.ts";
import { listSnapshots } from "../../../hub/drill/snapshots.ts";
import { readResults } from "../../../hub/results.ts";
import { PASSWORD, restic } from "../world.ts";
import { DrillWorld, HOST } from "./world.ts";

let world: DrillWorld;

beforeAll(async () => {
  world = new DrillWorld();
  await world.addPeer();
  world.init(HOST);
  await world.furnish();
  await world.save();
  await world.mirror();
});

beforeEach(() => {
  world.ignoreDump();
});

afterAll(async () => {
  await world.close();
});

/** Ends with the tests' process in its arguments, to be told from others'. */
const SLEEP = `60.${process.pid}`;

/** The processes with this in their command lines: of checks that wait, of PostgreSQL. */
function processesOf(text: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Starts a drill whose own check waits, and gives it back once all is restored. */
async function startWaiting(ignore = ["/"]) {
  const flag = join(world.root, "waiting");
  rmSync(flag, { force: true });
  const command: [string, ...string[]] = ["sh", "-c", `echo > ${flag}; sleep ${SLEEP} & wait`];
  world.setDrill({ checks: { [HOST]: [{ name: "wait", command }] }, ignore: { [HOST]: ignore } });
  const run = world.startDrill();
  while (!existsSync(flag)) await setTimeout(20);
  // Not the promise itself, which would be awaited.
  return { run };
}

describe("a drill", () => {
  it("leaves nothing behind when it is told to end", async () => {
    const { run } = await startWaiting([]);
    expect(readdirSync(world.scratch)).toHaveLength(1);
    expect(processesOf(`${world.scratch}/`)).not.toEqual([]);
    run.kill("SIGTERM");
    expect((await run).exitCode).toBe(128 + 15);
    expect(readdirSync(world.scratch)).toEqual([]);
    expect(processesOf(`sleep\0${SLEEP}`)).toEqual([]);
    while (processesOf(`${world.scratch}/`).length > 0) await setTimeout(20);
  });

  it("removes what a killed one left, and nothing of one that lives", async () => {
    const { run: killed } = await startWaiting();
    killed.kill("SIGKILL");
    await killed;
    for (const pid of processesOf(`sleep\0${SLEEP}`)) process.kill(pid);
    const [left] = readdirSync(world.scratch);
    expect(left).toBeDefined();
    const { run: alive } = await startWaiting();
    const [folder, ...others] = readdirSync(world.scratch);
    expect(others).toEqual([]);
    expect(folder).not.toBe(left);
    world.ignoreDump();
    expect((await world.drill()).exitCode).toBe(0);
    expect(readdirSync(world.scratch)).toEqual([folder]);
    alive.kill("SIGTERM");
    await alive;
    expect(readdirSync(world.scratch)).toEqual([]);
  });

  it("says before it restores that the space does not suffice, and how much is there", async () => {
    class Small extends Scratch {
      override free(): number {
        return 16 * 1024 ** 2;
      }
    }
    const scratch = new Small(world.scratch);
    try {
      const repository = new ReadOnlyRepository({
        url: world.at(HOST),
        password: PASSWORD,
        restic: "restic",
        cache: scratch.folder("cache"),
        entrances: [{ age: "restore", env: {} }],
      });
      const [snapshot] = await listSnapshots(repository);
      const to = scratch.fresh("restored");
      await expect(restoreSnapshot(repository, snapshot?.id ?? "", scratch, to)).rejects.toThrow(
        /^snapshot \w+ needs 64\.\d MiB, and ".*" has 16\.0 MiB free\. Set drill\.scratch/,
      );
      expect(readdirSync(to)).toEqual([]);
    } finally {
      scratch.remove();
    }
  });

  it("fails with the name of a damaged file at the target, and remembers the success before", async () => {
    const before = readResults(world.state, "drill")[0]?.lastSuccess;
    const largest = largestPack(join(world.peerData, HOST));
    const whole = join(world.root, "whole");
    copyFileSync(largest, whole);
    chmodSync(largest, 0o600);
    const content = readFileSync(largest);
    content.fill(0, 9000, 9040);
    writeFileSync(largest, content);
    try {
      const run = await world.drill();
      expect(run.exitCode).toBe(1);
      expect(run.drills[0]?.errors).toHaveLength(1);
      expect(run.drills[0]?.errors[0]).toContain("restic restore failed");
      expect(run.drills[0]?.errors[0]).toMatch(/ciphertext verification failed|hash/);
      const [result] = readResults(world.state, "drill");
      expect(result?.last.outcome).toBe("failed");
      expect(result?.lastSuccess).toEqual(before);
    } finally {
      copyFileSync(whole, largest);
    }
  });

  it("fails when a snapshot is missing that a completed mirror had sent", async () => {
    const [name = ""] = world.filesAt(world.peerData, HOST, "snapshots");
    const path = join(world.peerData, HOST, "snapshots", name);
    renameSync(path, join(world.root, "snapshot"));
    const empty = await world.drill();
    expect(empty.drills[0]?.errors[0]).toContain("1 snapshot that the mirror of");
    expect(empty.drills[0]?.errors[0]).toContain(name.slice(0, 8));
    expect(empty.drills[0]?.errors[1]).toContain("no snapshot to restore");
    renameSync(join(world.root, "snapshot"), path);
  });

  it("names the host that has no password, and a wrong one, and does not show either", async () => {
    const settings = world.settings;
    world.settings = {};
    const none = await world.drill();
    expect(none.exitCode).toBe(1);
    expect(none.drills[0]?.errors[0]).toContain('passwordFiles."q"');
    const file = join(world.root, "wrong");
    writeFileSync(file, "not-the-password\n");
    world.settings = { passwordFiles: { [HOST]: file } };
    const wrong = await world.drill();
    expect(wrong.drills[0]?.errors[0]).toContain("does not open the repository");
    expect(wrong.stdout + wrong.stderr).not.toContain("not-the-password");
    world.settings = settings;
  });

  it("restores each set of paths that is still backed up, and none from the future", async () => {
    const other = join(world.root, "dumps");
    mkdirSync(other);
    writeFileSync(join(other, "vikunja.txt"), "a dump of its own\n");
    await world.save(other);
    const past = ["--host", HOST, "--time", "2020-01-01 00:00:00"];
    await restic(world, world.at(HOST), "backup", "--quiet", ...past, "/etc/hostname");
    const future = ["--host", HOST, "--time", "2090-01-01 00:00:00"];
    await restic(world, world.at(HOST), "backup", "--quiet", ...future, other);
    await world.mirror();
    const run = await world.drill();
    expect(run.exitCode).toBe(0);
    expect(run.drills[0]?.snapshots.map(({ paths }) => paths)).toEqual([[world.data], [other]]);
    expect(run.drills[0]?.notices.join("\n")).toContain("1 snapshot with a time in the future");
    expect(run.drills[0]?.notices.join("\n")).toContain("not restored: /etc/hostname");
  });
});

describe("a drill from a peer that does not answer", () => {
  it("fails with the address, before restic goes on trying", async () => {
    await world.stopPeer();
    const run = await world.drill("--from", "peer");
    expect(run.exitCode).toBe(1);
    const [drill] = run.drills;
    expect(drill?.errors).toHaveLength(1);
    expect(drill?.errors[0]).toMatch(/gave up after \d tries: http:.*ECONNREFUSED/);
  });
});
