/** The operator's own machine: Node.js, the packages, the outside programs. */
import { existsSync, readFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import semver from "semver";
import { z } from "zod";
import { commandPluginOnPath, locateProgram } from "../../tools/index.ts";
import { searchPath } from "../../tools/lookup.ts";
import { isExecutable } from "../../tools/platform.ts";
import { commandPluginVersion } from "../../tools/plugins.ts";
import { PROGRAMS } from "../../tools/programs.ts";
import type { ProgramName } from "../../tools/spec.ts";
import type { Check } from "./report.ts";

/** Where these commands are. */
const HOME = dirname(dirname(import.meta.dirname));

const AREA = "machine";

const packageSchema = z.object({ engines: z.object({ node: z.string() }) });
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().optional(),
      optional: z.boolean().optional(),
      peer: z.boolean().optional(),
    }),
  ),
});

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(join(HOME, file), "utf8"));
}

/** Node.js and what `npm ci` brings. */
export function checkNode(): Check[] {
  const { engines } = packageSchema.parse(readJson("package.json"));
  const { node } = process.versions;
  const serves = semver.satisfies(node, engines.node);
  return [
    {
      ...{ area: AREA, name: "Node.js", state: serves ? "ok" : "wrong" },
      found: serves ? node : `${node}, needed is ${engines.node}`,
      ...(!serves && { todo: "Get a newer one from nodejs.org or your system's packages" }),
    },
    checkPackages(),
    checkProvider(),
  ];
}

/** What package-lock.json names and node_modules has not. */
function checkPackages(): Check {
  const check = { area: AREA, name: "npm packages" };
  const todo = `Run npm ci in ${HOME}`;
  if (!existsSync(join(HOME, "node_modules/.package-lock.json"))) {
    return { ...check, state: "missing", found: "not installed by npm", todo };
  }
  const wanted = lockSchema.parse(readJson("package-lock.json")).packages;
  const present = lockSchema.parse(readJson("node_modules/.package-lock.json")).packages;
  const lacking = Object.entries(wanted).filter(([place, { version, optional, peer }]) => {
    // Packages for other platforms are not installed.
    if (place === "" || optional === true || peer === true) return false;
    return present[place] === undefined || present[place].version !== version;
  });
  if (lacking.length === 0) return { ...check, state: "ok", found: "as package-lock.json says" };
  const [first] = lacking[0] ?? [""];
  const found = `${first.replace("node_modules/", "")} and ${lacking.length - 1} more are not as package-lock.json says`;
  return { ...check, state: "wrong", found, todo };
}

/** The provider for Backblaze, which is part of this repository. */
function checkProvider(): Check {
  const check = { area: AREA, name: "plugin b2" };
  if (!existsSync(join(HOME, "sdks/b2/sdk/bin/index.js"))) {
    const todo = `Bring it back: git -C ${HOME} checkout sdks/b2`;
    return { ...check, state: "missing", found: "sdks/b2/sdk/bin is not there", todo };
  }
  if (existsSync(join(HOME, "sdks/b2/dist/provider.mjs"))) {
    return { ...check, state: "ok", found: "built" };
  }
  const found = "not built: it runs from its sources, which is slower";
  return { ...check, state: "optional", found, todo: "Build it with: npm run build" };
}

/** What a program is needed for here, and by whom it is not. */
interface Wish {
  readonly name: ProgramName;
  readonly purpose: string;
  readonly isOptional?: boolean;
  readonly todo: string;
}

const OPENSSH = "Install OpenSSH's client (Debian: openssh-client)";

/** The programs that a stack of this kind needs. */
function wishes(sealFormat: string | undefined): Wish[] {
  const age = { purpose: "seals the bundle", todo: "Install age (age-encryption.org)" };
  const sops = { purpose: "seals the bundle", todo: "Install sops (getsops.io)" };
  return [
    {
      name: "pulumi",
      purpose: "runs the program",
      todo: "Install Pulumi's CLI: www.pulumi.com/docs/iac/download-install",
    },
    ...(sealFormat === "sops"
      ? []
      : [{ name: "age" as const, ...age, isOptional: sealFormat === "plain" }]),
    ...(sealFormat === "sops" ? [{ name: "sops" as const, ...sops }] : []),
    { name: "ssh", purpose: "reaches the peers", todo: OPENSSH },
    { name: "ssh-keygen", purpose: "makes the peers' key", todo: OPENSSH },
    {
      name: "ssh-keyscan",
      purpose: "asks machines for their keys",
      isOptional: true,
      todo: OPENSSH,
    },
    {
      name: "restic",
      purpose: "prune --forget, and restores by hand",
      isOptional: true,
      todo: "Install restic (restic.net) before you need it",
    },
    {
      name: "rclone",
      purpose: "restores from the cloud by hand",
      isOptional: true,
      todo: "Install rclone (rclone.org) before you need it",
    },
  ];
}

/** The outside programs on PATH. Nothing is downloaded. */
export async function checkPrograms(sealFormat: string | undefined): Promise<Check[]> {
  const programs = await Promise.all(wishes(sealFormat).map(checkProgram));
  return [...programs, await checkLanguageHost(), await checkCommandPlugin()];
}

async function checkProgram({ name, purpose, isOptional, todo }: Wish): Promise<Check> {
  const check = { area: AREA, name };
  const { found, refused } = await searchPath(name, PROGRAMS[name], process.env.PATH ?? "");
  if (found !== undefined) {
    const version = found.version === "unknown" ? "" : `${found.version}, `;
    return { ...check, state: "ok", found: `${version}${found.path}` };
  }
  const cached = await locateProgram(name);
  const instead =
    cached?.origin === "cache"
      ? `; or put the one that npm start made on PATH: export PATH=${dirname(cached.path)}:$PATH`
      : "";
  const why = refused.length > 0 ? refused.join("; ") : "not on PATH";
  const bad = refused.length > 0 ? "wrong" : "missing";
  return {
    ...check,
    state: isOptional === true ? "optional" : bad,
    found: `${why} (${purpose})`,
    todo: `${todo}${instead}`,
  };
}

/** The engine takes it from PATH, else from beside its own executable. */
async function checkLanguageHost(): Promise<Check> {
  const name = "pulumi-language-nodejs";
  const check = { area: AREA, name: "Pulumi's Node.js host" };
  const path = process.env.PATH ?? "";
  const { found } = await searchPath(name, PROGRAMS[name], path);
  if (found !== undefined) return { ...check, state: "ok", found: found.path };
  const engine = (await searchPath("pulumi", PROGRAMS.pulumi, path)).found;
  if (engine === undefined) return { ...check, state: "unknown", found: "comes with pulumi" };
  const beside = join(dirname(await realpath(engine.path)), name);
  if (await isExecutable(beside)) return { ...check, state: "ok", found: beside };
  const cached = await locateProgram(name);
  const instead = cached === undefined ? "" : `; one is at ${cached.path}`;
  return {
    ...check,
    state: "missing",
    found: `${name} is neither on PATH nor beside ${engine.path}`,
    todo: `It comes with Pulumi's own releases: www.pulumi.com/docs/iac/download-install${instead}`,
  };
}

async function checkCommandPlugin(): Promise<Check> {
  const check = { area: AREA, name: "plugin command" };
  const found = await commandPluginOnPath();
  if (found !== undefined) return { ...check, state: "ok", found };
  const todo = `pulumi plugin install resource command ${commandPluginVersion()}`;
  const mayGet = !/^(?:1|true)$/i.test(
    process.env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION ?? "",
  );
  return mayGet
    ? { ...check, state: "optional", found: "not there yet: the first preview gets it", todo }
    : { ...check, state: "missing", found: "not there, and Pulumi is told not to get it", todo };
}
