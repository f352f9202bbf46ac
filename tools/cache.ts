/**
 * Our cache of programs. An entry is a folder, put in place by one rename when it is complete, with
 * a record of what it holds and how that was had. Its name holds a digest of the recipe, so that a
 * changed recipe is another entry.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import lockfile from "proper-lockfile";
import { z } from "zod";
import { isExecutable, sha256OfFile } from "./platform.ts";

/** How a cached program was first had. */
export type MadeFrom = "release" | "go-module" | "package";

const recordSchema = z.object({
  version: z.string(),
  madeFrom: z.enum(["release", "go-module", "package"]),
  /** For people: the address, module or package. */
  source: z.string(),
  /** SHA-256 by file name. */
  files: z.record(z.string(), z.string()),
});

/** What an entry of the cache holds. */
export type EntryRecord = z.infer<typeof recordSchema>;

const RECORD = "record.json";

/** The cache below one directory. */
export class ProgramCache {
  readonly directory: string;
  readonly #staleAfter: number;

  /** @param staleAfter - Milliseconds after which the lock of a holder that died is taken over. */
  constructor(directory: string, staleAfter = 30_000) {
    this.directory = directory;
    this.#staleAfter = staleAfter;
  }

  /** The folder of an entry. */
  folder(key: string): string {
    return path.join(this.directory, "programs", key);
  }

  /**
   * Reads an entry and compares every file with its recorded checksum.
   *
   * @returns The record, or undefined when there is no entry or it is not what was put there.
   */
  async read(key: string): Promise<EntryRecord | undefined> {
    const folder = this.folder(key);
    let record: EntryRecord;
    try {
      record = recordSchema.parse(JSON.parse(await readFile(path.join(folder, RECORD), "utf8")));
    } catch {
      return undefined;
    }
    for (const [name, sha256] of Object.entries(record.files)) {
      const file = path.join(folder, name);
      if (!(await isExecutable(file)) || (await sha256OfFile(file)) !== sha256) return undefined;
    }
    return record;
  }

  /**
   * Fills an entry. The caller holds the entry's lock.
   *
   * @param fill - Puts the executable files into the folder that it is given.
   */
  async write(
    key: string,
    record: Omit<EntryRecord, "files">,
    fill: (folder: string) => Promise<void>,
  ): Promise<EntryRecord> {
    const staging = path.join(this.directory, "staging");
    await mkdir(staging, { recursive: true });
    // Whoever holds the lock is alone: what lies here of this entry is from a killed run.
    for (const name of await readdir(staging)) {
      if (name.startsWith(`${key}.`)) {
        await rm(path.join(staging, name), { recursive: true, force: true });
      }
    }
    const stage = path.join(staging, `${key}.${randomUUID()}`);
    const old = `${stage}.old`;
    try {
      await mkdir(stage);
      await fill(stage);
      const files: Record<string, string> = {};
      for (const name of (await readdir(stage)).sort()) {
        files[name] = await sha256OfFile(path.join(stage, name));
      }
      const full: EntryRecord = { ...record, files };
      await writeFile(path.join(stage, RECORD), `${JSON.stringify(full, undefined, 2)}\n`);
      const folder = this.folder(key);
      await mkdir(path.dirname(folder), { recursive: true });
      await rename(folder, old).catch(ignoreMissing);
      await rename(stage, folder);
      return full;
    } finally {
      await rm(stage, { recursive: true, force: true });
      await rm(old, { recursive: true, force: true });
    }
  }

  /**
   * Runs an action while no other process, and nobody else in this one, holds the same lock. A lock
   * whose holder died is taken over after a while.
   *
   * @param onWait - Called once when somebody else holds the lock.
   */
  async locked<T>(
    name: string,
    action: () => Promise<T>,
    options: { signal?: AbortSignal | undefined; onWait?: () => void } = {},
  ): Promise<T> {
    const folder = path.join(this.directory, "locks");
    await mkdir(folder, { recursive: true });
    const file = path.join(folder, name);
    let told = false;
    for (;;) {
      options.signal?.throwIfAborted();
      let release: () => Promise<void>;
      try {
        release = await lockfile.lock(file, {
          realpath: false,
          stale: this.#staleAfter,
          update: Math.min(5_000, this.#staleAfter / 2),
          // Our own entry is only ever put in place by a rename, so a second holder harms nothing.
          onCompromised: () => undefined,
        });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ELOCKED") throw error;
        if (!told) options.onWait?.();
        told = true;
        await new Promise((resolve) => setTimeout(resolve, 250));
        continue;
      }
      try {
        return await action();
      } finally {
        await release().catch(() => undefined);
      }
    }
  }

  /**
   * Puts a program of one entry beside the programs of another, as a hard link.
   *
   * @returns The new path.
   */
  async placeBeside(file: string, neighbour: string): Promise<string> {
    const target = path.join(path.dirname(neighbour), path.basename(file));
    const [from, there] = await Promise.all([stat(file), stat(target).catch(() => undefined)]);
    if (from.ino === there?.ino && from.dev === there.dev) return target;
    const temporary = `${target}.${randomUUID()}`;
    await link(file, temporary);
    await rename(temporary, target);
    // rename(2) of one hard link onto another of the same file does nothing and leaves both.
    await rm(temporary, { force: true });
    return target;
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
}
