/**
 * Which packs a removal that was begun was to take, remembered on this machine until it is done: the
 * run after one that was killed finds packs to remove and no index file, as after a loss at the hub.
 * A note that is lost costs a question.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import envPaths from "env-paths";
import { z } from "zod";
import { writeStateFile } from "../../hub/state-file.ts";

const noteSchema = z.object({ version: z.literal(1), packs: z.array(z.string()) });

/** The packs that an earlier run of the server's project was to remove of a host. */
export function recallPacks(project: string, host: string): Set<string> {
  try {
    const note: unknown = JSON.parse(readFileSync(pathOf(project, host), "utf8"));
    return new Set(noteSchema.parse(note).packs);
  } catch {
    return new Set();
  }
}

/** @throws Error where it cannot be written. */
export function rememberPacks(project: string, host: string, packs: Iterable<string>): void {
  writeStateFile(pathOf(project, host), { version: 1, packs: [...packs] });
}

/** To be called when all of it is removed. */
export function forgetPacks(project: string, host: string): void {
  rmSync(pathOf(project, host), { force: true });
}

function pathOf(project: string, host: string): string {
  return join(envPaths("fort-offsite", { suffix: "" }).data, "prune", project, `${host}.json`);
}
