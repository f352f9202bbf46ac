import path from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { buildGoModule, digestOfModule } from "../../tools/go-module.ts";
import { PROGRAMS } from "../../tools/programs.ts";
import type { GoBuild } from "../../tools/spec.ts";
import { World } from "./world.ts";

let world: World;

beforeEach(async () => {
  world = await World.make();
});
afterEach(() => world.remove());

const MAIN = 'package main\n\nvar Version = "none"\n\nfunc main() { println(Version) }\n';

async function build(
  settings: Partial<GoBuild> = {},
  searchPath = process.env.PATH ?? "",
): Promise<string> {
  const output = path.join(world.folder, "tool");
  const options = { modules: world.modules, path: searchPath };
  await buildGoModule({ ...World.go, ...settings }, output, options);
  return output;
}

describe("a Go module", () => {
  test("is built without paths of this machine, with the settings it asks for", async () => {
    await world.write("modules/tiny/main.go", MAIN);
    const file = await build({ ldflags: "-X main.Version=v1.2.3", tags: ["small"] });
    expect((await execa(file, { all: true })).all).toBe("v1.2.3");
    const { stdout } = await execa("go", ["version", "-m", file]);
    expect(stdout).toContain("-trimpath=true");
    expect(stdout).toContain("CGO_ENABLED=0");
    expect(stdout).toContain("-tags=small");
  });

  test("is built with what go.sum pins, or not at all", async () => {
    await world.write(
      "modules/tiny/main.go",
      MAIN.replace("\n", '\n\nimport _ "example.org/absent"\n'),
    );
    await expect(build()).rejects.toThrow(/go build of \. failed: .*example\.org\/absent/s);
  });

  test("says what the compiler says", async () => {
    await world.write("modules/tiny/main.go", "package main\n\nfunc main() { nonsense }\n");
    await expect(build()).rejects.toThrow(/undefined: nonsense/);
  });

  test("needs a Go that is new enough, and says which", async () => {
    await world.program(
      "bin/go",
      '#!/bin/sh\necho "go: go.mod requires go >= 1.21 (running go 1.13; GOTOOLCHAIN=local)" >&2\nexit 1\n',
    );
    await expect(build({}, world.path)).rejects.toThrow(
      /^the Go on PATH is older than the 1\.21 that is needed: .*running go 1\.13/,
    );
  });

  test("has a digest that changes with all that decides what is built", async () => {
    const digest = (build = World.go) => digestOfModule(build, world.modules);
    const first = await digest();
    await world.write("modules/tiny/README", "not a source");
    expect(await digest()).toBe(first);
    await world.write("modules/tiny/go.sum", "pins");
    const second = await digest();
    expect(second).not.toBe(first);
    expect(await digest({ ...World.go, ldflags: "-X a=b" })).not.toBe(second);
    expect(await digest({ ...World.go, tags: ["small"] })).not.toBe(second);
    await world.write("modules/tiny/sub/main.go", MAIN);
    expect(await digest()).toBe(second);
    expect(await digest({ ...World.go, package: "./sub" })).not.toBe(
      await digest({ ...World.go, package: "./other" }),
    );
  });

  test("is there, with its sums, for every program that is built", async () => {
    for (const { go } of Object.values(PROGRAMS)) {
      if (go === undefined) continue;
      const cwd = path.resolve("tools/go", go.module);
      const listed = await execa("go", ["list", "-mod=readonly", "-f", "{{.Name}}", go.package], {
        cwd,
        env: { GOFLAGS: "", GOWORK: "off" },
      });
      expect(listed.stdout).toBe("main");
    }
  });
});
