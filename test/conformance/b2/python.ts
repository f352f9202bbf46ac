import { createHash } from "node:crypto";
import { access, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";
import lockfile from "proper-lockfile";

import { cacheDirectory } from "../../../tools/index.ts";

const requirements = join(import.meta.dirname, "requirements.txt");

/**
 * Makes sure of a Python environment with the packages of `requirements.txt`, in the cache. It is
 * made once for every list of packages; a half-made one is made again.
 *
 * @returns the folder with its programs: `python`, `b2`
 * @throws Error when there is no Python 3 with venv, or the packages cannot be had
 */
export async function pythonPrograms(): Promise<string> {
  const digest = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex");
  const directory = join(cacheDirectory(), `b2-python-${digest.slice(0, 12)}`);
  const marker = join(directory, "complete");
  await mkdir(directory, { recursive: true });
  const release = await lockfile.lock(directory, { retries: { retries: 120, maxTimeout: 2000 } });
  try {
    if (!(await exists(marker))) {
      const environment = join(directory, "venv");
      await rm(environment, { recursive: true, force: true });
      await run("python3", ["-m", "venv", environment]);
      const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
      await run(join(environment, "bin", "python"), [...pip, "--requirement", requirements]);
      await writeFile(marker, "");
    }
  } finally {
    await release();
  }
  return join(directory, "venv", "bin");
}

async function run(program: string, parameters: readonly string[]): Promise<void> {
  const result = await execa(program, parameters, { reject: false, all: true });
  if (result.exitCode === 0) return;
  throw new Error(
    `The conformance tests need Python 3.9 or later with venv, and the packages of ${requirements}. "${result.command}" failed: ${result.all}`,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
