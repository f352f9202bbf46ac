import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { execa } from "execa";

const folder = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(folder, "../..");

/**
 * Writes the SDK from `schema.json`: the TypeScript sources as Pulumi's own generator makes them,
 * and in `bin/` the JavaScript and declarations that the root's compiler makes of those. The same
 * schema gives the same bytes.
 *
 * @param outDir - The folder to replace; the checked-in SDK when left out. It must be below
 * `sdks/b2`, because the compiler looks for `@pulumi/pulumi` upwards from there.
 * @throws Error - When Go is not on PATH, the schema is not valid, or the sources do not compile.
 */
export async function generateSdk(outDir = path.join(folder, "sdk")): Promise<void> {
  await execa("go", ["run", "./gen-sdk", path.join(folder, "schema.json"), outDir], {
    cwd: path.join(root, "tools/go/pulumi"),
    env: { GOFLAGS: "", CGO_ENABLED: "0" },
  });
  const bin = path.join(outDir, "bin");
  // Maps would carry paths of sources that no reader has.
  const maps = ["--sourceMap", "false", "--declarationMap", "false"];
  const tsc = path.join(root, "node_modules/typescript/bin/tsc");
  await execa(process.execPath, [tsc, "-p", outDir, ...maps]);
  // The SDK reads its version from beside its JavaScript.
  await copyFile(path.join(outDir, "package.json"), path.join(bin, "package.json"));
  await loadLess(bin);
}

// The whole of @pulumi/pulumi, with the code that installs packages and serializes closures, takes
// longer to load than all the rest of a program with a few buckets, and longer than the provider.
// These are the parts that the generated code uses; the package's own modules, so that a program
// which loads the whole shares them.
const parts = `"use strict";
Object.assign(
    exports,
    require("@pulumi/pulumi/config"),
    require("@pulumi/pulumi/output"),
    require("@pulumi/pulumi/resource"),
    { runtime: { ...require("@pulumi/pulumi/runtime/invoke"), ...require("@pulumi/pulumi/runtime/rpc") } },
);
`;
const provided = {
  pulumi: ["Config", "CustomResource", "ProviderResource", "mergeOptions", "runtime", "secret"],
  runtime: ["call", "invoke", "invokeOutput", "registerResourceModule", "registerResourcePackage"],
};

async function loadLess(bin: string): Promise<void> {
  for (const name of await readdir(bin, { recursive: true })) {
    if (!name.endsWith(".js")) continue;
    const file = path.join(bin, name);
    const text = await readFile(file, "utf8");
    const code = text.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, "");
    for (const [use, module = "", member = ""] of code.matchAll(/\b(pulumi|runtime)\.(\w+)/g)) {
      const known = provided[module as keyof typeof provided];
      if (!known.includes(member)) throw new Error(`${file}: ${use} is not provided; see loadLess`);
    }
    const upwards = path.posix.relative(path.dirname(name), ".");
    const request = `require("${upwards === "" ? "." : upwards}/pulumi.js")`;
    await writeFile(
      file,
      text
        .replaceAll('require("@pulumi/pulumi")', request)
        .replaceAll('require("@pulumi/pulumi/runtime")', `${request}.runtime`),
    );
  }
  await writeFile(path.join(bin, "pulumi.js"), parts);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await generateSdk();
