/**
 * Runs one of our TypeScript files: `node tools/bootstrap.mjs FILE [ARGUMENT...]`. It makes the
 * commands of package.json work in a fresh clone: it checks the version of Node.js, installs what
 * package-lock.json names where that is missing or another version, and loads the file with tsx.
 * So it uses nothing but Node.js itself, and syntax that an old one understands.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const readJson = (file) => JSON.parse(readFileSync(join(root, file), "utf8"));

/** What package-lock.json names and node_modules has not, by npm's own record of what it put there. */
function isInstalled() {
  if (!existsSync(join(root, "node_modules/.package-lock.json"))) return false;
  const wanted = readJson("package-lock.json").packages;
  const present = readJson("node_modules/.package-lock.json").packages;
  return Object.keys(wanted).every((place) => {
    const { version, optional, peer } = wanted[place];
    // Packages for other platforms are not installed.
    if (place === "" || optional || peer) return true;
    return present[place] !== undefined && present[place].version === version;
  });
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function checkNode() {
  const wanted = readJson("package.json").engines.node;
  const lowest = /(\d+)\.(\d+)/.exec(wanted).slice(1).map(Number);
  const given = process.versions.node.split(".").map(Number);
  if (given[0] < lowest[0] || (given[0] === lowest[0] && given[1] < lowest[1])) {
    fail(
      `fort-offsite needs Node.js ${wanted}, this is ${process.versions.node} (${process.execPath}). ` +
        "Get a newer one from https://nodejs.org or your system's packages.",
    );
  }
}

function install() {
  process.stderr.write("Installing the npm packages of package-lock.json (npm ci) ...\n");
  const arguments_ = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  // npm tells its scripts where it is itself, so that no other npm is found.
  const npm = process.env.npm_execpath;
  const useOwn = npm !== undefined && /npm-cli\.c?js$/.test(npm);
  const result = useOwn
    ? spawnSync(process.execPath, [npm, ...arguments_], { cwd: root, stdio: ["ignore", 2, 2] })
    : spawnSync("npm", arguments_, { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.error !== undefined) fail(`npm cannot be started: ${result.error.message}`);
  if (result.status !== 0) fail("npm ci failed, see above. Without its packages nothing runs.");
}

checkNode();
const [file, ...rest] = process.argv.slice(2);
if (file === undefined) fail("usage: node tools/bootstrap.mjs FILE [ARGUMENT...]");
if (!isInstalled()) install();

const script = resolve(root, file);
process.argv = [process.argv[0], script, ...rest];
const tsx = pathToFileURL(join(root, "node_modules/tsx/dist/esm/api/index.mjs")).href;
const { register } = await import(tsx);
register();
await import(pathToFileURL(script).href);
