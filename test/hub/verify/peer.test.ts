import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readResults } from "../../../hub/results.ts";
import { pathOf, type HashedKind } from "../../../hub/repository/layout.ts";
import { World } from "../world.ts";
import { host, verify } from "./agent.ts";

let world: World;
/** Puts back what a test has broken. */
const undo: (() => void)[] = [];

beforeAll(async () => {
  world = new World(["q", "joker"]);
  await world.addPeer();
  await world.seed("q");
  await world.seed("joker");
  await world.mirror();
});

afterEach(() => {
  for (const each of undo.splice(0).reverse()) each();
});

afterAll(async () => {
  await world.close();
});

/** The largest file of q of a kind, as a path below its repository. */
function largest(kind: HashedKind): string {
  const size = (name: string): number => statSync(join(world.at("q"), pathOf(kind, name))).size;
  const names = world.filesAt(world.repositories, "q", kind);
  const [name] = names.sort((a, b) => size(b) - size(a));
  if (name === undefined) throw new Error(`no file of kind ${kind}`);
  return pathOf(kind, name);
}

/** Changes a file of q in place, and puts it back after the test. */
function change(place: string, path: string, how: (file: string) => void): void {
  const file = join(place, "q", path);
  const { mtime } = statSync(file);
  const copy = join(world.root, "copy");
  copyFileSync(file, copy);
  undo.push(() => {
    rmSync(file, { force: true });
    renameSync(copy, file);
    utimesSync(file, mtime, mtime);
  });
  chmodSync(file, 0o600);
  how(file);
}

function flipBit(file: string): void {
  const content = readFileSync(file);
  const middle = Math.floor(content.length / 2);
  content[middle] = (content[middle] ?? 0) ^ 1;
  writeFileSync(file, content);
}

/** Leaves a file at the peer that the hub never had. */
function stray(name: string, content: string): void {
  const file = join(world.peerData, "q", pathOf("data", name));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  undo.push(() => rmSync(file));
}

async function restartPeer(...args: string[]): Promise<void> {
  await world.stopPeer();
  await world.startPeer(world.trio.current, args);
}

describe("verify of a rest-server", () => {
  it("passes where everything is there, reads the hub's files once, and remembers it", async () => {
    const first = await verify(world, "--deep", "--share", "100");
    expect(first.stderr).not.toContain("error");
    expect(first.exitCode).toBe(0);
    const q = host(first, "peer", "q");
    const files = q.files;
    expect(q).toMatchObject({ outcome: "ok", snapshots: 2, credential: "current" });
    expect(q.read.files).toBe(files);
    expect(first.report.hub.q?.read.files).toBe(files - 1);
    const second = await verify(world);
    expect(second.exitCode).toBe(0);
    expect(second.report.hub.q?.read.files).toBe(0);
    expect(host(second, "peer", "q")).toMatchObject({ files, read: { files: 0 } });
    const remembered = readResults(world.state, "verify").filter((each) => each.place === "peer");
    expect(remembered.map((each) => [each.host, each.last.outcome]).sort()).toEqual([
      ["*", "ok"],
      ["joker", "ok"],
      ["q", "ok"],
    ]);
  });

  it("names a pack that is missing, and keeps the other host's verdict", async () => {
    const path = largest("data");
    change(world.peerData, path, (file) => rmSync(file));
    const run = await verify(world);
    expect(run.exitCode).toBe(1);
    const q = host(run, "peer", "q");
    expect(q.missing).toMatchObject({ count: 1, paths: [path] });
    expect(q.errors.join()).toContain("offsite-hub mirror peer --host q");
    expect(q.freshAsOf).toBeNull();
    expect(host(run, "peer", "joker").outcome).toBe("ok");
  });

  it("names a truncated pack, and the way out", async () => {
    const path = largest("data");
    change(world.peerData, path, (file) => truncateSync(file, 1000));
    const run = await verify(world);
    expect(run.exitCode).toBe(1);
    expect(host(run, "peer", "q").wrongSize.paths).toEqual([path]);
    expect(run.stderr).toContain("Remove them there as the operator");
  });

  it("finds a flipped bit by reading back, which no listing tells", async () => {
    const path = largest("data");
    change(world.peerData, path, flipBit);
    expect((await verify(world)).exitCode).toBe(0);
    const run = await verify(world, "--deep", "--share", "100");
    expect(run.exitCode).toBe(1);
    const q = host(run, "peer", "q");
    expect(q.read.damaged.paths).toEqual([path]);
    expect(host(run, "peer", "joker").outcome).toBe("ok");
  });

  it("reads again what it found damaged, each time until it is whole", async () => {
    const path = largest("data");
    change(world.peerData, path, flipBit);
    await verify(world, "--deep", "--share", "100");
    for (const args of [[], ["--deep", "--share", "1"]]) {
      const run = await verify(world, ...args);
      expect(run.exitCode).toBe(1);
      expect(host(run, "peer", "q").read.damaged.paths).toEqual([path]);
    }
    for (const each of undo.splice(0)) each();
    expect(host(await verify(world), "peer", "q")).toMatchObject({
      outcome: "ok",
      read: { files: 1 },
    });
    expect(host(await verify(world), "peer", "q").read.files).toBe(0);
  });

  it("finds at the hub what has rotted since it was read, and does not forget it", async () => {
    const path = largest("index");
    await verify(world);
    change(world.repositories, path, flipBit);
    for (const args of [["--deep", "--share", "100"], []]) {
      const run = await verify(world, ...args);
      expect(run.exitCode).toBe(1);
      expect(run.report.hub.q?.read.damaged.paths).toEqual([path]);
    }
  });

  it("finds another config than the hub's", async () => {
    change(world.peerData, "config", flipBit);
    const run = await verify(world);
    expect(run.exitCode).toBe(1);
    expect(host(run, "peer", "q").errors.join()).toContain("config");
  });

  it("tells what the hub never sent from what it has removed", async () => {
    const content = "somebody else's";
    const name = createHash("sha256").update(content).digest("hex");
    stray(name, content);
    stray("ab".repeat(32), content);
    const index = largest("index");
    change(world.repositories, index, (file) => rmSync(file));
    const run = await verify(world, "--deep");
    expect(run.exitCode).toBe(1);
    const q = host(run, "peer", "q");
    expect(q.strangers.paths.sort()).toEqual(
      [pathOf("data", name), pathOf("data", "ab".repeat(32))].sort(),
    );
    expect(q.gone.paths).toEqual([index]);
    expect(q.errors.filter((error) => error.includes("not even what their names say"))).toEqual([
      expect.stringContaining("abab"),
    ]);
  });

  it("names rot at the hub, again and again, and does not blame the target", async () => {
    rmSync(world.state, { recursive: true });
    const path = largest("data");
    change(world.repositories, path, flipBit);
    for (let time = 0; time < 2; time += 1) {
      const run = await verify(world);
      expect(run.exitCode).toBe(1);
      expect(run.report.hub.q?.read.damaged.paths).toEqual([path]);
      expect(host(run, "peer", "q").outcome).toBe("ok");
    }
  });

  it("knows after the loss of its state what is there, and says what it cannot know", async () => {
    stray("cd".repeat(32), "of times gone by");
    rmSync(world.state, { recursive: true });
    const first = await verify(world);
    expect(first.exitCode).toBe(0);
    expect(host(first, "peer", "q").notices.join()).toContain("1 file there that the hub does not");
    stray("ef".repeat(32), "new");
    const second = await verify(world);
    expect(host(second, "peer", "q").strangers.paths).toEqual([pathOf("data", "ef".repeat(32))]);
  });

  it("notices locks and unfinished files", async () => {
    const temporary = `data/00/${"0".repeat(64)}.rest-server-temp1`;
    for (const path of [`locks/${"12".repeat(32)}`, temporary]) {
      const file = join(world.peerData, "q", path);
      writeFileSync(file, "x");
      undo.push(() => rmSync(file));
    }
    const run = await verify(world, "--host", "q");
    expect(run.exitCode).toBe(0);
    expect(host(run, "peer", "q").notices.join()).toMatch(/1 lock .*1 file .*rest-server-temp1/);
    expect(Object.keys(run.report.targets.peer?.hosts ?? {})).toEqual(["q"]);
  });

  it("fails a host alone whose ledger cannot be written, and says so", async () => {
    const ledger = join(world.state, "ledger", "q");
    renameSync(ledger, `${ledger}.away`);
    mkdirSync(ledger);
    undo.push(() => {
      rmSync(ledger, { recursive: true });
      renameSync(`${ledger}.away`, ledger);
    });
    const run = await verify(world);
    expect(run.exitCode).toBe(1);
    expect(host(run, "peer", "q").errors.join()).toContain("ledger");
    expect(host(run, "peer", "joker").outcome).toBe("ok");
  });

  it("killed at any moment leaves nothing that the next one stumbles over", async () => {
    rmSync(world.state, { recursive: true });
    rmSync(join(world.peerData, "q", "offsite-canary"), { recursive: true });
    for (const milliseconds of [200, 250, 300, 350, 400, 450]) {
      const run = world.start("verify", "--wait", "0", "--deep");
      await setTimeout(milliseconds);
      if (run.pid !== undefined) process.kill(-run.pid, "SIGKILL");
      await run;
    }
    const after = await verify(world, "--deep", "--share", "100");
    expect(after.stderr).not.toContain("error");
    expect(after.exitCode).toBe(0);
    expect(host(after, "peer", "q").strangers.count).toBe(0);
  });

  it("waits for another verify, and both pass", async () => {
    const runs = await Promise.all([verify(world), verify(world, "--deep")]);
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  });
});

describe("verify and the mirror's times", () => {
  it("lets new files wait, and fails when a snapshot has waited for too long", async () => {
    await world.mirror();
    await world.backup("joker");
    const waiting = await verify(world);
    expect(waiting.exitCode).toBe(0);
    const joker = host(waiting, "peer", "joker");
    expect(joker.waiting.count).toBeGreaterThan(2);
    expect(joker.missing.count).toBe(0);
    expect(joker.freshAsOf).toBe(joker.lastMirror);
    expect(host(waiting, "peer", "q").freshAsOf).not.toBe(host(waiting, "peer", "q").lastMirror);
    world.settings = { overdueHours: 1e-6 };
    const stale = await verify(world);
    world.settings = undefined;
    expect(stale.exitCode).toBe(1);
    expect(host(stale, "peer", "joker").errors).toEqual([expect.stringContaining("stale")]);
    const mirrored = await world.mirror();
    expect(mirrored.exitCode).toBe(0);
    const after = await verify(world);
    expect(after.exitCode).toBe(0);
    expect(host(after, "peer", "joker").snapshots).toBe(3);
  });

  it("calls a snapshot missing that is older than the last complete mirror", async () => {
    const path = largest("snapshots");
    change(world.peerData, path, (file) => rmSync(file));
    const run = await verify(world);
    expect(run.exitCode).toBe(1);
    expect(host(run, "peer", "q")).toMatchObject({
      snapshots: 1,
      missing: { count: 1, paths: [path] },
    });
  });
});

describe("verify's canary at a rest-server", () => {
  it.each([
    ["--append-only=false", "be removed with the hub's credential"],
    ["--no-auth", "anybody can read there"],
    ["--private-repos=false", 'user "joker" can read what belongs to "q"'],
  ])("notices %s, and harms nothing", async (flag, problem) => {
    await restartPeer(flag);
    const run = await verify(world);
    await restartPeer();
    expect(run.exitCode).toBe(1);
    expect(host(run, "peer", "q").errors.join()).toContain(problem);
    expect(host(run, "peer", "q").missing.count).toBe(0);
    const again = await verify(world, "--deep", "--share", "100");
    expect(again.stderr).not.toContain("error");
    expect(again.exitCode).toBe(0);
    const canary = world.filesAt(join(world.peerData, "q"), "offsite-canary", "data");
    expect(canary).toHaveLength(1);
  });

  it("says that a deployment is owed where the server takes the previous credential", async () => {
    await world.stopPeer();
    await world.startPeer(world.trio.previous ?? "");
    const run = await verify(world);
    await restartPeer();
    expect(run.exitCode).toBe(0);
    expect(run.report.targets.peer?.notices).toEqual([
      expect.stringContaining("accepted the previous credential"),
    ]);
  });

  it("fails the target alone that accepts none of the credentials", async () => {
    world.addCloud();
    await world.mirror("cloud");
    await world.stopPeer();
    await world.startPeer("another");
    const run = await verify(world);
    delete world.manifest.targets.cloud;
    await restartPeer();
    expect(run.exitCode).toBe(1);
    expect(host(run, "cloud", "q").outcome).toBe("ok");
    expect(host(run, "peer", "q").errors).toEqual([expect.stringContaining("401")]);
    expect(run.stderr).not.toContain(world.trio.current);
  });
});
