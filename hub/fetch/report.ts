/** What fetching came to. */

/** What `offsite-hub fetch --json` prints. Changes only compatibly. */
export interface FetchReport {
  readonly version: 1;
  readonly target: string;
  readonly dryRun: boolean;
  readonly hosts: Record<string, HostFetch>;
  /** What concerns the target as a whole. */
  readonly errors: string[];
}

/** How one host's repository came back. */
export interface HostFetch {
  /**
   * `complete`: the hub has every file that the target has. `incomplete`: it has not, see `errors`.
   * `absent`: the target has nothing of the host. `refused`: nothing was touched, see `errors`.
   * `planned`: a dry run.
   */
  outcome: "complete" | "incomplete" | "absent" | "refused" | "planned";
  /** What was brought, or would be. */
  files: number;
  bytes: number;
  /** Files that were here already. */
  present: number;
  snapshots: number;
  /** Files at the target that are not what their names say, by path; they were not taken. */
  damaged: string[];
  errors: string[];
  seconds: number;
}

/** A report of nothing yet. */
export function emptyFetch(): HostFetch {
  return {
    ...{ outcome: "incomplete", files: 0, bytes: 0, present: 0, snapshots: 0 },
    ...{ damaged: [], errors: [], seconds: 0 },
  };
}
