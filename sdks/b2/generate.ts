import { copyFile } from "node:fs/promises";
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
 * @throws When Go is not on PATH, the schema is not valid, or the sources do not compile.
 */
export async function generateSdk(outDir = path.join(folder, "sdk")): Promise<void> {
  await execa("go", ["run", "-mod=mod", "./gen-sdk", path.join(folder, "schema.json"), outDir], {
    cwd: path.join(root, "tools/go/pulumi"),
    env: { GOFLAGS: "", CGO_ENABLED: "0" },
  });
  // Maps would carry paths of sources that no reader has.
  const maps = ["--sourceMap", "false", "--declarationMap", "false"];
  const tsc = path.join(root, "node_modules/typescript/bin/tsc");
  await execa(process.execPath, [tsc, "-p", outDir, ...maps]);
  // The SDK reads its version from beside its JavaScript.
  await copyFile(path.join(outDir, "package.json"), path.join(outDir, "bin/package.json"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await generateSdk();
