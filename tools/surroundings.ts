/** What a caller may ask for, and what getting programs needs of the world. */
import path from "node:path";
import { ProgramCache } from "./cache.ts";
import { Apt, type PackageManager } from "./packages.ts";
import { cacheDirectory, currentPlatform, type Platform } from "./platform.ts";
import type { Catalogue, ProgramName } from "./spec.ts";
import { Downloader } from "./release.ts";

/** What is being done for a program, to be shown to the user. */
export interface ProgressEvent {
  program: ProgramName;
  /** For people: "downloading", "building (about 4 minutes)", "found on PATH". */
  step: string;
  /** True with the last event of a program that is ready. */
  done: boolean;
}

/** Options of {@link ensurePrograms}. */
export interface EnsureOptions {
  onProgress?: (event: ProgressEvent) => void;
  signal?: AbortSignal;
  /** The PATH to look in; process.env.PATH without it. */
  path?: string;
}

/** What a test puts in the place of the real world. */
export interface World {
  catalogue?: Catalogue;
  cache?: string;
  modules?: string;
  packages?: PackageManager;
  /** Milliseconds after which the lock of a run that was killed is taken over. */
  staleLocksAfter?: number;
}

/** What getting a program needs of the world. */
export interface Surroundings {
  cache: ProgramCache;
  downloader: Downloader;
  packages: PackageManager;
  platform: Platform | undefined;
  /** The folder that holds our Go modules. */
  modules: string;
  /** PATH, for the command `go`. */
  path: string;
  signal?: AbortSignal | undefined;
}

/** What getting a program needs of the world, from what a caller gives. */
export function surroundingsOf(options: EnsureOptions, world: World): Surroundings {
  return {
    cache: new ProgramCache(world.cache ?? cacheDirectory(), world.staleLocksAfter),
    downloader: new Downloader(),
    packages: world.packages ?? new Apt(),
    platform: currentPlatform(),
    modules: world.modules ?? path.join(import.meta.dirname, "go"),
    path: options.path ?? process.env.PATH ?? "",
    signal: options.signal,
  };
}
