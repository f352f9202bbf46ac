import { createHash } from "node:crypto";
import { chownSync, lstatSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { readResults } from "../../../hub/results.ts";
import { restic } from "../world.ts";
import { hostOf, OWNER, OwnedWorld } from "./owned-world.ts";

let world: OwnedWorld;

afterEach(async () => {
  await world.close();
});

describe("prune", () => {
  it("leaves what the retention keeps, as the owner, and says so", async () => {
    world = await OwnedWorld.make(["q", "joker"]);
    const days = world.days("q", 40);
    world.snapshot("joker", 5);
    const planned = await world.prune("--dry-run");
    expect(planned.exitCode).toBe(0);
    expect(world.snapshotsOf("q")).toHaveLength(40);
    const run = await world.prune("--allow-removal");
    expect(run.stderr).not.toContain("error");
    expect(run.exitCode).toBe(0);
    const report = hostOf(run, "q");
    expect(report).toMatchObject({ outcome: "pruned", snapshots: 40, suspicious: [], errors: [] });
    expect(report.removed).toEqual(hostOf(planned, "q").removed);
    const left = world.snapshotsOf("q");
    expect(left).toHaveLength(report.kept);
    expect(left).toEqual(expect.arrayContaining(days.slice(0, 7)));
    expect(left.length).toBeLessThan(7 + 4 + 6);
    expect(hostOf(run, "joker")).toMatchObject({ outcome: "pruned", kept: 1, removed: [] });
    const owners = readdirSync(world.at("q"), { recursive: true, encoding: "utf8" }).map(
      (name) => lstatSync(join(world.at("q"), name)).uid,
    );
    expect(new Set(owners)).toEqual(new Set([OWNER]));
    await world.check(world.repositories, "q");
    const result = readResults(world.state, "prune").find(({ host }) => host === "q");
    expect(result).toMatchObject({
      place: "hub",
      last: { outcome: "ok", facts: { kept: left.length, removed: 40 - left.length } },
    });
  });

  it("removes the data of what went", async () => {
    world = await OwnedWorld.make(["q"]);
    await world.backup("q", 3_000_000);
    const [big = ""] = world.snapshotsOf("q");
    await restic(world, world.at("q"), "forget", big);
    world.handOver("q");
    world.days("q", 2);
    const before = world.filesAt(world.repositories, "q", "data").length;
    const run = await world.prune();
    expect(run.exitCode).toBe(0);
    expect(world.filesAt(world.repositories, "q", "data").length).toBeLessThan(before);
    await world.check(world.repositories, "q");
  });

  it("asks before more goes than usual, and remembers what is usual", async () => {
    world = await OwnedWorld.make(["q", "joker"]);
    world.days("q", 40);
    world.days("joker", 10);
    const refused = await world.prune("--keep-monthly", "0");
    expect(refused.exitCode).toBe(3);
    expect(hostOf(refused, "q").outcome).toBe("refused");
    expect(hostOf(refused, "q").errors.join()).toContain("--allow-removal");
    expect(refused.stderr).toContain("more than half of all 40");
    expect(world.snapshotsOf("q")).toHaveLength(40);
    expect(hostOf(refused, "joker").outcome).toBe("pruned");
    expect((await world.prune("--keep-monthly", "0", "--allow-removal")).exitCode).toBe(0);
    expect(world.snapshotsOf("q").length).toBeLessThan(12);
    const fewer = await world.prune("--keep-daily", "1", "--keep-weekly", "0");
    expect(hostOf(fewer, "q").outcome).toBe("refused");
  });

  it("removes nothing that arrived in the last two days", async () => {
    world = await OwnedWorld.make(["q"]);
    const recent = [1, 2, 3, 4, 5, 20, 40, 47].map((hours) => world.snapshot("q", hours));
    const old = [50, 51, 52, 53, 54].map((hours) => world.snapshot("q", hours));
    const only = ["--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0"];
    const run = await world.prune(...only);
    expect(run.exitCode).toBe(0);
    expect(world.snapshotsOf("q")).toEqual(recent.sort());
    expect(
      hostOf(run, "q")
        .removed.map(({ id }) => id)
        .sort(),
    ).toEqual(old.sort());
    const later = await world.prune(...only, "--keep-hours", "0", "--allow-removal");
    expect(hostOf(later, "q").kept).toBe(1);
  });

  it("keeps what no target has yet, until a mirror has taken it there", async () => {
    world = await OwnedWorld.make(["q"]);
    world.addCloud();
    world.days("q", 10);
    const only = ["--keep-daily", "7", "--keep-weekly", "0", "--keep-monthly", "0"];
    const run = await world.prune(...only);
    expect(run.exitCode).toBe(0);
    expect(hostOf(run, "q").unmirrored).toHaveLength(3);
    expect(run.stderr).toContain("not yet mirrored to any target");
    expect(world.snapshotsOf("q")).toHaveLength(10);
    expect((await world.mirror()).exitCode).toBe(0);
    const after = await world.prune("--keep-daily", "2", ...only.slice(2), "--allow-removal");
    expect(hostOf(after, "q")).toMatchObject({ kept: 2, unmirrored: [] });
    expect(world.snapshotsOf("q")).toHaveLength(2);
    // The mirror takes nothing of that for lost, though its own retention would have kept more.
    expect((await world.mirror()).exitCode).toBe(0);
    expect(world.filesAt(world.cloudData, "q", "snapshots")).toHaveLength(10);
  });

  it("takes root's files back for the owner, and refuses a repository of root's", async () => {
    if (process.getuid?.() !== 0) return;
    world = await OwnedWorld.make(["q", "joker"]);
    const [id = ""] = world.days("q", 1);
    const path = join(world.at("q"), "snapshots", id);
    chownSync(path, 0, 0);
    chownSync(world.at("joker"), 0, 0);
    const run = await world.prune();
    expect(run.exitCode).toBe(1);
    expect(hostOf(run, "q")).toMatchObject({ outcome: "pruned", repaired: [`snapshots/${id}`] });
    expect(lstatSync(path).uid).toBe(OWNER);
    expect(hostOf(run, "joker").errors.join()).toContain("belongs to root");
  });

  it("goes on with the others where a host's password is missing or wrong", async () => {
    world = await OwnedWorld.make(["q", "joker", "minos", "ursula"]);
    const wrong = join(world.root, "wrong");
    writeFileSync(wrong, "not-this-one\n");
    for (const host of world.hosts) world.days(host, 1);
    const { q = "" } = world.settings?.passwordFiles ?? {};
    world.settings = { passwordFiles: { q, joker: wrong, ursula: "/nonexistent" } };
    const run = await world.prune();
    expect(run.exitCode).toBe(1);
    expect(hostOf(run, "q").outcome).toBe("pruned");
    expect(hostOf(run, "joker").errors.join()).toContain("password does not open");
    expect(hostOf(run, "minos").errors.join()).toContain("passwordFiles.minos");
    expect(hostOf(run, "ursula").errors.join()).toContain("/nonexistent");
    expect(run.stderr + run.stdout).not.toContain("not-this-one");
    const results = readResults(world.state, "prune");
    expect(results.map(({ host, last }) => `${host} ${last.outcome}`).sort()).toEqual([
      "joker failed",
      "minos failed",
      "q ok",
      "ursula failed",
    ]);
  });

  it("goes on with the others where a file is in a repository's place, and needs the folder of all", async () => {
    world = await OwnedWorld.make(["q", "joker"]);
    rmSync(world.at("q"), { recursive: true });
    writeFileSync(world.at("q"), "");
    const run = await world.prune();
    expect(run.exitCode).toBe(1);
    expect(hostOf(run, "q").errors.join()).toContain(world.at("q"));
    expect(hostOf(run, "joker").outcome).toBe("pruned");
    renameSync(world.repositories, `${world.repositories}.away`);
    for (const command of ["prune", "list", "verify"]) {
      const away = await world.start(command, "--wait", "0");
      expect([command, away.exitCode]).toEqual([command, 2]);
      expect(away.stderr).toContain(`cannot read the hub's repositories`);
    }
  });

  it("says what to do where somebody without the key has left an index file", async () => {
    world = await OwnedWorld.make(["q"]);
    world.days("q", 1);
    const content = "x".repeat(300);
    const name = createHash("sha256").update(content).digest("hex");
    const file = join(world.at("q"), "index", name);
    writeFileSync(file, content);
    chownSync(file, OWNER, OWNER);
    const run = await world.prune();
    expect(run.exitCode).toBe(1);
    expect(hostOf(run, "q").errors.join()).toContain("`restic check` names it");
  });

  it("ends with exit code 2 where it is used wrongly, and 0 where there is no repository", async () => {
    world = await OwnedWorld.make(["q"]);
    const [id = ""] = world.days("q", 1);
    const nothing = ["--keep-daily", "0", "--keep-weekly", "0", "--keep-monthly", "0"];
    for (const [args, message] of [
      [nothing, "One of them must be above 0"],
      [["nobody"], 'no such host: "nobody"'],
      [["--trust", "0123456789", "--trust", "x"], "no snapshot"],
      [["--trust", id.slice(0, 4)], "first 8 digits"],
    ] as const) {
      const run = await world.start("prune", ...args);
      expect(run.exitCode).toBe(2);
      expect(run.stderr).toContain(message);
    }
    expect(world.snapshotsOf("q")).toEqual([id]);
    world.manifest.hosts = { minos: { ...world.manifest.hosts.q, user: "minos" } as never };
    const absent = await world.prune();
    expect(absent.exitCode).toBe(0);
    expect(hostOf(absent, "minos").outcome).toBe("absent");
  });
});
