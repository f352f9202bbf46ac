/**
 * The outside programs: finds them, or gets them. Each is had from the first of these that has it:
 * PATH when the version there serves, our cache, the maker's release verified against its published
 * checksum, the Go module with our `go.sum`, Debian's packages.
 */
import { realpath } from "node:fs/promises";
import path from "node:path";
import { acquire, entryKey } from "./acquire.ts";
import type { MadeFrom } from "./cache.ts";
import { MissingProgramsError, type MissingProgram } from "./errors.ts";
import { searchPath, type Search } from "./lookup.ts";
import { isExecutable } from "./platform.ts";
import { PROGRAMS } from "./programs.ts";
import type { Catalogue, ProgramName, ProgramSpec } from "./spec.ts";
import {
  surroundingsOf,
  type EnsureOptions,
  type ProgressEvent,
  type Surroundings,
  type World,
} from "./surroundings.ts";

export { binDirectory } from "./bin-directory.ts";
export { commandPluginOnPath, ensureCommandPlugin } from "./plugins.ts";
export { MissingProgramsError } from "./errors.ts";
export { cacheDirectory } from "./platform.ts";
export type { EnsureOptions, ProgressEvent, World } from "./surroundings.ts";
export { PROGRAM_NAMES } from "./programs.ts";
export type { ProgramName } from "./spec.ts";

/** A program that is ready to run. */
export interface Program {
  name: ProgramName;
  /** As it tells it itself, "unknown" where it cannot. */
  version: string;
  /** An absolute path. */
  path: string;
  origin: "path" | "cache" | "release" | "go-module" | "package";
  /** For one out of the cache: how it was first had. */
  madeFrom?: MadeFrom;
}

/**
 * Makes programs ready to run.
 *
 * @returns The programs by name, in the order in which they were asked for.
 * @throws MissingProgramsError for all that cannot be had at once, with the command that installs
 * them; DiskFullError; whatever `signal` was aborted with.
 */
export async function ensurePrograms(
  names: readonly ProgramName[],
  options: EnsureOptions = {},
  world: World = {},
): Promise<Map<ProgramName, Program>> {
  return await new Ensurer(options, world).ensure(names);
}

/**
 * Looks for a program on PATH and in our cache, and installs nothing.
 */
export async function locateProgram(
  name: ProgramName,
  options: EnsureOptions = {},
  world: World = {},
): Promise<Program | undefined> {
  return (await new Ensurer(options, world).locate(name)).program;
}

interface Located {
  program?: Program;
  /** Why what was found does not serve. */
  refused: string[];
}

class Ensurer {
  readonly #catalogue: Catalogue;
  readonly #surroundings: Surroundings;
  readonly #report: (event: ProgressEvent) => void;

  constructor(options: EnsureOptions, world: World) {
    this.#catalogue = world.catalogue ?? PROGRAMS;
    this.#report = options.onProgress ?? (() => undefined);
    this.#surroundings = surroundingsOf(options, world);
  }

  async ensure(names: readonly ProgramName[]): Promise<Map<ProgramName, Program>> {
    const programs = new Map<ProgramName, Program>();
    const missing: MissingProgram[] = [];
    const fromPackages: MissingProgram[] = [];
    const one = async (name: ProgramName): Promise<void> => {
      const { program, refused } = await this.locate(name, programs);
      if (program !== undefined) {
        programs.set(name, this.#ready(program));
        return;
      }
      const got = await this.#acquire(name);
      if (!Array.isArray(got)) {
        programs.set(name, this.#ready(got));
        return;
      }
      const problem = { name, reasons: [...refused, ...got] };
      const packages = this.#spec(name).packages;
      const installable = packages !== undefined && packages.unpack === undefined;
      (installable ? fromPackages : missing).push(problem);
    };
    const unique = [...new Set(names)];
    const results = await Promise.allSettled(
      unique.filter((name) => this.#spec(name).beside === undefined).map(one),
    );
    // A full disk or an abort: not before the others have come to their end as well.
    for (const result of results) if (result.status === "rejected") throw result.reason;
    for (const name of unique.filter((name) => this.#spec(name).beside !== undefined)) {
      await one(name);
    }
    missing.push(...(await this.#installPackages(fromPackages, programs)));
    if (missing.length > 0) throw new MissingProgramsError(missing, this.#catalogue);
    await this.#placeBeside(programs);
    return new Map(
      unique.flatMap((name) => {
        const program = programs.get(name);
        return program === undefined ? [] : [[name, program] as const];
      }),
    );
  }

  /** @param known - Programs that are ready, for those that are looked for beside another. */
  async locate(
    name: ProgramName,
    known: ReadonlyMap<ProgramName, Program> = new Map(),
  ): Promise<Located> {
    const spec = this.#spec(name);
    const { cache, path: where } = this.#surroundings;
    let search: Search = { refused: [] };
    if (spec.offPath !== true) {
      search = await searchPath(name, spec, where, [cache.directory]);
      if (search.found !== undefined) {
        return { program: { name, ...search.found, origin: "path" }, refused: [] };
      }
    }
    const { refused } = search;
    if (spec.beside !== undefined) {
      const neighbour = known.get(spec.beside) ?? (await this.locate(spec.beside)).program;
      const program = neighbour && (await besideOf(neighbour, name));
      if (program !== undefined) return { program, refused };
    }
    const key = await entryKey(name, spec, this.#surroundings);
    const record = await cache.read(key);
    if (record?.files[name] === undefined) return { refused };
    const file = path.join(cache.folder(key), name);
    const { version, madeFrom } = record;
    return { program: { name, version, path: file, origin: "cache", madeFrom }, refused };
  }

  async #acquire(name: ProgramName): Promise<Program | string[]> {
    const spec = this.#spec(name);
    const key = await entryKey(name, spec, this.#surroundings);
    const got = await acquire(name, spec, key, this.#surroundings, (step) => {
      this.#report({ program: name, step, done: false });
    });
    if (Array.isArray(got)) return got;
    const file = path.join(this.#surroundings.cache.folder(key), name);
    return { name, version: got.version, path: file, origin: got.madeFrom };
  }

  async #installPackages(
    wanted: readonly MissingProgram[],
    programs: Map<ProgramName, Program>,
  ): Promise<MissingProgram[]> {
    if (wanted.length === 0) return [];
    const { packages, cache, signal, path: where } = this.#surroundings;
    const failed = (reason: string) =>
      wanted.map(({ name, reasons }) => ({ name, reasons: [...reasons, reason] }));
    const unavailable = await packages.unavailable();
    if (unavailable !== undefined) return failed(unavailable);
    const list = wanted
      .flatMap(({ name }) => this.#spec(name).packages ?? [])
      .sort((a, b) => ((a.names[0] ?? "") < (b.names[0] ?? "") ? -1 : 1));
    for (const { name } of wanted) {
      const names = this.#spec(name).packages?.names ?? [];
      const step = `installing the Debian package ${names.join(" or ")}`;
      this.#report({ program: name, step, done: false });
    }
    try {
      await cache.locked("packages.lock", () => packages.install(list, signal), { signal });
    } catch (error) {
      signal?.throwIfAborted();
      return failed(error instanceof Error ? error.message : String(error));
    }
    const missing: MissingProgram[] = [];
    for (const { name, reasons } of wanted) {
      const search = await searchPath(name, this.#spec(name), where, [cache.directory]);
      if (search.found === undefined) {
        const why = search.refused.length > 0 ? search.refused : ["its package did not bring it"];
        missing.push({ name, reasons: [...reasons, ...why] });
      } else {
        programs.set(name, this.#ready({ name, ...search.found, origin: "package" }));
      }
    }
    return missing;
  }

  /**
   * The engine takes a bundled plugin such as the language host from PATH, else from beside its own
   * executable, symlinks resolved, else from its plugin folder (`getPluginInfoAndPath` in
   * pulumi/sdk v3.246.0, go/common/workspace/plugins.go; a plugin that the project names goes
   * before all). When PATH leads to another file than the one beside the executable, or none is
   * there, each run warns: using pulumi-language-nodejs from $PATH. So ours is linked beside ours,
   * and the file there is what PATH leads to.
   */
  async #placeBeside(programs: Map<ProgramName, Program>): Promise<void> {
    const { cache } = this.#surroundings;
    for (const program of programs.values()) {
      const { beside } = this.#spec(program.name);
      const neighbour = beside === undefined ? undefined : programs.get(beside);
      if (neighbour === undefined) continue;
      if (program.origin === "path" || neighbour.origin === "path") continue;
      if (path.dirname(program.path) === path.dirname(neighbour.path)) continue;
      const file = await cache.placeBeside(program.path, neighbour.path);
      programs.set(program.name, { ...program, path: file });
    }
  }

  #ready(program: Program): Program {
    const { name, version, origin } = program;
    const steps: Record<Program["origin"], string> = {
      path: `found on PATH (${program.path})`,
      cache: "found in the cache",
      release: "downloaded and verified",
      "go-module": "built",
      package: "installed",
    };
    const told = version === "unknown" || version === "any" ? "" : ` ${version}`;
    this.#report({ program: name, step: `${steps[origin]}${told}`, done: true });
    return program;
  }

  #spec(name: ProgramName): ProgramSpec {
    const spec = this.#catalogue[name];
    if (spec === undefined) throw new Error(`"${name}" is not in the list of programs`);
    return spec;
  }
}

/**
 * A program that its maker put beside the real file of another. What we link there ourselves does
 * not count: its own entry in the cache is what is verified.
 */
async function besideOf(neighbour: Program, name: ProgramName): Promise<Program | undefined> {
  const { origin, madeFrom, version } = neighbour;
  if (origin !== "path" && (madeFrom ?? origin) !== "release") return undefined;
  const file = path.join(path.dirname(await realpath(neighbour.path)), name);
  if (!(await isExecutable(file))) return undefined;
  return { name, version, path: file, origin, ...(madeFrom === undefined ? {} : { madeFrom }) };
}
