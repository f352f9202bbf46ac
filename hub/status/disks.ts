/** The disks that the hub's files are on: one that is full ends every backup. */
import { statfsSync, statSync } from "node:fs";
import type { Manifest } from "../../config/manifest.ts";
import type { DiskStatus } from "./report.ts";

/** Where the hub's files are. */
export interface Folders {
  readonly manifest: Manifest;
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** The folder of what the agent remembers. */
  readonly state: string;
}

/** Each disk once. A folder that is not there, or cannot be looked at, is left out. */
export function disksOf({ manifest, repositories, state }: Folders): DiskStatus[] {
  const folders = { repositories, state, guests: manifest.hub.guestRepositories };
  const seen = new Set<number>();
  return (["repositories", "state", "guests"] as const).flatMap((folder) => {
    const path = folders[folder];
    if (path === undefined) return [];
    try {
      const device = statSync(path).dev;
      if (seen.has(device)) return [];
      seen.add(device);
      const { blocks, bfree, bavail, bsize } = statfsSync(path);
      // What is kept for root is neither used nor to be had, as df(1) counts.
      const sizeBytes = (blocks - bfree + bavail) * bsize;
      return [{ folder, sizeBytes, availableBytes: bavail * bsize }];
    } catch {
      return [];
    }
  });
}
