import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { endOwners, LockedError, takeLock, writeOwner } from "../../hub/lock.ts";

let root: string;
let path: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "offsite-hub-lock-"));
  path = join(root, "state", "peer.lock");
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  return child.pid ?? 0;
}

describe("takeLock", () => {
  it("is held by one at a time and given back", async () => {
    const release = await takeLock(path, "it");
    await expect(takeLock(path, "it")).rejects.toBeInstanceOf(LockedError);
    release();
    expect(readdirSync(join(root, "state"))).toEqual([]);
    (await takeLock(path, "it"))();
  });

  it("takes over what a dead process left, and only one of many does", async () => {
    (await takeLock(path, "it"))();
    writeFileSync(path, JSON.stringify({ pid: await endedProcess(), started: "x", token: "t" }));
    const tries = await Promise.allSettled(Array.from({ length: 10 }, () => takeLock(path, "it")));
    expect(tries.filter((each) => each.status === "fulfilled")).toHaveLength(1);
    for (const each of tries) if (each.status === "fulfilled") each.value();
    expect(existsSync(path)).toBe(false);
  });

  it("does not take a process of the same number for the one that took the lock", async () => {
    const release = await takeLock(path, "it");
    const owner = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...owner, started: "another boot/1", token: "t" }));
    const taken = await takeLock(path, "it");
    release();
    expect(existsSync(path)).toBe(true);
    taken();
  });

  it("takes over a file that is no lock", async () => {
    (await takeLock(path, "it"))();
    writeFileSync(path, "");
    (await takeLock(path, "it"))();
  });
});

describe("processes that a killed agent left", () => {
  it("are ended, and none that only has the number of one", async () => {
    const [left, other] = [0, 1].map(() => spawn("sleep", ["60"]));
    if (left?.pid === undefined || other?.pid === undefined) throw new Error("no sleep");
    writeOwner(root, left.pid);
    const [file = ""] = readdirSync(root);
    const owner = JSON.parse(readFileSync(join(root, file), "utf8")) as Record<string, unknown>;
    writeFileSync(join(root, "another"), JSON.stringify({ ...owner, pid: other.pid }));
    endOwners(root);
    expect(await once(left, "exit")).toEqual([null, "SIGKILL"]);
    expect(other.exitCode ?? other.signalCode).toBeNull();
    expect(readdirSync(root)).toEqual([]);
    other.kill();
  });
});
