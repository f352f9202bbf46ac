/**
 * Before any test: makes the outside programs ready and puts them first on PATH. What cannot be had
 * fails the run here, with what is missing and how to install it.
 */
import path from "node:path";
import type { TestProject } from "vitest/node";
import { binDirectory, ensurePrograms, PROGRAM_NAMES, type ProgramName } from "../tools/index.ts";

/** The generator runs in `npm run check`; a Docker engine and what goes with it is for e2e. */
const NOT_FOR_UNITS: readonly ProgramName[] = ["gen-sdk", "docker", "dockerd", "docker-compose"];

export default async function setup(project: TestProject): Promise<void> {
  const names = PROGRAM_NAMES.filter((name) =>
    project.name === "e2e" ? name !== "gen-sdk" : !NOT_FOR_UNITS.includes(name),
  );
  const programs = await ensurePrograms(names, {
    onProgress: ({ program, step, done }) => {
      if (!done) console.log(`${program}: ${step}`);
    },
  });
  const folder = await binDirectory(programs);
  process.env.PATH = `${folder}${path.delimiter}${process.env.PATH ?? ""}`;
}
