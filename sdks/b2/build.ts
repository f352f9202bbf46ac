import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const folder = path.dirname(fileURLToPath(import.meta.url));

/**
 * Builds the provider into `sdks/b2/dist`: few files with all that they need, because loading
 * hundreds of modules would take longer than a preview should. The HTTP client is a file of its
 * own, loaded at the first call.
 */
export async function buildProvider(): Promise<void> {
  await build({
    entryPoints: [{ in: path.join(folder, "provider/main.ts"), out: "provider" }],
    outdir: path.join(folder, "dist"),
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
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildProvider();
