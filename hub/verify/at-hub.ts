import { join } from "node:path";
import { openIfPresent, verifyFile } from "../repository/verified-read.ts";
import type { Finding } from "./compare.ts";

/** What the hub's own copies of some files are like. */
export interface AtHub {
  /** Paths of those that are damaged or cannot be read there as well. */
  readonly damaged: readonly string[];
  /** Paths of those that the hub no longer has. */
  readonly gone: readonly string[];
}

/**
 * Reads the hub's copies of the files that a finding names.
 *
 * @param directory - the repository's folder.
 */
export async function lookAtHub(directory: string, finding: Finding): Promise<AtHub> {
  const damaged: string[] = [];
  const gone: string[] = [];
  for (const path of finding.paths) {
    try {
      const file = await openIfPresent(join(directory, path));
      if (file === undefined) {
        gone.push(path);
        continue;
      }
      const name = path.slice(path.lastIndexOf("/") + 1);
      await verifyFile(file, name).finally(() => file.handle.close());
    } catch {
      damaged.push(path);
    }
  }
  return { damaged, gone };
}
