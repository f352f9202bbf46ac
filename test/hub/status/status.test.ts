import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { remember } from "../../../hub/mirror/shrinkage.ts";
import { scanRepository } from "../../../hub/status/scan.ts";
import { PASSWORD, restic, World } from "../world.ts";
import { addTargets, DAY, goodNight, HOUR, look, passwordFile, record } from "./cluster.ts";

let world: World;

beforeEach(async () => {
  world = new World(["q", "joker"]);
  addTargets(world);
  for (const host of world.hosts) await world.seed(host);
  await goodNight(world, world.hosts);
});

afterEach(async () => {
  await world.close();
});

/** A finished file of the host, by its kind and number. */
function fileOf(host: string, kind: string, number = 0): string {
  const name = world.filesAt(world.repositories, host, kind)[number] ?? "";
  const folder = kind === "data" ? join(kind, name.slice(0, 2)) : kind;
  return join(world.at(host), folder, name);
}

function arrived(path: string, ago: number): void {
  const time = (Date.now() - ago) / 1000;
  utimesSync(path, time, time);
}

describe("status", () => {
  it("finds nothing wrong after a good night", async () => {
    const report = await look(world);
    expect(report.problems).toEqual([]);
    expect(report.notices).toEqual([]);
    expect(report.healthy).toBe(true);
    expect(report.hosts.q).toMatchObject({ seen: true, outcome: "ok", snapshots: 2, foreign: 0 });
    const files = ["keys", "data", "index", "snapshots"].flatMap((kind) =>
      world.filesAt(world.repositories, "q", kind),
    );
    expect(report.hosts.q?.files).toBe(files.length + 1);
    expect(report.hosts.q?.bytes).toBeGreaterThan(3_000_000);
    expect(report.targets.cloud).toMatchObject({ reachable: true, fresh: true, waitingFiles: 0 });
    expect(report.targets.peer?.hosts.q).toMatchObject({ fresh: true, snapshots: 2 });
  });

  it("names a host that has never been seen, and one whose repository is empty", async () => {
    world = await another(["q", "joker", "raishan", "minos"]);
    // As restic init leaves it, as far as it is looked at here.
    mkdirSync(world.at("minos"));
    cpSync(join(world.at("q"), "config"), join(world.at("minos"), "config"));
    const report = await look(world);
    expect(report.hosts.raishan).toMatchObject({ seen: false, outcome: "never", lastBackup: null });
    expect(report.hosts.minos).toMatchObject({ seen: true, outcome: "never", snapshots: 0 });
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatch(/^raishan, minos: never seen/);
  });

  it("tells a host whose snapshots went from one that never had any", async () => {
    rmSync(world.at("q"), { recursive: true });
    const report = await look(world);
    expect(report.hosts.q?.outcome).toBe("lost");
    expect(report.problems.join()).toMatch(/q: the hub has no snapshot of it any more/);
  });

  it("takes a host for overdue after 48 hours, or what the settings say", async () => {
    expect((await look(world, { later: 47 * HOUR })).hosts.q?.outcome).toBe("ok");
    const report = await look(world, { later: 49 * HOUR });
    expect(report.hosts.q?.outcome).toBe("overdue");
    expect(report.problems.join("\n")).toMatch(/^q, joker: overdue: .* 4[89] h ago/m);
    world.settings = { overdueHours: 50 };
    expect((await look(world, { later: 49 * HOUR })).hosts.q?.outcome).toBe("ok");
  });

  it("goes by a snapshot's arrival, whatever its name or place in the folder", async () => {
    arrived(fileOf("q", "snapshots", 0), 5 * HOUR);
    arrived(fileOf("q", "snapshots", 1), 60 * HOUR);
    const last = (await look(world)).hosts.q?.lastBackup;
    expect(last?.snapshot).toBe(world.filesAt(world.repositories, "q", "snapshots")[0]);
    expect(last?.ageSeconds).toBeCloseTo(5 * 3600, -2);
  });

  it("notices a backup that was cut off, once it is quiet, and not while it runs", async () => {
    const stdin = join(world.root, "data.bin");
    writeFileSync(stdin, randomBytes(200));
    const args = ["backup", "--stdin", "--pack-size", "4", "--host", "q", "--quiet"];
    const env = {
      ...process.env,
      RESTIC_PASSWORD: PASSWORD,
      RESTIC_CACHE_DIR: join(world.root, "cache"),
    };
    const packs = () =>
      world.filesAt(world.repositories, "q", "data").filter((name) => name.length === 64);
    const before = packs().length;
    const child = spawn("restic", ["-r", world.at("q"), ...args], {
      env,
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.stdin.on("error", () => undefined).write(randomBytes(40_000_000));
    while (packs().length <= before) await setTimeout(20);
    child.kill("SIGKILL");
    await once(child, "exit");
    const now = await look(world);
    expect(now.hosts.q).toMatchObject({ outcome: "ok", active: true });
    const later = await look(world, { later: 2 * HOUR });
    expect(later.hosts.q).toMatchObject({ outcome: "unfinished", active: false });
    expect(later.problems.join("\n")).toMatch(/^q: unfinished: data arrived until/m);
    expect(later.hosts.joker?.outcome).toBe("ok");
  });

  it("takes a restic that sends nothing for a while, and keeps its lock fresh, for at work", async () => {
    for (const kind of ["index", "snapshots", "data"]) {
      world.filesAt(world.repositories, "q", kind).forEach((_, number) => {
        arrived(fileOf("q", kind, number), kind === "data" ? 2 * HOUR : 3 * HOUR);
      });
    }
    const lock = join(world.at("q"), "locks", "ab".repeat(32));
    writeFileSync(lock, "");
    expect((await look(world)).hosts.q).toMatchObject({ outcome: "ok", active: true });
    arrived(lock, HOUR);
    expect((await look(world)).hosts.q).toMatchObject({ outcome: "unfinished", active: false });
  });

  it("does not take what a prune wrote for a backup that was cut off", async () => {
    await world.backup("q");
    const folder = join(world.root, "data", "q");
    rmSync(join(folder, readdirSync(folder)[0] ?? ""));
    await world.backup("q");
    const before = world.filesAt(world.repositories, "q", "data");
    const forget = ["forget", "--host", "q", "--keep-last", "1", "--prune", "--max-unused", "0"];
    await restic(world, world.at("q"), ...forget);
    const after = world.filesAt(world.repositories, "q", "data");
    expect(after.filter((name) => !before.includes(name))).not.toEqual([]);
    expect((await look(world, { later: 2 * HOUR })).hosts.q?.outcome).toBe("ok");
  });

  it("names repositories that belong to no host, wherever they are", async () => {
    await world.seed("ratched");
    cpSync(world.at("q"), join(world.at("joker"), "old"), { recursive: true });
    mkdirSync(world.at("lost+found"));
    const report = await look(world);
    expect(report.unowned.map(({ path, snapshots }) => [path, snapshots])).toEqual([
      ["ratched", 2],
      ["joker/old", 2],
    ]);
    expect(report.problems).toHaveLength(2);
    expect(report.problems[0]).toContain('"ratched" belongs to no host');
    cpSync(join(world.at("q"), "config"), join(world.repositories, "config"));
    expect((await look(world)).problems.join()).toContain("is itself a repository");
  });

  it("names what the hub's server cannot read, as a prune by another user leaves it", async () => {
    const path = fileOf("q", "index");
    if (process.getuid?.() === 0) chownSync(path, 65534, 65534);
    else chmodSync(path, 0);
    const report = await look(world);
    expect(report.hosts.q?.foreign).toBe(1);
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatch(/^q: 1 file or folder .*index\/[0-9a-f]{64}.*chown/);
    const all = scanRepository(world.at("q"), (process.getuid?.() ?? 0) + 1);
    expect(all.foreignCount).toBeGreaterThan(all.files);
    expect(all.foreign).toContain(".");
  });

  it("says what it cannot read and goes on with the rest", async () => {
    rmSync(world.at("q"), { recursive: true });
    symlinkSync(world.at("q"), world.at("q"));
    const report = await look(world);
    expect(report.hosts.q).toMatchObject({ outcome: "unknown", readable: false });
    expect(report.problems.join()).toMatch(/q: cannot read all of its repository: .*ELOOP/);
    expect(report.hosts.joker?.outcome).toBe("ok");
    const none = await look(world, { repositories: join(world.root, "nowhere") });
    expect(none.hosts.joker?.outcome).toBe("unknown");
    expect(none.problems.join()).toMatch(/cannot read the hub's repositories: .*nowhere/);
  });

  it("notices a snapshot from the future and a repository without its config", async () => {
    arrived(fileOf("q", "snapshots"), -DAY);
    rmSync(join(world.at("joker"), "config"));
    const report = await look(world);
    expect(report.problems.join("\n")).toMatch(/^q: .*arrived in the future/m);
    expect(report.problems.join("\n")).toMatch(/^joker: its repository has no config/m);
  });

  it("tells with the password how long the backup took, and asks restic once a snapshot", async () => {
    world.settings = { passwordFiles: { q: passwordFile(world) } };
    await world.backup("q", 300_000);
    const report = await look(world);
    const last = report.hosts.q?.lastBackup;
    expect(last?.bytesProcessed).toBeGreaterThanOrEqual(300_000);
    expect(last?.bytesAdded).toBeGreaterThan(300_000);
    expect(last?.seconds).toBeGreaterThan(0);
    expect(Date.parse(last?.started ?? "")).toBeLessThanOrEqual(Date.parse(last?.arrived ?? ""));
    expect(report.hosts.joker?.lastBackup).toMatchObject({ seconds: null, bytesProcessed: null });
    const again = await look(world, { restic: "/nowhere/restic" });
    expect(again.hosts.q?.lastBackup?.seconds).toBe(last?.seconds);
    expect(again.notices).toEqual([]);
  });

  it("reports a wrong password as a problem, one that it may not read as a notice", async () => {
    world.settings = {
      passwordFiles: { q: passwordFile(world, "wrong"), joker: join(world.root, "none") },
    };
    const report = await look(world);
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatch(/^q: restic cannot read its snapshots: .*password/);
    expect(report.problems[0]).not.toContain('"wrong"');
    expect(report.notices.join()).toMatch(/joker: no details .*none/);
    expect(report.hosts.q?.outcome).toBe("ok");
  });

  it("does without the details when restic takes too long", async () => {
    world.settings = { passwordFiles: { q: passwordFile(world) } };
    const slow = join(world.root, "restic");
    writeFileSync(slow, "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
    const report = await look(world, { restic: slow, detailsMs: 200 });
    expect(report.problems).toEqual([]);
    expect(report.notices.join()).toMatch(/^q: no details .* no time was left/);
    expect(report.hosts.q).toMatchObject({ outcome: "ok", snapshots: 2 });
  });

  it("takes no file for a snapshot that restic cannot read, however new it is", async () => {
    world.settings = { passwordFiles: { q: passwordFile(world) } };
    const good = (await look(world)).hosts.q?.lastBackup?.snapshot;
    const forged = "ab".repeat(32);
    writeFileSync(join(world.at("q"), "snapshots", forged), "garbage");
    const report = await look(world);
    expect(report.hosts.q?.lastBackup?.snapshot).toBe(good);
    expect(report.problems).toHaveLength(1);
    expect(report.problems[0]).toMatch(/^q: 1 file of its snapshots cannot .*abababab/);
  });

  it("names results that are corrupt, and takes them for missing", async () => {
    const results = join(world.state, "results");
    writeFileSync(join(results, "mirror", "peer", "q.json"), '{"version":1,"last":');
    writeFileSync(join(results, "verify", "peer", "joker.json"), "{}");
    rmSync(join(results, "drill", "peer"), { recursive: true });
    const report = await look(world);
    const lines = report.problems.join("\n");
    expect(lines).toContain("mirror/peer/q.json");
    expect(lines).toContain("verify/peer/joker.json");
    expect(lines).toMatch(/^peer: q: not fresh: no mirror/m);
    expect(report.notices).toContain("peer: q, joker: no drill yet");
    expect(report.targets.peer?.hosts.joker?.verify).toBeNull();
    expect(report.targets.cloud?.fresh).toBe(true);
  });

  it("says so when no command has run with this state folder", async () => {
    const report = await look(world, { state: join(world.root, "elsewhere") });
    expect(report.notices.join()).toContain("no command has left a result");
    expect(report.targets.peer?.reachable).toBeNull();
  });

  it("ignores what is remembered of hosts and targets that are no longer there", async () => {
    record(world, "mirror", "gone", "q", { errors: ["no"] });
    record(world, "mirror", "peer", "gone", { errors: ["no"] });
    remember(join(world.state, "snapshots", "peer", "gone.json"), new Map());
    expect((await look(world)).problems).toEqual([]);
  });
});

/** A world with more hosts, in the place of this one; q and joker are as they were. */
async function another(hosts: readonly string[]): Promise<World> {
  await world.close();
  const made = new World(hosts);
  addTargets(made);
  for (const host of ["q", "joker"]) await made.seed(host);
  await goodNight(made, ["q", "joker"]);
  return made;
}
