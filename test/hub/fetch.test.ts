/** `offsite-hub fetch`: a hub's repositories come back from what was mirrored. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FetchReport } from "../../hub/fetch/report.ts";
import { World } from "./world.ts";

let world: World;

beforeEach(async () => {
  world = new World(["q", "joker"]);
  await world.addPeer();
  world.addCloud();
  await world.seed("q");
});

afterEach(async () => {
  await world.close();
});

/** Every file of a repository but locks, with its content. */
function contentOf(place: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(join(place, "q"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.endsWith("locks"))
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [path.slice(place.length), readFileSync(path, "base64")] as const;
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** The hub's disk has died: repositories and all that the agent knew. */
function lose(): void {
  for (const name of readdirSync(world.repositories)) {
    rmSync(join(world.repositories, name), { recursive: true });
  }
  rmSync(world.state, { recursive: true, force: true });
}

const fetch = (...args: string[]) => world.run<FetchReport>("fetch", "--json", ...args);

describe("a fetch", { timeout: 300_000 }, () => {
  it.each(["peer", "cloud"])(
    "brings back byte for byte what was mirrored to the %s",
    async (target) => {
      const before = contentOf(world.repositories);
      await world.mirror();
      lose();
      const planned = await fetch(target, "--dry-run");
      expect(planned.report.hosts.q?.outcome).toBe("planned");
      expect(readdirSync(world.repositories)).toEqual([]);
      const { exitCode, report } = await fetch(target);
      expect(exitCode).toBe(0);
      expect(report.hosts.q).toMatchObject({ outcome: "complete", snapshots: 2, damaged: [] });
      expect(report.hosts.q?.files).toBe(planned.report.hosts.q?.files);
      expect(report.hosts.joker?.outcome).toBe("absent");
      expect(contentOf(world.repositories)).toEqual(before);
      expect(readdirSync(world.repositories)).toEqual(["q"]);
      expect((await world.mirror()).report.targets.peer?.hosts.q).toMatchObject({ files: 0 });
    },
  );

  it("leaves nothing that restic takes for a repository wherever it is killed, and goes on", async () => {
    await world.backup("q", 60_000_000, 12);
    await world.mirror();
    const before = contentOf(world.repositories);
    lose();
    for (let round = 0; round < 4; round += 1) {
      const run = world.start("fetch", round < 2 ? "cloud" : "peer");
      const { pid } = run;
      await setTimeout(250 + round * 60);
      // Now the agent alone, so that its rclone lives on, now both.
      if (pid !== undefined && run.exitCode === null) process.kill(round % 2 === 0 ? pid : -pid, 9);
      await run;
      if (existsSync(join(world.at("q"), "config"))) await world.check(world.repositories, "q");
    }
    expect((await fetch("cloud", "q")).exitCode).toBe(0);
    expect(contentOf(world.repositories)).toEqual(before);
    expect(readdirSync(world.repositories)).toEqual(["q"]);
  });

  it("works once at a time, and beside no mirror to the same target", async () => {
    await world.mirror();
    lose();
    await Promise.all([fetch("peer"), fetch("peer"), fetch("cloud")]);
    await world.check(world.repositories, "q");
    expect(readdirSync(world.repositories)).toEqual(["q"]);
  });

  it("takes no file that a thief changed, says which, and takes the rest", async () => {
    await world.mirror();
    const [name = ""] = world.filesAt(world.cloudData, "q", "snapshots");
    writeFileSync(join(world.cloudData, "q", "snapshots", name), "forged");
    lose();
    const { exitCode, report } = await fetch("cloud", "q");
    expect(exitCode).toBe(1);
    expect(report.hosts.q).toMatchObject({ outcome: "incomplete", damaged: [`snapshots/${name}`] });
    expect(existsSync(join(world.at("q"), "snapshots", name))).toBe(false);
    expect((await fetch("peer", "q")).report.hosts.q).toMatchObject({ files: 1, snapshots: 2 });
    await world.check(world.repositories, "q");
  });

  it("touches no other repository of the same name, and says how to move it away", async () => {
    await world.mirror();
    lose();
    world.init("q");
    const before = contentOf(world.repositories);
    const { exitCode, report, stderr } = await fetch("peer", "q");
    expect(exitCode).toBe(1);
    expect(report.hosts.q?.outcome).toBe("refused");
    expect(stderr).toContain(`mv ${world.at("q")} ${world.at("q")}.old`);
    expect(contentOf(world.repositories)).toEqual(before);
    renameSync(world.at("q"), `${world.at("q")}.old`);
    expect((await fetch("peer", "q")).exitCode).toBe(0);
  });

  it("refuses names that it does not know, and a disk that is not there", async () => {
    expect(await fetch("moon")).toMatchObject({ exitCode: 2 });
    expect(await fetch("peer", "ratched")).toMatchObject({ exitCode: 2 });
    rmSync(world.repositories, { recursive: true });
    expect(await fetch("peer")).toMatchObject({ exitCode: 2 });
  });
});
