/**
 * Builds what runs outside of this repository's toolchain: the b2 provider, and the hub's agent as
 * one file that needs Node.js alone; and what is to start fast; and links the operator's commands.
 * Runs after `npm ci` as npm's `prepare`, and by `npm run build`.
 */
import { chmod, mkdir, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { buildProvider } from "../sdks/b2/build.ts";
import { buildBundle } from "./bundle.ts";

const ROOT = path.dirname(import.meta.dirname);

/** Where the hub's agent is built to. */
export const AGENT = path.join(ROOT, "dist", "offsite-hub.mjs");

/** Packages that are CommonJS inside of an ES module look for `require`. */
const REQUIRE = `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);`;

/**
 * Builds the hub's agent to one executable file.
 *
 * @param outfile - The file to write.
 */
export async function buildAgent(outfile = AGENT): Promise<void> {
  await mkdir(path.dirname(outfile), { recursive: true });
  await build({
    entryPoints: [path.join(ROOT, "hub", "main.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    banner: { js: REQUIRE },
    legalComments: "eof",
    logLevel: "warning",
    absWorkingDir: ROOT,
  });
  await chmod(outfile, 0o755);
}

/**
 * Lets `npx offsite` find the operator's commands: npm links the programs of packages that it
 * installs, and not those of the project itself. One that package.json names under `bin` npx looks
 * for in a copy of its own (npm 11, libnpmexec), and fails; a link in the project it simply starts.
 *
 * @param root - The project's folder.
 */
export async function linkCommands(root = ROOT): Promise<void> {
  const folder = path.join(root, "node_modules", ".bin");
  const next = path.join(folder, `.offsite-${process.pid}`);
  await mkdir(folder, { recursive: true });
  await rm(next, { force: true });
  await symlink(path.join("..", "..", "cli", "offsite.mjs"), next);
  await rename(next, path.join(folder, "offsite"));
}

if (process.argv[1] === import.meta.filename) {
  await Promise.all([
    ...[buildProvider(), buildAgent(), linkCommands()],
    ...[buildBundle("program"), buildBundle("command-plugin")],
  ]);
}
