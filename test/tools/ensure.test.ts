import { readFile, realpath, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DiskFullError, MissingProgramsError } from "../../tools/errors.ts";
import { binDirectory, locateProgram, type Program } from "../../tools/index.ts";
import type { Catalogue, Release } from "../../tools/spec.ts";
import { Maker, script, sha256Of, SPEC, World } from "./world.ts";

let world: World;
let maker: Maker;
let release: Release;

beforeEach(async () => {
  world = await World.make();
  maker = await Maker.start();
  release = {
    base: maker.base,
    asset: () => "restic.bin",
    checksums: "SHA256SUMS",
    format: "binary",
  };
});
afterEach(async () => {
  await maker.stop();
  await world.remove();
});

const full = (): Catalogue => ({ restic: { ...SPEC, release, go: World.go } });

async function restic(catalogue: Catalogue): Promise<Program | undefined> {
  return (await world.ensure(catalogue)).get("restic");
}

describe("the order in which a program is had", () => {
  test("takes the one on PATH when its version serves", async () => {
    const file = await world.program("bin/restic", script("1.5.0"));
    maker.publish("restic.bin", script("2.0.0"));
    expect(await restic(full())).toEqual({
      name: "restic",
      version: "1.5.0",
      path: file,
      origin: "path",
    });
    expect(maker.asked).toEqual([]);
    expect(world.steps).toEqual([`restic: found on PATH (${file}) 1.5.0`]);
  });

  test.each(["1.4.9", "3.0.0", "of the moon"])(
    "goes to the maker when the one on PATH is version %s",
    async (version) => {
      await world.program("bin/restic", script(version));
      maker.publish("restic.bin", script("2.0.0"));
      const program = await restic(full());
      expect(program).toMatchObject({ version: "2.0.0", origin: "release" });
      expect(await readFile(program?.path ?? "", "utf8")).toBe(script("2.0.0"));
    },
  );

  test("takes it out of the cache the next time, and says how it was had", async () => {
    maker.publish("restic.bin", script("2.0.0"));
    const first = await restic(full());
    await maker.stop();
    maker = await Maker.start();
    const second = await restic(full());
    expect(second).toEqual({ ...first, origin: "cache", madeFrom: "release" });
    expect(maker.asked).toEqual([]);
  });

  test("builds it when the maker's server cannot be reached, and says why", async () => {
    const { base } = maker;
    await maker.stop();
    maker = await Maker.start();
    await world.installGo();
    const catalogue = { restic: { ...SPEC, release: { ...release, base }, go: World.go } };
    expect(await restic(catalogue)).toMatchObject({ version: "2.0.0", origin: "go-module" });
    expect(world.steps).toEqual([
      "restic: downloading",
      expect.stringMatching(/^restic: 127\.0\.0\.1:\d+ cannot be reached \(connect ECONNREFUSED/),
      "restic: waiting for its turn to be built",
      "restic: building (about no time)",
      "restic: built 2.0.0",
    ]);
  });

  test("never uses a release with another checksum, reports it and builds the program", async () => {
    maker.publish("restic.bin", "something else", sha256Of(script("2.0.0")));
    await world.installGo();
    const program = await restic(full());
    expect(program?.origin).toBe("go-module");
    expect(await readFile(program?.path ?? "", "utf8")).toBe(script("2.0.0"));
    const report = world.steps.find((step) => step.includes("SHA-256")) ?? "";
    expect(report).toContain(sha256Of("something else"));
    expect(report).toContain(sha256Of(script("2.0.0")));
    expect((await world.entries()).unfinished).toEqual([]);
  });

  test("installs the packages of all that is still missing at once", async () => {
    world.packages.reason = undefined;
    world.packages.onInstall = async () => {
      await world.program("bin/age", "");
      await world.program("bin/sops", "");
    };
    const spec = { version: "any", purpose: "a test" };
    const programs = await world
      .ensure({
        age: { ...spec, packages: { names: ["age"] } },
        sops: { ...spec, packages: { names: ["sops"] } },
        restic: { ...SPEC, release },
      })
      .catch((error: unknown) => error);
    // The release is not published, and that is said beside what could be installed.
    expect(programs).toBeInstanceOf(MissingProgramsError);
    expect((programs as MissingProgramsError).missing.map(({ name }) => name)).toEqual(["restic"]);
    expect(world.packages.installed).toEqual([["age", "sops"]]);
  });

  test("takes the file out of a package that must not be installed", async () => {
    world.packages.reason = undefined;
    world.packages.contents = script("2.0.0");
    const packages = { names: ["busybox-static"], unpack: ["bin/busybox"] };
    const catalogue = { busybox: { version: "any", purpose: "a test", packages, offPath: true } };
    const program = (await world.ensure(catalogue)).get("busybox");
    expect(program).toMatchObject({ origin: "package" });
    expect(world.packages.installed).toEqual([]);
    expect((await world.ensure(catalogue)).get("busybox")).toMatchObject({
      origin: "cache",
      madeFrom: "package",
    });
  });

  test("names all that is missing, why, and the command that installs it", async () => {
    await world.program("bin/restic", script("1.0.0"));
    const any = { version: "any", purpose: "a test" };
    const failed = world.ensure(
      {
        restic: { ...SPEC, release, go: { ...World.go, module: "tiny" } },
        dockerd: { ...any, packages: { names: ["docker.io"] } },
        htpasswd: { ...any, offPath: true, packages: { names: ["apache2-utils"] } },
      },
      { path: world.bin },
    );
    const error: unknown = await failed.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MissingProgramsError);
    const { message } = error as Error;
    expect(message).toContain(
      `restic 2.0.0: ${world.bin}/restic is version 1.0.0, needed is >=1.5.0 <3`,
    );
    expect(message).toContain("SHA256SUMS answers 404");
    expect(message).toContain("dockerd: this is a test without packages");
    expect(message).toMatch(/^Install with: .*apache2-utils docker(?:\.io)?$/m);
  });
});

describe("the cache", () => {
  test("has a program anew that is not what was put there", async () => {
    maker.publish("restic.bin", script("2.0.0"));
    const { path: file = "" } = (await restic(full())) ?? {};
    await writeFile(file, script("6.6.6"));
    expect(await locateProgram("restic", { path: world.bin }, world.world(full()))).toBeUndefined();
    expect(await restic(full())).toMatchObject({ origin: "release", path: file });
    expect(await readFile(file, "utf8")).toBe(script("2.0.0"));
  });

  test("has a program anew when its recipe changed", async () => {
    await world.installGo();
    const catalogue = { restic: { ...SPEC, go: World.go } };
    await restic(catalogue);
    await restic(catalogue);
    expect(await world.builds()).toBe(1);
    await world.write("modules/tiny/main.go", "package main");
    await restic(catalogue);
    expect(await world.builds()).toBe(2);
  });

  test("is no place on PATH", async () => {
    maker.publish("restic.bin", script("2.0.0"));
    const programs = await world.ensure(full());
    process.env.FORT_OFFSITE_CACHE = world.cache;
    try {
      const bin = await binDirectory(programs);
      const again = await world.ensure(full(), { path: bin });
      expect(again.get("restic")).toMatchObject({ origin: "cache" });
    } finally {
      delete process.env.FORT_OFFSITE_CACHE;
    }
  });

  test("says that the disk is full, and does not go on to need more of it", async () => {
    await world.installGo();
    await world.write("go-says", "write /x/y.o: no space left on device\n");
    world.packages.reason = undefined;
    const catalogue = {
      restic: { ...SPEC, go: World.go, packages: { names: ["restic"] } },
    };
    const error: unknown = await restic(catalogue).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DiskFullError);
    expect((error as Error).message).toContain(world.cache);
    expect((error as Error).message).toContain("FORT_OFFSITE_CACHE");
    expect(world.packages.installed).toEqual([]);
    expect(await world.entries()).toEqual({ whole: [], unfinished: [] });
  });

  test("keeps nothing of a build that was aborted", async () => {
    await world.installGo();
    await world.write("go-waits", "");
    const abort = new AbortController();
    const failed = expect(
      world.ensure({ restic: { ...SPEC, go: World.go } }, { signal: abort.signal }),
    ).rejects.toThrow("enough of that");
    await expect.poll(() => world.builds()).toBe(1);
    abort.abort(new Error("enough of that"));
    await failed;
    expect(await world.entries()).toEqual({ whole: [], unfinished: [] });
  });
});

describe("the language host", () => {
  const catalogue = (): Catalogue => ({
    "pulumi-language-nodejs": { version: "3.63.0", purpose: "t", beside: "pulumi", go: World.go },
    pulumi: { ...SPEC, go: World.go },
  });

  test("is put beside our engine, and PATH leads to that file", async () => {
    await world.installGo();
    const programs = await world.ensure(catalogue());
    expect([...programs.keys()]).toEqual(["pulumi-language-nodejs", "pulumi"]);
    const [host, engine] = [programs.get("pulumi-language-nodejs"), programs.get("pulumi")];
    expect(path.dirname(host?.path ?? "")).toBe(path.dirname(engine?.path ?? ""));
    process.env.FORT_OFFSITE_CACHE = world.cache;
    try {
      const bin = await binDirectory(programs);
      expect(await realpath(path.join(bin, "pulumi-language-nodejs"))).toBe(host?.path);
      expect(await binDirectory(programs)).toBe(bin);
      await rm(path.join(bin, "pulumi"));
      expect(await binDirectory(programs)).toBe(bin);
      expect(await realpath(path.join(bin, "pulumi"))).toBe(engine?.path);
    } finally {
      delete process.env.FORT_OFFSITE_CACHE;
    }
    const again = await world.ensure(catalogue());
    expect(again.get("pulumi-language-nodejs")?.path).toBe(host?.path);
  });

  test("is the maker's, where that lies beside the engine on PATH", async () => {
    await world.program("bin/pulumi", script("2.1.0"));
    const beside = await world.program("bin/pulumi-language-nodejs", "");
    const programs = await world.ensure(catalogue());
    expect(programs.get("pulumi-language-nodejs")).toMatchObject({ path: beside, origin: "path" });

    const elsewhere = await world.program("real/pulumi", script("2.1.0"));
    const host = await world.program("real/pulumi-language-nodejs", "");
    await rm(world.bin, { recursive: true });
    await world.write("bin/empty", "");
    const { symlink } = await import("node:fs/promises");
    await symlink(elsewhere, path.join(world.bin, "pulumi"));
    const linked = await world.ensure(catalogue());
    expect(linked.get("pulumi-language-nodejs")).toMatchObject({ path: host, origin: "path" });
  });

  test("comes with the engine out of the maker's archive", async () => {
    const { create } = await import("tar");
    await world.program("a/pulumi/pulumi", script("2.0.0"));
    await world.program("a/pulumi/pulumi-language-nodejs", "host");
    const file = path.join(world.folder, "pulumi.tar.gz");
    await create({ gzip: true, cwd: path.join(world.folder, "a"), file }, ["pulumi"]);
    maker.publish("pulumi.tar.gz", await readFile(file));
    const archive: Release = {
      ...release,
      asset: () => "pulumi.tar.gz",
      format: "tar.gz",
      members: () => ({
        pulumi: "pulumi/pulumi",
        "pulumi-language-nodejs": "pulumi/pulumi-language-nodejs",
      }),
    };
    const programs = await world.ensure({
      pulumi: { ...SPEC, release: archive },
      "pulumi-language-nodejs": { version: "3.63.0", purpose: "t", beside: "pulumi" },
    });
    const host = programs.get("pulumi-language-nodejs");
    expect(host).toMatchObject({ origin: "release", version: "2.0.0" });
    expect(await readFile(host?.path ?? "", "utf8")).toBe("host");
    expect(maker.asked).toEqual(["SHA256SUMS", "pulumi.tar.gz"]);
  });
});
