/** Finds programs that the machine has already, and asks them for their version. */
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import semver from "semver";
import { isExecutable, needsDynamicLinker } from "./platform.ts";
import type { Probe, ProgramName, ProgramSpec } from "./spec.ts";

/** A program found on the machine. */
export interface Found {
  path: string;
  /** Its version, or "unknown" where it has no way to tell. */
  version: string;
}

/** What a search comes to: the program, or why what was there does not serve. */
export interface Search {
  found?: Found;
  refused: string[];
}

/** How long a program may take to tell its version, in milliseconds. */
const PROBE_TIMEOUT = 20_000;

/**
 * Asks a program for its version.
 *
 * @returns The version, or undefined when the program does not run or answers something else.
 */
export async function probeVersion(file: string, probe: Probe): Promise<string | undefined> {
  const result = await execa(file, probe.args, {
    reject: false,
    all: true,
    stdin: "ignore",
    timeout: PROBE_TIMEOUT,
    // Neither may go to the network to ask for a newer version of itself.
    env: { PULUMI_SKIP_UPDATE_CHECK: "true", SOPS_DISABLE_VERSION_CHECK: "true" },
  });
  const version = probe.pattern.exec(typeof result.all === "string" ? result.all : "")?.[1];
  return version?.replace(/^v/, "");
}

/**
 * Looks a program up on a search path.
 *
 * @param searchPath - Folders separated as in PATH.
 * @param ignored - Folders that do not count, with all below them: those of our own cache.
 */
export async function searchPath(
  name: ProgramName,
  spec: ProgramSpec,
  searchPath: string,
  ignored: readonly string[] = [],
): Promise<Search> {
  const refused: string[] = [];
  const directories = new Set([
    ...searchPath.split(path.delimiter).filter((directory) => path.isAbsolute(directory)),
    ...(spec.directories ?? []),
    ...(name === "docker-compose" ? [path.join(os.homedir(), ".docker", "cli-plugins")] : []),
  ]);
  for (const directory of directories) {
    const file = path.join(directory, name);
    if (!(await isExecutable(file))) continue;
    const real = await realpath(file);
    if (ignored.some((folder) => isInside(file, folder) || isInside(real, folder))) continue;
    const verdict = await judge(file, spec);
    if (typeof verdict !== "string") return { found: verdict, refused };
    refused.push(verdict);
  }
  return { refused };
}

/** Says whether a program that is there serves, or why not. */
export async function judge(file: string, spec: ProgramSpec): Promise<Found | string> {
  if (spec.static === true && process.platform === "linux" && (await needsDynamicLinker(file))) {
    return `${file} is dynamically linked, a static program is needed`;
  }
  if (spec.probe === undefined) return { path: file, version: "unknown" };
  const version = await probeVersion(file, spec.probe);
  if (version === undefined) return `${file} does not tell its version`;
  const comparable = semver.coerce(version)?.version;
  if (spec.serves !== undefined) {
    if (comparable === undefined || !semver.satisfies(comparable, spec.serves)) {
      return `${file} is version ${version}, needed is ${spec.serves}`;
    }
  }
  return { path: file, version };
}

/**
 * Finds a plugin where the engine would: on PATH in any version, else in Pulumi's own folder in
 * exactly the version that the SDK names (`getPluginInfoAndPath` and `SelectCompatiblePlugin` in
 * pulumi/sdk v3.246.0, go/common/workspace/plugins.go). A plugin that Pulumi.yaml names goes before
 * both.
 *
 * @param name - Such as "command".
 * @param searchPath - PATH, empty where the engine is told to ignore it.
 * @returns The path of the plugin's executable.
 */
export async function findResourcePlugin(
  name: string,
  version: string,
  searchPath: string,
  pulumiHome: string,
): Promise<string | undefined> {
  const executable = `pulumi-resource-${name}`;
  for (const directory of searchPath.split(path.delimiter)) {
    const file = path.join(directory, executable);
    if (path.isAbsolute(directory) && (await isExecutable(file))) return file;
  }
  const folder = path.join(pulumiHome, "plugins", `resource-${name}-v${version}`);
  // The engine leaves this file beside a plugin that it has not installed completely.
  if (existsSync(`${folder}.partial`)) return undefined;
  const file = path.join(folder, executable);
  return (await isExecutable(file)) ? file : undefined;
}

function isInside(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  return !relative.startsWith("..") && !path.isAbsolute(relative);
}
