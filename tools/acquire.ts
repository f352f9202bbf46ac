/** Gets one program that the machine does not have: from the maker, from its source, from Debian. */
import { createHash } from "node:crypto";
import { chmod } from "node:fs/promises";
import path from "node:path";
import pLimit from "p-limit";
import type { EntryRecord } from "./cache.ts";
import { DiskFullError, isDiskFull } from "./errors.ts";
import { buildGoModule, digestOfModule } from "./go-module.ts";
import type { ProgramSpec } from "./spec.ts";
import { installRelease } from "./release.ts";
import type { Surroundings } from "./surroundings.ts";

/** Go builds use all processors already. */
const oneBuild = pLimit(1);

/** The name of a program's entry in the cache. It changes with everything that decides its bytes. */
export async function entryKey(
  name: string,
  spec: ProgramSpec,
  { modules, platform }: Pick<Surroundings, "modules" | "platform">,
): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([spec.version, spec.release?.base]));
  if (spec.go !== undefined) hash.update(await digestOfModule(spec.go, modules));
  const machine = platform === undefined ? process.platform : `${platform.os}-${platform.arch}`;
  return `${name}-${spec.version}-${machine}-${hash.digest("hex").slice(0, 12)}`;
}

/**
 * Puts a program into the cache, by the first way that works.
 *
 * @param say - Told what is being done.
 * @returns The entry's record, or the reasons why no way worked.
 * @throws DiskFullError; whatever the signal was aborted with.
 */
export async function acquire(
  name: string,
  spec: ProgramSpec,
  key: string,
  surroundings: Surroundings,
  say: (step: string) => void,
): Promise<EntryRecord | string[]> {
  const { cache, signal } = surroundings;
  return await cache.locked(
    `${key}.lock`,
    async () => {
      const present = await cache.read(key);
      if (present !== undefined) return present;
      const reasons: string[] = [];
      for (const way of waysTo(name, spec, key, surroundings, say)) {
        try {
          return await way();
        } catch (error) {
          signal?.throwIfAborted();
          if (isDiskFull(error)) throw new DiskFullError(name, cache.directory);
          const reason = error instanceof Error ? error.message : String(error);
          say(reason);
          reasons.push(reason);
        }
      }
      return reasons;
    },
    {
      signal,
      onWait: () => say("waiting for another run that is getting it"),
    },
  );
}

function* waysTo(
  name: string,
  spec: ProgramSpec,
  key: string,
  surroundings: Surroundings,
  say: (step: string) => void,
): Generator<() => Promise<EntryRecord>> {
  const { cache, signal } = surroundings;
  const { version, release, go, packages } = spec;
  if (release !== undefined) {
    yield async () => {
      say("downloading");
      const source = new URL(release.base).href;
      return await cache.write(key, { version, madeFrom: "release", source }, async (folder) => {
        await installRelease(name, release, folder, surroundings);
      });
    };
  }
  if (go !== undefined) {
    yield async () => {
      say("waiting for its turn to be built");
      return await oneBuild(() =>
        cache.locked(
          "go-build.lock",
          async () => {
            say(`building (about ${go.duration})`);
            const source = go.package === "." ? `tools/go/${go.module}` : go.package;
            const record = { version, madeFrom: "go-module" as const, source };
            return await cache.write(key, record, async (folder) => {
              await buildGoModule(go, path.join(folder, name), surroundings);
            });
          },
          { signal },
        ),
      );
    };
  }
  if (packages?.unpack !== undefined) {
    yield async () => {
      const unavailable = await surroundings.packages.unavailable();
      if (unavailable !== undefined) throw new Error(unavailable);
      const source = packages.names.join(" or ");
      say(`taking it out of the Debian package ${source}`);
      return await cache.write(key, { version, madeFrom: "package", source }, async (folder) => {
        const file = path.join(folder, name);
        await surroundings.packages.unpack(packages, file, signal);
        await chmod(file, 0o755);
      });
    };
  }
}
