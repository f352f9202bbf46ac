import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../../config/manifest.ts";
import { messageOf, UsageError } from "../errors.ts";
import { endChildren, lockTarget, type Patience } from "../locks.ts";
import type { Progress } from "../progress.ts";
import type { Retention } from "../settings.ts";
import type { Target } from "../targets/target.ts";
import { mirrorTarget } from "./mirror-target.ts";
import { tryToRecord } from "./record.ts";
import { newHostReport, type HostReport, type MirrorReport, type TargetReport } from "./report.ts";

/** What to mirror, from where to where. */
export interface MirrorOptions {
  readonly manifest: Manifest;
  readonly targets: readonly {
    readonly name: string;
    /** Makes the target; what it throws is this target's failure alone. */
    readonly make: () => Target;
  }[];
  readonly hosts: readonly string[];
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** The folder for locks and for what the agent remembers. */
  readonly state: string;
  readonly patience: Patience;
  readonly retention: Retention;
  /** Days between a file's removal at the hub and its hiding at a target that can hide. */
  readonly graceDays: number;
  /** Go on although the hub has lost more than its retention takes. */
  readonly allowRemoval: boolean;
  readonly dryRun: boolean;
  readonly progress: Progress;
  /** Called when a host is done with; `errors` are those that concern it and not the target. */
  readonly onHost: (
    target: string,
    host: string,
    report: HostReport,
    errors: readonly string[],
  ) => void;
}

/**
 * Copies the hosts' repositories to the targets, the targets side by side. One host or target that
 * fails does not stop the others; what failed is in the report.
 *
 * @throws UsageError where the hub's folder of repositories cannot be read.
 */
export async function mirror(options: MirrorOptions): Promise<MirrorReport> {
  const notices = strangers(options);
  const started = new Date();
  const begin = performance.now();
  const reports = await Promise.all(
    options.targets.map(
      async ({ name, make }) => [name, await guarded(name, make, options)] as const,
    ),
  );
  return {
    version: 1,
    started: started.toISOString(),
    seconds: (performance.now() - begin) / 1000,
    targets: Object.fromEntries(reports),
    notices,
  };
}

async function guarded(
  name: string,
  make: () => Target,
  options: MirrorOptions,
): Promise<TargetReport> {
  const started = new Date();
  let release: (() => void) | undefined;
  let target: Target | undefined;
  try {
    target = make();
    if (!options.dryRun) {
      release = await lockTarget(options.state, name, options.patience);
      endChildren(options.state, name);
    }
    return await mirrorTarget(target, {
      ...options,
      onHost: (host, report, errors) => options.onHost(name, host, report, errors),
    });
  } catch (error) {
    const errors = [messageOf(error)];
    for (const host of options.dryRun ? [] : options.hosts) {
      tryToRecord(options.state, name, host, started, { ...newHostReport(), errors });
    }
    return { credential: null, hosts: {}, errors };
  } finally {
    await target?.close();
    release?.();
  }
}

/** Names repositories of the hub that no host of the manifest owns, for nobody mirrors them. */
function strangers({ manifest, repositories }: MirrorOptions): string[] {
  let folders: string[];
  try {
    folders = readdirSync(repositories, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !(entry.name in manifest.hosts))
      .map((entry) => entry.name);
  } catch (error) {
    throw new UsageError(`cannot read the hub's repositories: ${messageOf(error)}`);
  }
  return folders
    .filter((folder) => entriesOf(join(repositories, folder)).includes("config"))
    .map(
      (folder) =>
        `the repository "${folder}" belongs to no host of the manifest and is not mirrored`,
    );
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
