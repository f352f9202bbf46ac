/** docs/runbooks/cloud-tampered.md, followed to the letter after a real theft at the emulator. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, expect, it } from "vitest";
import { envOf, rclone, restores } from "../family.ts";
import { Runbooks } from "./runbooks.ts";

let runbooks: Runbooks;
let place: string;

beforeAll(async () => {
  runbooks = await Runbooks.open();
  place = `cloud:${String(runbooks.cluster.settings["fort-offsite:targets"]?.cloud?.bucket)}`;
});

afterAll(async () => {
  expect(await runbooks.end()).toEqual([]);
});

/** The files that the bucket shows, with their hashes. */
async function shown(config: string): Promise<string[]> {
  const { stdout } = await execa(
    "rclone",
    [
      ...["lsf", "-R", "--files-only", "--format", "ph", "--hash", "SHA1"],
      ...["--exclude", "offsite-canary/**", place],
    ],
    { env: { RCLONE_CONFIG: config } },
  );
  return stdout.split("\n").sort();
}

/** What a thief does with the hub's key: hides, overwrites with as many bytes, and adds. */
async function steal(config: string): Promise<void> {
  const env = { RCLONE_CONFIG: config };
  const files = await shown(config);
  const packs = files
    .map((line) => line.split(";")[0] ?? "")
    .filter((path) => path.startsWith("q/data"));
  for (const path of packs) {
    const { stdout } = await execa("rclone", ["size", "--json", `${place}/${path}`], { env });
    const { bytes } = JSON.parse(stdout) as { bytes: number };
    const input = randomBytes(bytes);
    await execa("rclone", ["rcat", `${place}/${path}`], { env, input });
  }
  await execa("rclone", ["delete", `${place}/ursula`], { env });
  await execa("rclone", ["delete", `${place}/q/snapshots`], { env });
  const made = `${place}/q/snapshots/${randomBytes(32).toString("hex")}`;
  await execa("rclone", ["rcat", made], { env, input: randomBytes(300) });
}

it("shuts a thief out of the bucket, and brings back what he hid and overwrote", async () => {
  const { cluster, shells } = runbooks;
  const stolen = cluster.world.file("stolen.conf", readFileSync(shells.hub.rcloneFile, "utf8"));
  const good = await shown(stolen);
  await setTimeout(1_500);
  const before = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  await setTimeout(1_500);
  await steal(stolen);
  expect(await shown(stolen)).not.toEqual(good);
  const said = await runbooks.follow("cloud-tampered", {
    settings: { BUCKET: place.replace("cloud:", ""), BEFORE: before },
  });
  // The page's table names what was done: ursula's 6 files and q's snapshot, and two packs.
  expect(said).toMatch(/gone 0 {2}overwritten 0/);
  expect(await shown(shells.hub.rcloneFile)).toEqual(good);
  const asThief = await execa("rclone", ["lsf", place, "--retries", "1"], {
    env: { RCLONE_CONFIG: stolen },
    reject: false,
  });
  expect(asThief.exitCode).not.toBe(0);
  expect((await rclone(shells.hub, "lsf", place)).exitCode).toBe(0);
  for (const name of ["ursula", "q"]) {
    await shells.deploy(name);
    const env = await envOf(cluster, name);
    expect(await restores(cluster, name, env.OFFSITE_CLOUD_REPOSITORY ?? "", env), name).toBe(true);
  }
  expect(runbooks.unfollowed("cloud-tampered")).toEqual([]);
});
