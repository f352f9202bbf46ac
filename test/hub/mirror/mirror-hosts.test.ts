import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mirrorHosts, type HostRun } from "../../../hub/mirror/mirror-hosts.ts";
import { newHostReport } from "../../../hub/mirror/report.ts";
import { noProgress } from "../../../hub/progress.ts";
import { pathOf, type Kind, type RepositoryFile } from "../../../hub/repository/layout.ts";
import {
  emptyInventory,
  type AcceptedCredential,
  type SendObserver,
  type Target,
} from "../../../hub/targets/target.ts";
import { restic, World } from "../world.ts";

let world: World;

beforeEach(async () => {
  world = new World(["q"]);
  await world.seed("q");
});

afterEach(async () => {
  await world.close();
});

/** A target in a folder, which lets something happen at the hub before each phase. */
class FolderTarget implements Target {
  readonly name = "folder";
  readonly maxBytes = undefined;
  readonly groupBytes = 0;
  readonly replaces = false;
  readonly sent: Kind[] = [];
  readonly #before: (kind: Kind) => Promise<void>;

  constructor(before: (kind: Kind) => Promise<void>) {
    this.#before = before;
  }

  inventory(): never {
    throw new Error("not asked for here");
  }

  async send(files: Iterable<RepositoryFile>, observer: SendObserver): Promise<void> {
    const all = [...files];
    const [first] = all;
    if (first === undefined) return;
    this.sent.push(first.kind);
    await this.#before(first.kind);
    for (const file of all) {
      const path = pathOf(file.kind, file.name);
      const to = join(world.cloudData, file.host, path);
      if (!existsSync(join(world.at(file.host), path))) {
        observer.done(file, { result: "vanished" });
        continue;
      }
      mkdirSync(dirname(to), { recursive: true });
      copyFileSync(join(world.at(file.host), path), to);
      observer.done(file, { result: "sent" });
    }
  }

  credential(): AcceptedCredential {
    return { age: "current", generation: 1, at: new Date() };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function newRun(): HostRun {
  const inventory = emptyInventory();
  return { host: "q", directory: world.at("q"), inventory, report: newHostReport() };
}

async function pruneAtHub(): Promise<void> {
  const keep = ["--keep-last", "1", "--group-by", "", "--prune", "--max-unused", "0"];
  await restic(world, world.at("q"), "forget", "--quiet", ...keep);
}

describe("mirrorHosts", { timeout: 120_000 }, () => {
  it.each(["keys", "config", "data", "index", "snapshots"] as const)(
    "lists again after a prune before the %s, and leaves a sound and complete copy",
    async (when) => {
      await world.backup("q");
      let pruned = false;
      const target = new FolderTarget(async (kind) => {
        if (kind !== when || pruned) return;
        pruned = true;
        await pruneAtHub();
      });
      const run = newRun();
      await mirrorHosts(target, [run], noProgress);
      // Once its index is at the target, what a prune removes at the hub makes no difference.
      expect(run.report.notices).toHaveLength(when === "snapshots" ? 0 : 1);
      expect(run.report).toMatchObject({ outcome: "complete", errors: [] });
      const there = readdirSync(join(world.cloudData, "q", "snapshots"));
      expect(there).toEqual(readdirSync(join(world.at("q"), "snapshots")));
      await world.check(world.cloudData, "q");
    },
  );

  it("leaves the snapshots out when prunes never stop, and says so", async () => {
    const target = new FolderTarget(async (kind) => {
      if (kind !== "data") return;
      await world.backup("q");
      await pruneAtHub();
    });
    const run = newRun();
    await mirrorHosts(target, [run], noProgress);
    expect(run.report.outcome).toBe("incomplete");
    expect(run.report.errors).toHaveLength(1);
    expect(run.report.errors[0]).toContain("pruned again and again");
    expect(target.sent).not.toContain("snapshots");
    expect(existsSync(join(world.cloudData, "q", "snapshots"))).toBe(false);
    await world.check(world.cloudData, "q");
  });

  it("takes a snapshot that was forgotten meanwhile for no failure", async () => {
    const target = new FolderTarget((kind) => {
      const [name] = readdirSync(join(world.at("q"), "snapshots"));
      if (kind === "data") rmSync(join(world.at("q"), "snapshots", name ?? ""));
      return Promise.resolve();
    });
    const run = newRun();
    await mirrorHosts(target, [run], noProgress);
    expect(run.report).toMatchObject({ outcome: "complete", errors: [], snapshots: 1 });
    await world.check(world.cloudData, "q");
  });

  it("does not send what a backup added after the listing without what it needs", async () => {
    const target = new FolderTarget(async (kind) => {
      if (kind === "index") await world.backup("q");
    });
    const run = newRun();
    await mirrorHosts(target, [run], noProgress);
    expect(run.report).toMatchObject({ outcome: "complete", snapshots: 2 });
    expect(readdirSync(join(world.cloudData, "q", "snapshots"))).toHaveLength(2);
    await world.check(world.cloudData, "q");
  });
});
