/**
 * Files that a verify found damaged by reading them. A listing does not show such damage, and the
 * share that is read the next time is another one. So they are remembered, and every verify reads
 * them again until it finds them whole or gone: one small file a place and host below the state
 * folder, replaced in one step.
 */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeStateFile } from "../state-file.ts";

const storedSchema = z.object({ version: z.literal(1), paths: z.array(z.string()) });

/**
 * What verifies found damaged.
 *
 * @param place - the target's name; `hub` for the hub's own files.
 * @returns paths below the repository; none where there is no note or it is unreadable.
 */
export function readDamaged(state: string, place: string, host: string): Set<string> {
  try {
    const text = readFileSync(pathOf(state, place, host), "utf8");
    return new Set(storedSchema.parse(JSON.parse(text)).paths);
  } catch {
    return new Set();
  }
}

/**
 * Remembers what is damaged now.
 *
 * @throws Error where it cannot be written.
 */
export function writeDamaged(
  state: string,
  place: string,
  host: string,
  paths: ReadonlySet<string>,
): void {
  const path = pathOf(state, place, host);
  if (paths.size === 0) {
    rmSync(path, { force: true });
    return;
  }
  writeStateFile(path, { version: 1, paths: [...paths] });
}

function pathOf(state: string, place: string, host: string): string {
  return join(state, "damaged", place, `${host}.json`);
}
