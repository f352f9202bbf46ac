/** Pulumi's plugin `command`: the official one, wherever it can be had. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { z } from "zod";
import { acquire, entryKey } from "./acquire.ts";
import { findResourcePlugin } from "./lookup.ts";
import type { Release } from "./spec.ts";
import { surroundingsOf, type EnsureOptions, type World } from "./surroundings.ts";

const EXECUTABLE = "pulumi-resource-command";

/** The version of the SDK, for which the engine looks for exactly this plugin. */
export function commandPluginVersion(): string {
  const file = createRequire(import.meta.url).resolve("@pulumi/command/package.json");
  const schema = z.object({ pulumi: z.object({ version: z.string() }) });
  return schema.parse(JSON.parse(readFileSync(file, "utf8"))).pulumi.version;
}

/** Where Pulumi publishes it. */
export function commandPluginRelease(version: string): Release {
  return {
    base: `https://github.com/pulumi/pulumi-command/releases/download/v${version}/`,
    asset: ({ os: system, arch }) => `${EXECUTABLE}-v${version}-${system}-${arch}.tar.gz`,
    checksums: `pulumi-command_${version}_checksums.txt`,
    format: "tar.gz",
    members: () => ({ [EXECUTABLE]: EXECUTABLE }),
  };
}

/**
 * Finds the official `command` plugin on PATH or in Pulumi's plugin folder, and gets nothing. Where
 * there is one, Pulumi.yaml must not name a stand-in, which the engine would prefer.
 *
 * @returns The path of its executable.
 */
export async function commandPluginOnPath(
  options: Pick<EnsureOptions, "path"> = {},
): Promise<string | undefined> {
  const home = process.env.PULUMI_HOME ?? path.join(os.homedir(), ".pulumi");
  const isIgnored = (process.env.PULUMI_IGNORE_AMBIENT_PLUGINS ?? "") !== "";
  const where = isIgnored ? "" : (options.path ?? process.env.PATH ?? "");
  return await findResourcePlugin("command", commandPluginVersion(), where, home);
}

/**
 * Finds the official `command` plugin, or gets the maker's release into our cache, verified against
 * its published checksum.
 *
 * @param tell - Told of what is being done, and why it cannot be had.
 * @returns The path of its executable, or undefined where only a stand-in is left.
 */
export async function ensureCommandPlugin(
  options: Pick<EnsureOptions, "path" | "signal"> = {},
  tell: (step: string) => void = () => undefined,
  world: World & { release?: Release } = {},
): Promise<string | undefined> {
  const found = await commandPluginOnPath(options);
  if (found !== undefined) return found;
  const version = commandPluginVersion();
  const release = world.release ?? commandPluginRelease(version);
  const spec = { version, release, purpose: "runs commands, here and over SSH" };
  const surroundings = surroundingsOf(options, world);
  const key = await entryKey(EXECUTABLE, spec, surroundings);
  const got =
    (await surroundings.cache.read(key)) ??
    (await acquire(EXECUTABLE, spec, key, surroundings, tell));
  return Array.isArray(got) ? undefined : path.join(surroundings.cache.folder(key), EXECUTABLE);
}
