/** What was found, for people: plain text, times in UTC. */
import Table from "cli-table3";
import { printable } from "../../hub/format.ts";
import { age, when } from "../../hub/status/findings.ts";
import type { CheckReport, HostReport, VerifyReport } from "./report.ts";

/** The checks, and then the newest snapshot of each host at each target. */
export function verifyTables(report: VerifyReport): string {
  const targets = Object.entries(report.targets);
  const checks = targets.flatMap(([name, { checks: all }]) =>
    all.map((check) => [name, check.name, check.state, seen(check)]),
  );
  const hosts = targets.flatMap(([name, { hosts: all }]) =>
    Object.entries(all).map(([host, each]) => [name, host, ...snapshotsOf(each)]),
  );
  const guests = Object.entries(report.guests ?? {}).flatMap(([name, { checks: all }]) =>
    all.map((check) => [name, check.name, check.state, seen(check)]),
  );
  const tables = [table(["target", "check", "result", "seen"], checks)];
  if (guests.length > 0) tables.push(table(["guest", "check", "result", "seen"], guests));
  if (hosts.length > 0) {
    tables.push(table(["target", "host", "snapshots", "newest arrived"], hosts));
  }
  return tables.join("\n");
}

/** What is not as it must be, one line each: `peer, server: …`. */
export function errorLines(report: VerifyReport): string[] {
  return linesOf(report, ({ errors }) => errors);
}

/** What is worth knowing, one line each. */
export function noticeLines(report: VerifyReport): string[] {
  return [...report.notices.map(printable), ...linesOf(report, ({ notices }) => notices)];
}

function linesOf(report: VerifyReport, of: (check: CheckReport) => string[]): string[] {
  const guests = Object.entries(report.guests ?? {}).map(
    ([name, each]) => [`guest ${name}`, each] as const,
  );
  return [...Object.entries(report.targets), ...guests].flatMap(([name, { checks }]) =>
    checks.flatMap((check) =>
      of(check).map((line) => printable(`${name}, ${check.name}: ${line}`)),
    ),
  );
}

function seen({ state, seen: text, errors }: CheckReport): string {
  if (state !== "failed") return printable(text);
  return errors.length === 1 ? "see below" : `${errors.length} findings, see below`;
}

function snapshotsOf({ snapshots, newest, ageSeconds }: HostReport): string[] {
  const count = snapshots === null ? "-" : String(snapshots);
  if (newest === null || ageSeconds === null) return [count, "-"];
  return [count, `${when(newest)} (${age(ageSeconds)} ago)`];
}

function table(head: string[], rows: string[][]): string {
  const made = new Table({ head, style: { head: [], border: [], compact: true } });
  made.push(...rows);
  return made.toString();
}
