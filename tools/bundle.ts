/**
 * Builds a TypeScript file with all that it imports to a few files, for what is started so often that
 * loading some hundreds of modules would be felt. tools/bundled.mjs runs what is built here, and says
 * when it is built anew.
 */
import { createHash } from "node:crypto";
import {
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
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

/** Milliseconds by which a file system's clock may lag behind, and one that counts whole seconds. */
const CLOCK = 20;
const COARSE_CLOCK = 2000;

/** Milliseconds after which nobody reads a bundle that another has replaced: an update takes hours. */
const UNUSED = 24 * 3_600_000;

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
    await retire(name, root, entry);
    // One that was changed meanwhile may be in the bundle as it was before.
    const isSure = inputs.every(({ changed, lag }) => changed < started - lag);
    if (isSure) await note(name, root, entry, inputs);
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
      build.onLoad({ filter: /\.[cm]?[jt]s$/ }, async ({ path: file }) => {
        const text = await readFile(file, "utf8");
        const from = (what: string) =>
          encodeURI(path.relative(folder, what).split(path.sep).join("/"));
        const url = (what: string) => `new URL(${JSON.stringify(from(what))},import.meta.url)`;
        const contents = text.replaceAll(
          /\bimport\.meta\.(url|filename|dirname)\b/g,
          (_, asked) => {
            if (asked === "url") return `${url(file)}.href`;
            const place = asked === "filename" ? file : path.dirname(file);
            return `decodeURIComponent(${url(place)}.pathname)`;
          },
        );
        return { contents, loader: file.endsWith("ts") ? "ts" : "js" };
      });
    },
  };
}

interface Stamp {
  readonly file: string;
  readonly stamp: string;
  /** Milliseconds since 1970. */
  readonly changed: number;
  /** By how many milliseconds that may be too early. */
  readonly lag: number;
}

/** What tells of each file that it was changed; of packages what npm has installed says it. */
async function stamps(root: string, { inputs }: Metafile): Promise<Stamp[]> {
  const own = Object.keys(inputs).filter(
    (file) => !/(?:^|\/)node_modules\//.test(file) && !file.startsWith(`${REQUIRED}:`),
  );
  const files = [...own, "tools/bundle.ts", INSTALLED];
  return await Promise.all(
    files.map(async (file) => {
      return await stampOf(root, file);
    }),
  );
}

async function stampOf(root: string, file: string): Promise<Stamp> {
  const { size, mtimeMs, ctimeMs } = await stat(path.join(root, file));
  const changed = Math.max(mtimeMs, ctimeMs);
  const lag = ctimeMs % 1000 === 0 ? COARSE_CLOCK : CLOCK;
  return { file, stamp: `${size} ${mtimeMs} ${ctimeMs}`, changed, lag };
}

/** Gives the folder a name by its content, so that no name ever means something else. */
async function settle(name: BundleName, folder: string, dist: string): Promise<string> {
  const hash = await hashOf(folder);
  const settled = path.join(dist, `${name}-${hash}`);
  // One of which a part was lost is no use to anybody.
  const there = await hashOf(settled).catch(() => undefined);
  if (there !== undefined && there !== hash) await rm(settled, { recursive: true, force: true });
  try {
    await rename(folder, settled);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
    await rm(folder, { recursive: true, force: true });
  }
  return settled;
}

/** The hash of what is in a folder. It is on disk then: no power cut leaves a part of it. */
async function hashOf(folder: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await readdir(folder)).sort()) {
    const handle = await open(path.join(folder, file), "r");
    try {
      hash.update(file).update(await handle.readFile());
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
  return hash.digest("hex").slice(0, 16);
}

/**
 * Notes what a bundle was made of, and its own files: with less than all of them the program could
 * have no resources, and Pulumi would be asked to remove what is there.
 */
async function note(
  name: BundleName,
  root: string,
  entry: string,
  inputs: readonly Stamp[],
): Promise<void> {
  const folder = path.dirname(path.relative(root, entry));
  const files = await readdir(path.join(root, folder));
  const own = await Promise.all(files.map((file) => stampOf(root, path.join(folder, file))));
  const stamped = Object.fromEntries([...inputs, ...own].map((it) => [it.file, it.stamp]));
  const next = path.join(root, "dist", `${name}-${process.pid}.json`);
  await writeFile(next, JSON.stringify({ entry: path.relative(root, entry), inputs: stamped }));
  await rename(next, path.join(root, "dist", `${name}.json`));
}

/** Lets the time of the bundle before begin, in which some still run it. */
async function retire(name: BundleName, root: string, entry: string): Promise<void> {
  try {
    const text = await readFile(path.join(root, "dist", `${name}.json`), "utf8");
    const before = path.resolve(root, (JSON.parse(text) as { entry: string }).entry);
    const now = new Date();
    if (before !== entry) await utimes(path.dirname(before), now, now);
  } catch {
    // There is none.
  }
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
