import { readdir, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = path.dirname(fileURLToPath(import.meta.url));

/**
 * Builds the provider into `sdks/b2/dist`: few files with all that they need, because loading
 * hundreds of modules would take longer than a preview should. The library for proxies is a file of
 * its own, loaded where there is one.
 */
export async function buildProvider(): Promise<void> {
  const outdir = path.join(folder, "dist");
  const { metafile } = await build({
    entryPoints: [{ in: path.join(folder, "provider/main.ts"), out: "provider" }],
    outdir,
    metafile: true,
    absWorkingDir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    minify: true,
    format: "esm",
    platform: "node",
    target: "node20",
    // CommonJS packages in the bundle ask for Node's own modules with require.
    banner: {
      js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
    },
    logLevel: "warning",
  });
  // Names carry a hash, so an earlier build's files would pile up.
  const made = new Set(Object.keys(metafile.outputs).map((file) => path.basename(file)));
  for (const file of await readdir(outdir)) {
    if (!made.has(file)) await rm(path.join(outdir, file), { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildProvider();
