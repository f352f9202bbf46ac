/** `node tools/bootstrap.mjs .ci/programs.ts NAME...`: makes outside programs ready for later steps. */
import { appendFileSync } from "node:fs";
import { binDirectory, ensurePrograms, PROGRAM_NAMES, type ProgramName } from "../tools/index.ts";

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(PROGRAM_NAMES as readonly string[]).includes(name));
if (wanted.length === 0 || unknown.length > 0) {
  console.error(`usage: .ci/programs.ts NAME... of: ${PROGRAM_NAMES.join(", ")}`);
  process.exit(2);
}
const folder = await binDirectory(await ensurePrograms(wanted as ProgramName[]));
const path = process.env.GITHUB_PATH ?? "";
if (path !== "") appendFileSync(path, `${folder}\n`);
console.log(`In ${folder}: ${wanted.join(", ")}`);
