/** `offsite-hub prune`: host by host, so that one host's trouble is not another's. */
import { resolve } from "node:path";
import { messageOf, UsageError } from "../errors.ts";
import { AT_HUB, recordResult } from "../results.ts";
import { snapshotNames } from "./plan.ts";
import { pruneHost, type HostPruneOptions } from "./prune-host.ts";
import { newHostReport, type HostPruneReport, type PruneReport } from "./report.ts";
import { passwordFileOf } from "../settings.ts";

/** What is pruned, and how. */
export interface PruneOptions extends Omit<
  HostPruneOptions,
  "directory" | "passwordFile" | "trust"
> {
  readonly hosts: readonly string[];
  readonly repositoryOf: (host: string) => string;
  readonly passwordFiles: Readonly<Record<string, string>>;
  /** By host: snapshots that the operator now trusts. */
  readonly trust: ReadonlyMap<string, readonly string[]>;
  /** Called at the end of each host. */
  readonly onHost: (host: string, report: HostPruneReport) => void;
}

/** Prunes the hosts, one after the other, and remembers how it went. */
export async function prune(options: PruneOptions): Promise<PruneReport> {
  const hosts: Record<string, HostPruneReport> = {};
  for (const host of options.hosts) {
    const started = new Date();
    const report = newHostReport();
    hosts[host] = report;
    try {
      const directory = resolve(options.repositoryOf(host));
      const passwordFile = passwordFileOf(options.passwordFiles, host);
      const trust = options.trust.get(host) ?? [];
      await pruneHost(host, { ...options, directory, passwordFile, trust }, report);
    } catch (error) {
      report.outcome = "failed";
      report.errors.push(messageOf(error));
    }
    report.seconds = (Date.now() - started.getTime()) / 1000;
    if (report.outcome !== "absent" && !options.dryRun) record(host, started, report, options);
    options.onHost(host, report);
  }
  return { version: 1, dryRun: options.dryRun, hosts };
}

function record(host: string, started: Date, report: HostPruneReport, options: PruneOptions): void {
  const done = report.outcome === "pruned";
  try {
    recordResult(options.state, "prune", AT_HUB, host, {
      started: started.toISOString(),
      seconds: report.seconds,
      outcome: done ? "ok" : "failed",
      errors: report.errors,
      facts: {
        kept: report.kept,
        removed: done ? report.removed.length : 0,
        suspicious: report.suspicious.length,
      },
    });
  } catch (error) {
    report.outcome = "failed";
    report.errors.push(`cannot remember the outcome: ${messageOf(error)}`);
  }
}

/**
 * Finds the snapshots that an operator names, by the names of their files.
 *
 * @param wanted - ids or their beginnings; `all` for each that is there.
 * @returns ids by host.
 * @throws UsageError where one is found nowhere or more than once.
 */
export function findTrusted(
  wanted: readonly string[] | "all",
  hosts: readonly string[],
  repositoryOf: (host: string) => string,
): Map<string, string[]> {
  // Nobody's trouble with a folder is to keep the others from their prune.
  if (wanted.length === 0) return new Map();
  const found = new Map(hosts.map((host) => [host, snapshotNames(repositoryOf(host))]));
  if (wanted === "all") return found;
  const problems: string[] = [];
  const trusted = new Map<string, string[]>();
  for (const start of wanted) {
    const matches = [...found].flatMap(([host, names]) =>
      names.filter((name) => name.startsWith(start)).map((name) => ({ host, name })),
    );
    const [match] = matches;
    if (!/^[0-9a-f]{8,64}$/.test(start)) {
      problems.push(`"${start}" is no snapshot's id: give at least its first 8 digits`);
    } else if (match === undefined) {
      problems.push(`no snapshot "${start}" in the repositories of ${hosts.join(", ")}`);
    } else if (matches.length > 1) {
      problems.push(`more than one snapshot begins with "${start}": give all of its id`);
    } else {
      trusted.set(match.host, [...(trusted.get(match.host) ?? []), match.name]);
    }
  }
  if (problems.length > 0) throw new UsageError(problems.join("; "));
  return trusted;
}
