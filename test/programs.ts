/**
 * Before any test: makes the outside programs ready and puts them first on PATH. What cannot be had
 * fails the run here, with what is missing and how to install it.
 */
import path from "node:path";
import type { TestProject } from "vitest/node";
import { binDirectory, ensurePrograms, PROGRAM_NAMES, type ProgramName } from "../tools/index.ts";

/**
 * The generator runs in `npm run check`. An engine is for the sandbox to find or start: where one
 * runs already, no `dockerd` is needed.
 */
const NEVER: readonly ProgramName[] = ["gen-sdk", "dockerd"];
/** What only the tests use that stand a whole world up: engines, an S3 server, TLS, tunnels. */
const FOR_E2E: readonly ProgramName[] = [
  "docker",
  "docker-compose",
  "versitygw",
  "caddy",
  "tailscale",
  "tailscaled",
  "headscale",
  "wireguard-go",
  "wg",
  "wg-quick",
];

export default async function setup(project: TestProject): Promise<void> {
  const left = project.name === "e2e" ? NEVER : [...NEVER, ...FOR_E2E];
  const names = PROGRAM_NAMES.filter((name) => !left.includes(name));
  const programs = await ensurePrograms(names, {
    onProgress: ({ program, step, done }) => {
      if (!done) console.log(`${program}: ${step}`);
    },
  });
  const folder = await binDirectory(programs);
  process.env.PATH = `${folder}${path.delimiter}${process.env.PATH ?? ""}`;
}
