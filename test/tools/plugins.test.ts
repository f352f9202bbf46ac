import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { create } from "tar";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  commandPluginOnPath,
  commandPluginRelease,
  commandPluginVersion,
  ensureCommandPlugin,
} from "../../tools/plugins.ts";
import { Maker, World } from "./world.ts";

let world: World;
let maker: Maker;
const steps: string[] = [];

beforeEach(async () => {
  world = await World.make();
  maker = await Maker.start();
  steps.length = 0;
  vi.stubEnv("PULUMI_HOME", path.join(world.folder, "home"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await maker.stop();
  await world.remove();
});

async function ensure(): Promise<string | undefined> {
  const release = { ...commandPluginRelease("1.2.1"), base: maker.base, checksums: "SHA256SUMS" };
  return await ensureCommandPlugin({ path: world.bin }, (step) => steps.push(step), {
    ...world.world({}),
    release: { ...release, asset: () => "plugin.tar.gz" },
  });
}

test("the official plugin on PATH is used, unless the engine is told to ignore PATH", async () => {
  const file = await world.program("bin/pulumi-resource-command", "");
  expect(await ensure()).toBe(file);
  vi.stubEnv("PULUMI_IGNORE_AMBIENT_PLUGINS", "true");
  expect(await commandPluginOnPath({ path: world.bin })).toBeUndefined();
});

test("the official plugin is got from its maker, and kept", async () => {
  const folder = path.join(world.folder, "archive");
  await mkdir(folder);
  await writeFile(path.join(folder, "pulumi-resource-command"), "official");
  const file = path.join(world.folder, "plugin.tar.gz");
  await create({ gzip: true, cwd: folder, file }, ["pulumi-resource-command"]);
  maker.publish("plugin.tar.gz", await readFile(file));
  const got = await ensure();
  expect(path.basename(got ?? "")).toBe("pulumi-resource-command");
  expect(await readFile(got ?? "", "utf8")).toBe("official");
  maker.asked.length = 0;
  expect(await ensure()).toBe(got);
  expect(maker.asked).toEqual([]);
});

test("where the official plugin cannot be had, it is said why, and a stand-in is needed", async () => {
  expect(await ensure()).toBeUndefined();
  expect(steps).toEqual(["downloading", expect.stringContaining("SHA256SUMS answers 404")]);
});

test("the plugin's version is that of the SDK", async () => {
  const sdk = JSON.parse(await readFile("package.json", "utf8")) as {
    dependencies: Record<string, string>;
  };
  expect(commandPluginVersion()).toBe(sdk.dependencies["@pulumi/command"]);
});
