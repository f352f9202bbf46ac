/**
 * Builds a TypeScript file with all that it imports to a few files, for what is started so often that
 * loading some hundreds of modules would be felt. tools/bundled.mjs runs what is built here, and says
 * when it is built anew.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { build as bundle, type Metafile, type Plugin } from "esbuild";

const ROOT = path.dirname(import.meta.dirname);

/** Where npm notes what it has installed. */
const INSTALLED = "node_modules/.package-lock.json";

interface Recipe {
  /** The file to build. */
  readonly entry: string;
  /** The packages that go into the bundle; all when left out. */
  readonly packages?: ReadonlySet<string>;
}

/** What is built, by the name that it has in dist/. */
const RECIPES = {
  program: {
    entry: "index.ts",
    // Pulumi's own stay what they are: they share their state with who runs the program. So does any
    // that somebody adds to it.
    packages: new Set([
      ...["@noble/curves", "@pulumi/b2", "@pulumi/command", "@scure/base", "bcryptjs", "execa"],
      ...["ipaddr.js", "yaml", "zod"],
    ]),
  },
  "command-plugin": { entry: "sandbox/plugins/command/main.ts" },
} as const satisfies Record<string, Recipe>;

/** What can be built. */
export type BundleName = keyof typeof RECIPES;

/** CommonJS packages in the bundle ask for Node's own modules with require. */
const REQUIRE =
  'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);';

/** Of what is required by the bundle, rather than imported. */
const REQUIRED = "required";

/** A source map that maps nothing: positions in packages are of no use to anybody.
 * Put together, so that no reader of this file takes it for its own. */
const UNMAPPED = `\n${["//#", "sourceMappingURL"].join(" ")}=data:application/json;base64,${Buffer.from(
  '{"version":3,"sources":[""],"mappings":"A"}',
).toString("base64")}`;

/** Milliseconds by which a file system's clock may lag behind. */
const CLOCK = 20;

/** Milliseconds after which nobody reads a bundle that another has replaced. */
const UNUSED = 3_600_000;

/**
 * Builds a bundle. What another process builds at the same time is not disturbed.
 *
 * @param root - The project's folder.
 * @returns The path of the file to import.
 * @throws Error where the sources cannot be built, or the result not be written.
 */
export async function buildBundle(name: BundleName, root = ROOT): Promise<string> {
  const recipe: Recipe = RECIPES[name];
  const dist = path.join(root, "dist");
  await mkdir(dist, { recursive: true });
  const started = Date.now();
  const folder = await mkdtemp(path.join(dist, `${name}-`));
  try {
    const { metafile } = await bundle({
      entryPoints: [{ in: path.join(root, recipe.entry), out: "main" }],
      outdir: folder,
      outExtension: { ".js": ".mjs" },
      absWorkingDir: root,
      bundle: true,
      // What only some need is loaded by those.
      splitting: true,
      minifyWhitespace: true,
      minifySyntax: true,
      format: "esm",
      platform: "node",
      target: "node20",
      banner: { js: REQUIRE },
      sourcemap: "linked",
      sourcesContent: false,
      metafile: true,
      plugins: [packages(recipe.packages), ownPlaces(folder)],
      logLevel: "silent",
    });
    const inputs = await stamps(root, metafile);
    const entry = path.join(await settle(name, folder, dist), "main.mjs");
    // One that was changed meanwhile may be in the bundle as it was before.
    const isSure = inputs.every(({ changed }) => changed < started - CLOCK);
    if (isSure) await note(name, dist, path.relative(root, entry), inputs);
    await sweep(name, dist, path.dirname(entry));
    return entry;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Leaves the packages alone that are not for the bundle, and takes positions out of those that are. */
function packages(inside: Recipe["packages"]): Plugin {
  return {
    name: "packages",
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, ({ path: name, importer, kind, namespace }) => {
        if (kind === "entry-point" || inside === undefined) return undefined;
        const isOwn = !importer.includes("/node_modules/");
        const [first = "", second = ""] = name.split("/");
        const wanted = first.startsWith("@") ? `${first}/${second}` : first;
        if (isOwn ? inside.has(wanted) : first !== "@pulumi") return undefined;
        // Who runs the program has required Pulumi's packages; importing them could give others.
        const isImported = kind !== "require-call" && namespace !== REQUIRED;
        return first === "@pulumi" && isImported
          ? { path: name, namespace: REQUIRED }
          : { path: name, external: true };
      });
      build.onLoad({ filter: /./, namespace: REQUIRED }, ({ path: name }) => ({
        contents: `module.exports = require(${JSON.stringify(name)});`,
      }));
      build.onLoad({ filter: /\/node_modules\/.*\.[cm]?js$/ }, async ({ path: file }) => ({
        contents: (await readFile(file, "utf8")) + UNMAPPED,
        loader: "js",
      }));
    },
  };
}

/** Lets a module that reads a file beside itself find it from where the bundle is. */
function ownPlaces(folder: string): Plugin {
  return {
    name: "own places",
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
        const text = await readFile(file, "utf8");
        const place = path.relative(folder, file).split(path.sep).join("/");
        const url = `new URL(${JSON.stringify(place)},import.meta.url).href`;
        return { contents: text.replaceAll("import.meta.url", url), loader: "ts" };
      });
    },
  };
}

interface Stamp {
  readonly file: string;
  readonly stamp: string;
  /** Milliseconds since 1970. */
  readonly changed: number;
}

/** What tells of each file that it was changed; of packages what npm has installed says it. */
async function stamps(root: string, { inputs }: Metafile): Promise<Stamp[]> {
  const own = Object.keys(inputs).filter(
    (file) => !/(?:^|\/)node_modules\//.test(file) && !file.startsWith(`${REQUIRED}:`),
  );
  const files = [...own, "tools/bundle.ts", INSTALLED];
  return await Promise.all(
    files.map(async (file) => {
      const { size, mtimeMs, ctimeMs } = await stat(path.join(root, file));
      return { file, stamp: `${size} ${mtimeMs} ${ctimeMs}`, changed: Math.max(mtimeMs, ctimeMs) };
    }),
  );
}

/** Gives the folder a name by its content, so that no name ever means something else. */
async function settle(name: BundleName, folder: string, dist: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await readdir(folder)).sort()) {
    hash.update(file).update(await readFile(path.join(folder, file)));
  }
  const settled = path.join(dist, `${name}-${hash.digest("hex").slice(0, 16)}`);
  try {
    await rename(folder, settled);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    await rm(folder, { recursive: true, force: true });
  }
  return settled;
}

async function note(
  name: BundleName,
  dist: string,
  entry: string,
  inputs: readonly Stamp[],
): Promise<void> {
  const next = path.join(dist, `${name}-${process.pid}.json`);
  const content = { entry, inputs: Object.fromEntries(inputs.map((it) => [it.file, it.stamp])) };
  await writeFile(next, JSON.stringify(content));
  await rename(next, path.join(dist, `${name}.json`));
}

/** Removes earlier bundles, and what a killed build left. */
async function sweep(name: BundleName, dist: string, kept: string): Promise<void> {
  for (const each of await readdir(dist)) {
    const place = path.join(dist, each);
    if (!each.startsWith(`${name}-`) || place === kept) continue;
    const found = await stat(place).catch(() => undefined);
    if (found === undefined || Date.now() - found.mtimeMs < UNUSED) continue;
    await rm(place, { recursive: true, force: true });
  }
}
