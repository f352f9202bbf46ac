/** The bundle in clear text, for when no machine is left whose key would open it. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UsageError } from "../../hub/errors.ts";
import type { DeployedBundle } from "./deployed.ts";
import { namesIn } from "./write.ts";

/**
 * Writes every file as it is before it is sealed, readable by its owner alone.
 *
 * @param directory - a new one, or an empty one; it gets mode 0700, and the files 0600.
 * @returns the paths below it.
 * @throws UsageError where the directory has files in it; nothing is written then.
 */
export async function writeOpened(bundle: DeployedBundle, directory: string): Promise<string[]> {
  await requireEmpty(directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const written: string[] = [];
  for (const { path, content, format } of bundle.files) {
    const name = format === "age" || format === "sops" ? path.replace(/\.(age|sops)$/, "") : path;
    const place = join(directory, name);
    await mkdir(dirname(place), { recursive: true, mode: 0o700 });
    await writeFile(place, content, { mode: 0o600, flag: "wx" });
    written.push(name);
  }
  return written.sort();
}

/**
 * Refuses a directory with anything in it.
 *
 * @throws UsageError with the way out.
 */
export async function requireEmpty(directory: string): Promise<void> {
  const names = await namesIn(
    directory,
    (code) => `--opened: ${directory} cannot be read (${code}). Name a new directory`,
  );
  if (names.length === 0) return;
  throw new UsageError(
    `--opened: ${directory} has files in it. Name a new directory, in which secrets in clear text are to be`,
  );
}
