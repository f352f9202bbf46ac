/** Small worlds for the tests of tools/: programs, a maker's server and a `go` that are scripts. */
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import {
  ensurePrograms,
  type EnsureOptions,
  type Program,
  type ProgramName,
  type World as RealWorld,
} from "../../tools/index.ts";
import type { PackageManager } from "../../tools/packages.ts";
import type { Catalogue, ProgramSpec, SystemPackage } from "../../tools/spec.ts";

/** A program that tells its version. */
export function script(version: string): string {
  return `#!/bin/sh\necho "it is version ${version}"\n`;
}

/** What a program of these tests is like. */
export const SPEC: ProgramSpec = {
  version: "2.0.0",
  serves: ">=1.5.0 <3",
  probe: { args: [], pattern: /^it is version (\S+)/m },
  purpose: "a test",
};

/** A `go` that writes a program instead of building one, and a line into builds.log. */
const FAKE_GO = `#!/bin/sh
case $1 in
  version)
    echo "go version go1.99.0"
    ;;
  build)
    while [ "$1" != -o ]; do shift; done
    echo "$2" >> "$WORLD/builds.log"
    if [ -e "$WORLD/go-says" ]; then cat "$WORLD/go-says" >&2; exit 1; fi
    printf half > "$2"
    while [ -e "$WORLD/go-waits" ]; do sleep 0.05; done
    cat "$WORLD/go-makes" > "$2"
    chmod 755 "$2"
    ;;
esac
`;

/** A folder with a PATH, a cache and our Go modules. */
export class World {
  readonly folder: string;
  readonly bin: string;
  readonly cache: string;
  readonly modules: string;
  readonly steps: string[] = [];
  readonly packages = new FakePackages();

  private constructor(folder: string) {
    this.folder = folder;
    this.bin = path.join(folder, "bin");
    this.cache = path.join(folder, "cache");
    this.modules = path.join(folder, "modules");
  }

  static async make(): Promise<World> {
    const world = new World(await mkdtemp(path.join(os.tmpdir(), "tools-")));
    await mkdir(world.bin);
    await mkdir(path.join(world.modules, "tiny"), { recursive: true });
    await writeFile(path.join(world.modules, "tiny", "go.mod"), "module tiny\n\ngo 1.21\n");
    await world.write("go-makes", script("2.0.0"));
    process.env.WORLD = world.folder;
    return world;
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The PATH: this world's programs, and the system's for what scripts need. */
  get path(): string {
    return [this.bin, "/usr/bin", "/bin"].join(path.delimiter);
  }

  async write(file: string, text: string): Promise<string> {
    const full = path.join(this.folder, file);
    await mkdir(path.dirname(full), { recursive: true });
    await writeFile(full, text);
    return full;
  }

  async program(file: string, text: string): Promise<string> {
    const full = await this.write(file, text);
    await chmod(full, 0o755);
    return full;
  }

  async installGo(): Promise<void> {
    await this.program("bin/go", FAKE_GO);
  }

  /** How often the fake `go` was asked to build. */
  async builds(): Promise<number> {
    const log = await readFile(path.join(this.folder, "builds.log"), "utf8").catch(() => "");
    return log.split("\n").filter((line) => line !== "").length;
  }

  /** The entries of the cache, and what is left of unfinished ones. */
  async entries(): Promise<{ whole: string[]; unfinished: string[] }> {
    const list = (name: string) => readdir(path.join(this.cache, name)).catch(() => [] as string[]);
    return { whole: await list("programs"), unfinished: await list("staging") };
  }

  world(catalogue: Catalogue): RealWorld {
    const { cache, modules, packages } = this;
    return { catalogue, cache, modules, packages, staleLocksAfter: 2_000 };
  }

  async ensure(
    catalogue: Catalogue,
    options: EnsureOptions = {},
  ): Promise<Map<ProgramName, Program>> {
    return await ensurePrograms(
      Object.keys(catalogue) as ProgramName[],
      {
        path: this.path,
        onProgress: ({ program, step }) => this.steps.push(`${program}: ${step}`),
        ...options,
      },
      this.world(catalogue),
    );
  }

  /** A build of the module that every world has. */
  static readonly go: NonNullable<ProgramSpec["go"]> = {
    module: "tiny",
    package: ".",
    ldflags: "",
    duration: "no time",
  };
}

/** A package manager that puts programs where the test says. */
export class FakePackages implements PackageManager {
  reason: string | undefined = "this is a test without packages";
  readonly installed: string[][] = [];
  onInstall: (names: string[]) => Promise<void> = () => Promise.resolve();
  contents = "";

  unavailable(): Promise<string | undefined> {
    return Promise.resolve(this.reason);
  }

  async install(packages: readonly SystemPackage[]): Promise<void> {
    const names = packages.map(({ names: [name = ""] }) => name);
    this.installed.push(names);
    await this.onInstall(names);
  }

  async unpack(_wanted: SystemPackage, file: string): Promise<void> {
    await writeFile(file, this.contents);
  }
}

/** A maker's server. */
export class Maker {
  readonly files = new Map<string, Buffer>();
  readonly asked: string[] = [];
  /** Answers with this status, once each, before anything else. */
  readonly trouble: number[] = [];
  readonly #server: http.Server;

  private constructor() {
    this.#server = http.createServer((request, response) => {
      const name = (request.url ?? "").slice(1);
      this.asked.push(name);
      const status = this.trouble.shift();
      const contents = this.files.get(name);
      if (status !== undefined) response.writeHead(status).end();
      else if (contents === undefined) response.writeHead(404).end();
      else response.writeHead(200).end(contents);
    });
  }

  static async start(): Promise<Maker> {
    const maker = new Maker();
    await new Promise<void>((resolve) => maker.#server.listen(0, "127.0.0.1", resolve));
    return maker;
  }

  get base(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Publishes a file, and its checksum in SHA256SUMS. */
  publish(name: string, contents: Buffer | string, sha256 = sha256Of(contents)): void {
    this.files.set(name, Buffer.from(contents));
    const sums = this.files.get("SHA256SUMS")?.toString() ?? "";
    this.files.set("SHA256SUMS", Buffer.from(`${sums}${sha256}  ${name}\n`));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function sha256Of(contents: Buffer | string): string {
  return createHash("sha256").update(contents).digest("hex");
}
