/** Whether each host's newest snapshot at a target is new enough. */
import { age } from "../../hub/status/findings.ts";
import type { Check } from "./checks.ts";
import type { HostReport } from "./report.ts";

/** What a target has of a host. */
export interface Snapshots {
  readonly count: number;
  /** When the newest arrived, in milliseconds since 1970; undefined where there is none. */
  readonly newest: number | undefined;
}

const HOUR_S = 3600;

/** By how much two clocks may differ. */
const CLOCK_S = 3600;

/**
 * Judges the snapshots of all hosts.
 *
 * @param found - by host; a host that is missing has none.
 * @param maxAgeHours - how old the newest may be.
 * @returns what each host has, and what was seen in a few words.
 */
export function judgeSnapshots(
  hosts: readonly string[],
  found: ReadonlyMap<string, Snapshots>,
  { maxAgeHours, now }: { readonly maxAgeHours: number; readonly now: number },
  check: Check,
): { reports: Record<string, HostReport>; seen: string } {
  const reports: Record<string, HostReport> = {};
  const without: string[] = [];
  let oldest = 0;
  for (const host of hosts) {
    const { count, newest } = found.get(host) ?? { count: 0, newest: undefined };
    if (newest === undefined) {
      without.push(host);
      reports[host] = { snapshots: count, newest: null, ageSeconds: null };
      continue;
    }
    if (newest - now > CLOCK_S * 1000) {
      check.error(
        `the newest snapshot of ${host} arrived in the future, ${new Date(newest).toISOString()}: its age says nothing. Is a clock wrong, there or here?`,
      );
    }
    // Two clocks that differ a little must not make an age below zero.
    const ageSeconds = Math.max(0, (now - newest) / 1000);
    oldest = Math.max(oldest, ageSeconds);
    reports[host] = { snapshots: count, newest: new Date(newest).toISOString(), ageSeconds };
    if (ageSeconds > maxAgeHours * HOUR_S) {
      check.error(
        `the newest snapshot of ${host} arrived ${age(ageSeconds)} ago, and none may be older than ${maxAgeHours} h. See at the hub: offsite-hub status`,
      );
    }
  }
  if (without.length > 0) {
    check.notice(`no snapshot of ${without.join(", ")} has arrived there yet`);
  }
  const seen =
    without.length === hosts.length ? "none yet" : `the newest of each at most ${age(oldest)} old`;
  return { reports, seen };
}
