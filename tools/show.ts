/**
 * `npm run tools`: which outside programs there are, pinned to what, and what is used from where.
 * With `-- --install` it gets those that are missing.
 */
import Table from "cli-table3";
import { Command } from "commander";
import {
  cacheDirectory,
  commandPluginOnPath,
  ensurePrograms,
  locateProgram,
  MissingProgramsError,
  PROGRAM_NAMES,
  type Program,
  type ProgramName,
} from "./index.ts";
import { PROGRAMS } from "./programs.ts";

/** Columns with nothing between them but spaces. */
const PLAIN = Object.fromEntries(
  [
    ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left"],
    ...["bottom-right", "left", "left-mid", "mid", "mid-mid", "right", "right-mid", "middle"],
  ].map((name) => [name, ""]),
);

interface Row {
  program: ProgramName;
  purpose: string;
  pinned: string;
  used?: { version: string; from: string; path: string };
}

const command = new Command("npm run tools --")
  .description("Shows the outside programs, their pinned versions, and what is used from where.")
  .option("--install", "get what is missing")
  .option("--json", "print JSON")
  .parse();
const options = command.opts<{ install?: boolean; json?: boolean }>();

let problem: string | undefined;
if (options.install === true) {
  try {
    await ensurePrograms(PROGRAM_NAMES, {
      onProgress: ({ program, step }) => {
        console.error(`${program}: ${step}`);
      },
    });
  } catch (error) {
    if (!(error instanceof MissingProgramsError)) throw error;
    problem = error.message;
  }
}

const rows = await Promise.all(
  PROGRAM_NAMES.map(async (name) => rowOf(name, await locateProgram(name))),
);
const plugin = await commandPluginOnPath();

if (options.json === true) {
  const json = { cache: cacheDirectory(), commandPlugin: plugin ?? null, programs: rows };
  console.log(JSON.stringify(json, undefined, 2));
} else {
  const table = new Table({
    head: ["program", "pinned", "used", "from", "path"],
    style: { head: [], border: [], compact: true },
    chars: PLAIN,
  });
  for (const { program, pinned, used } of rows) {
    const { version, from, path } = used ?? { version: "missing", from: "", path: "" };
    table.push([program, pinned, version, from, path]);
  }
  console.log(table.toString());
  console.log(`Cache: ${cacheDirectory()}`);
  console.log(
    plugin === undefined
      ? "Pulumi's plugin `command`: not installed. The sandbox uses its stand-in; for real use, Pulumi downloads it."
      : `Pulumi's plugin \`command\`: ${plugin}`,
  );
}
if (problem !== undefined) {
  console.error(problem);
  process.exitCode = 1;
} else if (rows.some(({ used }) => used === undefined) && options.json !== true) {
  console.log("Get what is missing with: npm run tools -- --install");
}

function rowOf(name: ProgramName, program: Program | undefined): Row {
  const { purpose, version } = PROGRAMS[name];
  const row = { program: name, purpose, pinned: version };
  if (program === undefined) return row;
  const { origin, madeFrom, path } = program;
  const from = origin === "cache" && madeFrom !== undefined ? `cache (${madeFrom})` : origin;
  return { ...row, used: { version: program.version, from, path } };
}
