import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LockedError } from "../../hub/lock.ts";
import { lockRepository, lockTarget, type Patience } from "../../hub/locks.ts";

const AT_ONCE: Patience = { seconds: 0 };
let state: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "offsite-hub-locks-"));
});

afterEach(() => {
  rmSync(state, { recursive: true });
});

const lock = (mode: "shared" | "exclusive", patience = AT_ONCE) =>
  lockRepository(state, "q", mode, patience);

describe("lockRepository", () => {
  it("lets many read, and nobody change meanwhile", async () => {
    const readers = [await lock("shared"), await lock("shared")];
    await expect(lock("exclusive")).rejects.toBeInstanceOf(LockedError);
    for (const release of readers) release();
    (await lock("exclusive"))();
  });

  it("names the state folder where it cannot be written", async () => {
    const file = join(state, "file");
    writeFileSync(file, "");
    await expect(lockTarget(file, "peer", AT_ONCE)).rejects.toThrow(`state folder "${file}"`);
    await expect(lockRepository(file, "q", "shared", AT_ONCE)).rejects.toThrow(file);
  });

  it("lets one change, and nobody read or change meanwhile", async () => {
    const release = await lock("exclusive");
    await expect(lock("shared")).rejects.toThrow("changes the repository");
    await expect(lock("exclusive")).rejects.toBeInstanceOf(LockedError);
    (await lockRepository(state, "joker", "exclusive", AT_ONCE))();
    release();
    (await lock("shared"))();
  });

  it("waits as long as it may, and says for whom", async () => {
    const release = await lock("shared");
    const reasons: string[] = [];
    const waiting = lock("exclusive", { seconds: 60, onWait: (reason) => reasons.push(reason) });
    await setTimeout(50);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toContain('reads the repository of "q"');
    release();
    (await waiting)();
  });

  it("does not wait for a reader that died", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    const folder = join(state, "locks", "repositories", "q.lock.readers");
    mkdirSync(folder, { recursive: true });
    const owner = { pid: child.pid ?? 0, started: "", token: "dead" };
    writeFileSync(join(folder, owner.token), JSON.stringify(owner));
    (await lock("exclusive"))();
  });

  it("never lets a reader in beside a writer, however they arrive", async () => {
    let readers = 0;
    let writers = 0;
    const clashes: string[] = [];
    const patience = { seconds: 60 };
    const work = async (mode: "shared" | "exclusive"): Promise<void> => {
      const release = await lock(mode, patience);
      if (mode === "shared") readers += 1;
      else writers += 1;
      if (writers > 1 || (writers === 1 && readers > 0)) clashes.push(mode);
      await setTimeout(5);
      if (mode === "shared") readers -= 1;
      else writers -= 1;
      release();
    };
    const modes = ["shared", "exclusive", "shared", "shared", "exclusive"] as const;
    await Promise.all(modes.map(work));
    expect(clashes).toEqual([]);
    expect([readers, writers]).toEqual([0, 0]);
  });
});

describe("lockTarget", () => {
  it("is held by one at a time, each target for itself", async () => {
    const release = await lockTarget(state, "cloud", AT_ONCE);
    await expect(lockTarget(state, "cloud", AT_ONCE)).rejects.toBeInstanceOf(LockedError);
    (await lockTarget(state, "peer", AT_ONCE))();
    release();
  });
});
