/** Builds a program from its Go module, with the dependencies that our `go.sum` pins. */
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import type { GoBuild } from "./spec.ts";

/** A program could not be built. The message says why in a line or a few. */
export class GoBuildError extends Error {
  override name = "GoBuildError";
}

/** What a build needs to know of its surroundings. */
export interface GoOptions {
  /** The folder that holds our modules, `tools/go`. */
  modules: string;
  /** Where to look for the command `go`. */
  path: string;
  signal?: AbortSignal | undefined;
}

/** The command is often installed here without being on PATH. */
const USUAL_DIRECTORIES = ["/usr/local/go/bin", "/usr/lib/go/bin", "/opt/homebrew/bin"];

/**
 * A digest of all that decides what a build makes: our module's files and the build's settings.
 */
export async function digestOfModule(build: GoBuild, modules: string): Promise<string> {
  const folder = path.join(modules, build.module);
  const hash = createHash("sha256").update(JSON.stringify(build));
  const names = await readdir(folder, { recursive: true });
  for (const name of names.sort()) {
    if (!/(?:^|\/)(?:go\.mod|go\.sum|[^/]+\.go)$/.test(name)) continue;
    // Another program's source in the same module is no part of this one.
    if (path.dirname(name) !== "." && `./${path.dirname(name)}` !== build.package) continue;
    hash.update(`\0${name}\0`).update(await readFile(path.join(folder, name)));
  }
  return hash.digest("hex");
}

/**
 * Builds one package.
 *
 * @param output - The file to write.
 * @throws GoBuildError when there is no `go`, when it is too old, or when the build fails.
 */
export async function buildGoModule(
  build: GoBuild,
  output: string,
  options: GoOptions,
): Promise<void> {
  const folder = path.join(options.modules, build.module);
  const env = {
    ...process.env,
    PATH: [options.path, ...USUAL_DIRECTORIES].join(path.delimiter),
    CGO_ENABLED: "0",
    GOWORK: "off",
    GOFLAGS: "",
    GO111MODULE: "on",
  };
  const common = {
    cwd: folder,
    env: { ...env, GOOS: undefined, GOARCH: undefined },
    extendEnv: false,
    reject: false,
    stdin: "ignore",
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  } as const;

  // In the module's folder this fails when the toolchain is older than go.mod asks for and a newer
  // one is not to be had (see "Go Toolchains" in Go's documentation).
  const version = await execa("go", ["version"], common);
  options.signal?.throwIfAborted();
  if (version.failed) {
    const goMod = await readFile(path.join(folder, "go.mod"), "utf8");
    const wanted = /^go (\S+)/m.exec(goMod)?.[1] ?? "any version";
    throw new GoBuildError(
      version.code === "ENOENT"
        ? `there is no Go on PATH (${wanted} or newer)`
        : `the Go on PATH is older than the ${wanted} that is needed: ${lastLine(version.stderr)}`,
    );
  }
  const result = await execa(
    "go",
    [
      "build",
      "-mod=readonly",
      "-trimpath",
      "-buildvcs=false",
      ...(build.tags === undefined ? [] : ["-tags", build.tags.join(",")]),
      "-ldflags",
      `-s -w ${build.ldflags}`.trim(),
      "-o",
      output,
      build.package,
    ],
    common,
  );
  options.signal?.throwIfAborted();
  if (result.failed) {
    throw new GoBuildError(
      `go build of ${build.package} failed: ${lastLines(result.stderr) || result.shortMessage}`,
    );
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

/** The end of a compiler's complaints: enough to see what it is, without pages of them. */
function lastLines(text: string): string {
  return text.trim().split("\n").slice(-8).join("\n    ");
}
