/** One folder to be put first on PATH, for programs that lie in many. */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readlink, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import type { Program } from "./index.ts";
import { cacheDirectory } from "./platform.ts";
import type { ProgramName } from "./spec.ts";

/**
 * Makes a folder of symlinks named as the programs are called, to be put first on PATH. The same
 * programs always get the same folder, which stays.
 */
export async function binDirectory(programs: ReadonlyMap<ProgramName, Program>): Promise<string> {
  const links = [...programs.values()].map(({ name, path: file }) => [name, file] as const);
  links.sort(([a], [b]) => (a < b ? -1 : 1));
  const digest = createHash("sha256").update(JSON.stringify(links)).digest("hex").slice(0, 16);
  const parent = path.join(cacheDirectory(), "bin");
  const folder = path.join(parent, digest);
  const isWhole = async () => {
    const found = await Promise.all(
      links.map(([name]) => readlink(path.join(folder, name)).catch(() => undefined)),
    );
    return links.every(([, file], index) => found[index] === file);
  };
  if (await isWhole()) return folder;
  const stage = path.join(parent, `${digest}.${randomUUID()}`);
  await mkdir(stage, { recursive: true });
  try {
    for (const [name, file] of links) await symlink(file, path.join(stage, name));
    await rename(stage, folder);
  } catch (error) {
    // Another run was faster; or a folder that lost links is in the way, which we fill up.
    if (!(await isWhole())) {
      if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? ""))
        throw error;
      for (const [name] of links) {
        await rename(path.join(stage, name), path.join(folder, name));
      }
    }
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
  return folder;
}
