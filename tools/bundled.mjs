// Loads one of our TypeScript files as a bundle: see tools/bundle.ts. The bundle is made anew whenever
// a file that it was made of has changed; where it cannot be made, the sources run as they are.
// Nothing is loaded here that is not needed.
import { readFileSync, statSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * Imports a file, out of its bundle if that can be had.
 *
 * @param {string} name - The bundle's, of those in tools/bundle.ts.
 * @param {string} source - The file in the project that it is made of.
 */
export async function load(name, source) {
  const ready = fresh(name);
  if (ready !== undefined) return await import(ready);
  const { register } = await import("tsx/esm/api");
  register();
  let built;
  try {
    const { buildBundle } = await import("./bundle.ts");
    built = await buildBundle(name);
  } catch {
    // A mistake in the sources, which they tell better themselves; or no place to write to.
    built = root + source;
  }
  return await import(pathToFileURL(built).href);
}

/** The bundle's file to import, if all that it was made of is as it was then. */
function fresh(name) {
  try {
    const { entry, inputs } = JSON.parse(readFileSync(`${root}dist/${name}.json`, "utf8"));
    const isSame = ([file, stamp]) => {
      const { size, mtimeMs, ctimeMs } = statSync(root + file);
      return `${size} ${mtimeMs} ${ctimeMs}` === stamp;
    };
    const isReady = Object.entries(inputs).every(isSame) && statSync(root + entry).isFile();
    return isReady ? pathToFileURL(root + entry).href : undefined;
  } catch {
    return undefined;
  }
}
