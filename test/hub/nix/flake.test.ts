import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import { valueOf } from "./evaluate.ts";

describe("the flake", () => {
  interface Outputs {
    readonly modules: Record<string, string>;
    readonly sources: string[];
    readonly packages: readonly { place: string; resolved: string; integrity: string }[];
  }
  let outputs: Outputs;

  beforeAll(async () => {
    const { value } = await valueOf(join(import.meta.dirname, "flake-outputs.nix"), {});
    outputs = value as Outputs;
  });

  it("exports the modules, and the agent for two systems and as an overlay", () => {
    expect(outputs).toMatchObject({
      systems: ["aarch64-linux", "x86_64-linux"],
      overlay: "offsite-hub",
      main: "offsite-hub",
    });
    expect(Object.keys(outputs.modules)).toEqual(["backup-client", "backup-hub"]);
    for (const path of Object.values(outputs.modules)) readFileSync(path);
  });

  it("builds the agent from all the sources that it is made of", async () => {
    const project = join(import.meta.dirname, "../../..");
    const { metafile } = await build({
      entryPoints: [join(project, "hub/main.ts"), join(project, "tools/build.ts")],
      absWorkingDir: project,
      bundle: true,
      platform: "node",
      packages: "external",
      format: "esm",
      outdir: join(project, "dist"),
      write: false,
      metafile: true,
    });
    const inputs = Object.keys(metafile.inputs);
    expect(inputs.length).toBeGreaterThan(50);
    const taken = (input: string) =>
      outputs.sources.some((source) => join(project, input).startsWith(`${source}/`));
    expect(inputs.filter((input) => !taken(input))).toEqual([]);
  });

  it("builds it with the packages that the lock file pins, each with a place to get it from", () => {
    const remote = outputs.packages.filter(({ integrity }) => integrity !== "");
    expect(remote.length).toBeGreaterThan(100);
    expect(outputs.packages.filter(({ resolved }) => resolved !== "")).toEqual(remote);
    const places = remote.filter(({ place }) =>
      /node_modules\/(zod|@esbuild\/linux-x64)$/.test(place),
    );
    expect(places.map(({ resolved }) => resolved.replace(/-[\d.]+tgz$/, ""))).toEqual([
      "https://registry.npmjs.org/@esbuild/linux-x64/-/linux-x64",
      "https://registry.npmjs.org/zod/-/zod",
    ]);
  });
});
