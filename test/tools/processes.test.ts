import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { World } from "./world.ts";

let world: World;

beforeEach(async () => {
  world = await World.make();
  await world.installGo();
});
afterEach(() => world.remove());

/** Another process that wants the same program. */
function start(): ChildProcess & { said: () => string } {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", path.join(import.meta.dirname, "ensure-one.ts")],
    {
      env: { ...process.env, WORLD: world.folder, PATH: `${world.path}:${process.env.PATH ?? ""}` },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  return Object.assign(child, { said: () => said });
}

async function end(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

test("two processes that want a program at once build it once", async () => {
  await world.write("go-waits", "");
  const both = [start(), start()];
  const ends = both.map(end);
  await expect.poll(() => world.builds(), { timeout: 30_000 }).toBe(1);
  await expect
    .poll(() => both.map((child) => child.said()).join(""), { timeout: 30_000 })
    .toContain("waiting for another run that is getting it");
  await rm(path.join(world.folder, "go-waits"));
  expect(await Promise.all(ends)).toEqual([0, 0]);
  expect(await world.builds()).toBe(1);
  for (const child of both) expect(child.said()).toContain(`at ${world.cache}`);
});

test("a build that is killed leaves nothing half made, and the next run makes it", async () => {
  await world.write("go-waits", "");
  const killed = start();
  await expect.poll(() => world.builds(), { timeout: 30_000 }).toBe(1);
  const ended = end(killed);
  killed.kill("SIGKILL");
  await ended;
  expect((await world.entries()).whole).toEqual([]);
  await rm(path.join(world.folder, "go-waits"));

  const next = start();
  expect(await end(next)).toBe(0);
  const { whole, unfinished } = await world.entries();
  expect(whole).toHaveLength(1);
  expect(unfinished).toEqual([]);
});
