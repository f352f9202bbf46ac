/**
 * Builds what runs outside of this repository's toolchain: the b2 provider, and the hub's agent as
 * one file that needs Node.js alone. Runs after `npm ci` as npm's `prepare`, and by
 * `npm run build`.
 */
import { chmod, mkdir } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";
import { buildProvider } from "../sdks/b2/build.ts";

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

if (process.argv[1] === import.meta.filename) {
  await Promise.all([buildProvider(), buildAgent()]);
}
