import { mkdir, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findResourcePlugin, judge, probeVersion, searchPath } from "../../tools/lookup.ts";
import { needsDynamicLinker } from "../../tools/platform.ts";
import { ensurePrograms, locateProgram, PROGRAM_NAMES } from "../../tools/index.ts";
import { PROGRAMS } from "../../tools/programs.ts";
import { script, SPEC, World } from "./world.ts";

let world: World;

beforeEach(async () => {
  world = await World.make();
});
afterEach(() => world.remove());

const folder = (name: string) => path.join(world.folder, name);

describe("PATH", () => {
  test("gives the first program whose version serves, and says why not the others", async () => {
    await world.program("a/restic", script("1.0.0"));
    await world.write("b/restic", script("2.0.0"));
    await mkdir(folder("c/restic"), { recursive: true });
    const file = await world.program("d/restic", script("v2.0.1-rc.1"));
    const where = ["a", "b", "c", "d"].map(folder).join(path.delimiter);
    expect(await searchPath("restic", SPEC, where)).toEqual({
      found: { path: file, version: "2.0.1-rc.1" },
      refused: [`${folder("a")}/restic is version 1.0.0, needed is >=1.5.0 <3`],
    });
  });

  test("counts for nothing where it is relative or leads into our cache", async () => {
    const cached = await world.program("cache/programs/x/restic", script("2.0.0"));
    await mkdir(folder("links"));
    await symlink(cached, path.join(folder("links"), "restic"));
    const where = [path.dirname(cached), folder("links"), ".", ""].join(path.delimiter);
    expect(await searchPath("restic", SPEC, where, [world.cache])).toEqual({ refused: [] });
  });

  test("is not all: daemons are looked for in the system's folders as well", async () => {
    const file = await world.program("sbin/dockerd", "");
    const spec = { version: "any", purpose: "a test", directories: [folder("sbin")] };
    expect(await searchPath("dockerd", spec, "")).toEqual({
      found: { path: file, version: "unknown" },
      refused: [],
    });
  });

  test("refuses a dynamic program where a static one is needed", async () => {
    const spec = { version: "any", purpose: "a test", static: true };
    const search = await searchPath("ssh", spec, "/usr/bin");
    expect(search.found).toBeUndefined();
    expect(search.refused).toContain(
      "/usr/bin/ssh is dynamically linked, a static program is needed",
    );
    const programs = await ensurePrograms(["rest-server"]);
    expect(await needsDynamicLinker(programs.get("rest-server")?.path ?? "")).toBe(false);
  });

  test("gives no version of a program that does not run", async () => {
    const file = await world.program("bin/broken", "#!/no/such/interpreter\n");
    expect(await probeVersion(file, { args: [], pattern: /(.+)/ })).toBeUndefined();
  });
});

describe("what is built or downloaded", () => {
  test("tells the pinned version, and is static where it must be", async () => {
    const wrong: string[] = [];
    const asked: string[] = [];
    for (const name of PROGRAM_NAMES) {
      const spec = PROGRAMS[name];
      if (spec.go === undefined || spec.probe === undefined) continue;
      const program = await locateProgram(name, { path: "" });
      // One that PATH has is not in our cache.
      if (program?.origin !== "cache") continue;
      asked.push(name);
      const verdict = await judge(program.path, spec);
      if (typeof verdict === "string") wrong.push(verdict);
      else if (verdict.version !== spec.version) wrong.push(`${name} tells ${verdict.version}`);
    }
    expect(wrong).toEqual([]);
    expect(asked).not.toEqual([]);
  });
});

describe("a resource plugin", () => {
  test("is found on PATH, else complete in Pulumi's folder in exactly the SDK's version", async () => {
    const home = folder("home");
    const find = () => findResourcePlugin("command", "1.2.1", world.bin, home);
    const install = (version: string) =>
      world.program(`home/plugins/resource-command-v${version}/pulumi-resource-command`, "");
    await install("1.2.0");
    await install("1.3.0");
    expect(await find()).toBeUndefined();
    const file = await install("1.2.1");
    expect(await find()).toBe(file);
    const ambient = await world.program("bin/pulumi-resource-command", "");
    expect(await find()).toBe(ambient);
    await rm(ambient);
    await world.write("home/plugins/resource-command-v1.2.1.partial", "");
    expect(await find()).toBeUndefined();
  });
});
