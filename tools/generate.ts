/**
 * The files that are made from others and checked in. `npm run generate` writes them;
 * with `--check` it writes nothing and names those that are out of date.
 */
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { format } from "prettier";
import { z } from "zod";
import { stackConfigJsonSchema } from "../config/json-schema.ts";
import { manifestSchema } from "../config/manifest.ts";
import { dashboard } from "../hub/monitoring/dashboard.ts";
import { settingsSchema } from "../hub/settings.ts";
import { generateSdk } from "../sdks/b2/generate.ts";
import { drawPictures } from "./pictures.ts";

const ROOT = path.dirname(import.meta.dirname);

/** Something that makes files. */
export interface Generator {
  what: string;
  /**
   * Makes the files, and changes nothing that is checked in.
   *
   * @returns Contents by path below the root.
   */
  make: () => Promise<ReadonlyMap<string, string>>;
  /** Folders that hold nothing but what is made. */
  folders?: readonly string[];
}

async function json(file: string, value: object): Promise<ReadonlyMap<string, string>> {
  return new Map([
    [file, await format(JSON.stringify(value), { parser: "json", printWidth: 100 })],
  ]);
}

/** Everything that is generated. */
export const GENERATORS: readonly Generator[] = [
  {
    what: "the JSON schema of a stack's config",
    make: () => json("config/stack.schema.json", stackConfigJsonSchema()),
  },
  {
    what: "the JSON schema of offsite.json",
    make: () =>
      json("config/offsite.schema.json", {
        title: "offsite.json",
        // A file of a newer, compatible program has properties that this one does not know.
        ...z.toJSONSchema(manifestSchema, { io: "input" }),
      }),
  },
  {
    what: "the JSON schema of the hub's settings",
    make: () =>
      json("hub/settings.schema.json", {
        title: "settings.json",
        ...z.toJSONSchema(settingsSchema, { io: "input" }),
      }),
  },
  {
    what: "the documentation's pictures",
    make: async () => {
      const drawn = await drawPictures(path.join(ROOT, "docs", "pictures"));
      return new Map([...drawn].map(([name, svg]) => [`docs/pictures/${name}`, svg]));
    },
  },
  {
    what: "the Grafana dashboard",
    make: () => json("hub/monitoring/dashboard.json", dashboard()),
  },
  {
    what: "the SDK of @pulumi/b2",
    folders: ["sdks/b2/sdk"],
    make: async () => {
      // Below the root, where the compiler finds packages; and where nothing else looks.
      await mkdir(path.join(ROOT, "dist"), { recursive: true });
      const folder = await mkdtemp(path.join(ROOT, "dist", ".generated-"));
      try {
        const made = path.join(folder, "sdk");
        await generateSdk(made);
        return await readFiles(made, "sdks/b2/sdk");
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  },
];

/**
 * Makes everything anew and compares it with what is there.
 *
 * @returns One line for each file that is missing, out of date or not made any more.
 */
export async function staleFiles(
  generators: readonly Generator[] = GENERATORS,
  root = ROOT,
): Promise<string[]> {
  const stale: string[] = [];
  for (const { make, folders = [] } of generators) {
    const made = await make();
    for (const [file, contents] of made) {
      const present = await readFile(path.join(root, file), "utf8").catch(() => undefined);
      if (present === undefined) stale.push(`${file} is missing`);
      else if (present !== contents) stale.push(`${file} is out of date`);
    }
    for (const file of await strays(made, folders, root))
      stale.push(`${file} is not made any more`);
  }
  return stale;
}

/** Makes everything anew and writes it. */
export async function generate(
  generators: readonly Generator[] = GENERATORS,
  root = ROOT,
): Promise<void> {
  for (const { make, folders = [] } of generators) {
    const made = await make();
    for (const [file, contents] of made) {
      await mkdir(path.dirname(path.join(root, file)), { recursive: true });
      await writeFile(path.join(root, file), contents);
    }
    for (const file of await strays(made, folders, root)) await rm(path.join(root, file));
  }
}

async function strays(
  made: ReadonlyMap<string, string>,
  folders: readonly string[],
  root: string,
): Promise<string[]> {
  const present: string[] = [];
  for (const folder of folders) {
    present.push(...(await readFiles(path.join(root, folder), folder)).keys());
  }
  return present.filter((file) => !made.has(file));
}

async function readFiles(folder: string, as: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, string>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    files.set(path.posix.join(as, path.relative(folder, file)), await readFile(file, "utf8"));
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes("--check")) {
    const stale = await staleFiles();
    if (stale.length > 0) {
      console.error([...stale, "Write them anew with: npm run generate"].join("\n"));
      process.exitCode = 1;
    }
  } else {
    await generate();
  }
}
