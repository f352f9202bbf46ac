import {
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MigrateReport } from "../../../hub/migrate/migrate.ts";
import { Forge } from "../forge.ts";
import { FLAGS, hostOf, OWNER, OwnedWorld } from "../prune/owned-world.ts";
import { PASSWORD, type Run } from "../world.ts";

const SHARED = "of-the-shared-one";

let world: OwnedWorld;
let source: string;
let passwordFile: string;

beforeEach(async () => {
  world = await OwnedWorld.make(["q", "joker", "minos"]);
  for (const host of world.hosts) rmSync(world.at(host), { recursive: true });
  // As the shared one was: at the root of the rest-server's folder, above the private ones.
  source = world.repositories;
  world.addRepository("");
  new Forge(source, PASSWORD).cheapen(SHARED);
  world.handOver("");
  passwordFile = join(world.root, "shared-password");
  writeFileSync(passwordFile, `${SHARED}\n`, { mode: 0o600 });
});

afterEach(async () => {
  await world.close();
});

/** Backs a host up into the shared repository, as some days ago. */
async function backup(host: string, daysAgo: number, bytes = 200_000): Promise<void> {
  await world.oldBackup("", bytes, daysAgo, { host, password: SHARED });
}

async function migrate(...args: string[]): Promise<Run<MigrateReport>> {
  const from = ["--from", source, "--from-password-file", passwordFile];
  return await world.run<MigrateReport>("migrate", ...FLAGS, ...from, ...args);
}

/** The shared repository's files with their times. */
function shared(): string[] {
  return ["config", "data", "index", "keys", "locks", "snapshots"].flatMap((kind) => {
    const path = join(source, kind);
    const names =
      kind === "config" ? [""] : readdirSync(path, { recursive: true, encoding: "utf8" });
    return names.map((name) => `${kind}/${name} ${String(statSync(join(path, name)).mtimeMs)}`);
  });
}

describe("migrate", () => {
  it("copies each host's snapshots into its own repository, once, and leaves the source alone", async () => {
    for (const daysAgo of [3, 2, 1]) await backup("q", daysAgo);
    await backup("joker", 5);
    await backup("raishan", 400);
    const before = shared();
    const planned = await migrate("--dry-run");
    expect(planned.exitCode).toBe(0);
    expect(planned.report.hosts.q).toMatchObject({ outcome: "planned", copied: 3 });
    expect(lstatSync(world.at("q"), { throwIfNoEntry: false })).toBeUndefined();
    const run = await migrate();
    expect(run.stderr).not.toContain("error");
    expect(run.exitCode).toBe(0);
    const { q, joker, minos } = run.report.hosts;
    expect(q).toMatchObject({ outcome: "migrated", snapshots: 3, copied: 3, created: true });
    expect(joker).toMatchObject({ outcome: "migrated", snapshots: 1, copied: 1, created: true });
    expect(minos).toMatchObject({ outcome: "absent", snapshots: 0 });
    expect(run.report.unknown).toEqual({ raishan: 1 });
    expect(run.stderr).toContain("raishan (1 snapshot)");
    expect(world.snapshotsOf("q")).toHaveLength(3);
    for (const host of ["q", "joker"]) {
      world.forge(host).cheapen(PASSWORD);
      world.handOver(host);
      await world.check(world.repositories, host);
      for (const name of readdirSync(world.at(host), { recursive: true, encoding: "utf8" })) {
        expect(lstatSync(join(world.at(host), name)).uid).toBe(OWNER);
      }
    }
    const again = await migrate();
    expect(again.exitCode).toBe(0);
    expect(again.report.hosts.q).toMatchObject({ outcome: "migrated", copied: 0, created: false });
    expect(world.snapshotsOf("q")).toHaveLength(3);
    expect(shared()).toEqual(before);
    expect(run.stdout + run.stderr).not.toContain(SHARED);
    // No copy is taken for forged, though all have just been written.
    expect(hostOf(await world.prune("q"), "q").suspicious).toEqual([]);
  });

  it("hands on when the originals arrived, so that forged ones stay suspicious", async () => {
    for (const daysAgo of [3, 2]) await backup("q", daysAgo);
    world.addRepository("q");
    const [forged = ""] = readdirSync(join(source, "snapshots"));
    utimesSync(join(source, "snapshots", forged), new Date(), new Date());
    expect((await migrate("q")).exitCode).toBe(0);
    const pruned = await world.prune("q");
    expect(hostOf(pruned, "q").suspicious).toHaveLength(1);
  });

  it("goes on after it was killed", async () => {
    for (const daysAgo of [4, 3, 2, 1]) await backup("q", daysAgo, 1_000_000);
    world.addRepository("q");
    const from = ["--from", source, "--from-password-file", passwordFile];
    const killed = world.start("migrate", ...FLAGS, ...from);
    while (world.snapshotsOf("q").length === 0) await setTimeout(2);
    process.kill(-(killed.pid ?? 0), "SIGKILL");
    expect((await killed).signal).toBe("SIGKILL");
    const run = await migrate();
    expect(run.stderr).not.toContain("error");
    expect(run.report.hosts.q).toMatchObject({ outcome: "migrated", created: false });
    expect(run.report.hosts.q?.copied).toBeLessThan(4);
    expect(world.snapshotsOf("q")).toHaveLength(4);
    await world.check(world.repositories, "q");
  });

  it("takes another host name's snapshots where it is told that they are the host's", async () => {
    await backup("raishan", 3);
    await backup("q", 2);
    world.addRepository("minos");
    const run = await migrate("minos", "--rename", "raishan=minos");
    expect(run.exitCode).toBe(0);
    expect(run.report.hosts.minos).toMatchObject({ outcome: "migrated", copied: 1 });
    expect(run.report).toMatchObject({ unknown: {}, others: { q: 1 } });
    for (const [rename, message] of [
      ["raishan", "is not old=new"],
      ["raishan=nobody", 'no host "nobody"'],
      ["ratched=q", "It has: q, raishan"],
    ] as const) {
      const wrong = await migrate("--rename", rename);
      expect(wrong.exitCode).toBe(2);
      expect(wrong.stderr).toContain(message);
    }
  });

  it("refuses what it cannot read, before anything is made", async () => {
    await backup("q", 1);
    writeFileSync(passwordFile, "not-this-one\n");
    const wrong = await migrate();
    expect(wrong.exitCode).toBe(2);
    expect(wrong.stderr).toContain("cannot read the repository of --from");
    expect(wrong.stderr).toContain("password does not open");
    expect(wrong.stderr).not.toContain("not-this-one");
    for (const [from, message] of [
      ["rest:http://user:hidden@hub/", "holds a password"],
      ["sftp:hub:/repository", "give a folder, or rest:"],
    ] as const) {
      const run = await world.run(
        "migrate",
        ...FLAGS,
        "--from",
        from,
        "--from-password-file",
        passwordFile,
      );
      expect(run.exitCode).toBe(2);
      expect(run.stderr).toContain(message);
      expect(run.stderr).not.toContain("hidden");
    }
    expect(lstatSync(world.at("q"), { throwIfNoEntry: false })).toBeUndefined();
  });

  it("goes on with the others where a host's repository cannot be made or opened", async () => {
    for (const host of world.hosts) await backup(host, 1);
    world.addRepository("q");
    const { q = "" } = world.settings?.passwordFiles ?? {};
    world.settings = { passwordFiles: { q, minos: q } };
    mkdirSync(join(world.at("minos"), "keys"), { recursive: true });
    writeFileSync(join(world.at("minos"), "keys", "ab".repeat(32)), "x");
    world.handOver("minos");
    const run = await migrate();
    expect(run.exitCode).toBe(1);
    expect(run.report.hosts.q?.outcome).toBe("migrated");
    expect(run.report.hosts.joker?.errors.join()).toContain("passwordFiles.joker");
    expect(run.report.hosts.minos?.errors.join()).toContain("its making was interrupted");
  });
});
