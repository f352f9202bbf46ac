/** Reports as tables for people: plain text, times in UTC. */
import Table from "cli-table3";
import { duration, printable, size } from "../format.ts";
import { age, when } from "./findings.ts";
import type { HostList } from "./list.ts";
import type { HostAtTarget, RunStatus, StatusReport } from "./report.ts";

/** The hosts, the targets with each host that needs a line of its own, then the guests. */
export function statusTables(report: StatusReport): string {
  return [hostTable(report), ...targetTable(report), ...guestTable(report)].join("\n");
}

function hostTable(report: StatusReport): string {
  const head = ["host", "backup", "newest snapshot", "took", "of", "repository", "snapshots"];
  const rows = Object.entries(report.hosts).map(([name, host]) => {
    const last = host.lastBackup;
    return [
      name,
      host.active ? `${host.outcome}, at work` : host.outcome,
      last === null ? "-" : `${when(last.arrived)} (${age(last.ageSeconds)} ago)`,
      last?.seconds == null ? "-" : duration(last.seconds),
      last?.bytesProcessed == null ? "-" : size(last.bytesProcessed),
      host.seen ? size(host.bytes) : "-",
      String(host.snapshots),
    ];
  });
  return table(head, rows);
}

function targetTable(report: StatusReport): string[] {
  const head = [
    "target",
    "host",
    "fresh as of",
    "waiting",
    "mirror",
    "verify",
    "drill",
    "credential",
  ];
  const rows = Object.entries(report.targets).flatMap(([name, target]) =>
    Object.entries(target.hosts).map(([host, place]) => [
      target.reachable === false ? `${name} (did not answer)` : name,
      host,
      report.hosts[host]?.snapshots === 0 ? "-" : freshness(place),
      place.waitingFiles === 0 ? "-" : `${place.waitingFiles} (${size(place.waitingBytes)})`,
      run(place.mirror),
      run(place.verify),
      run(place.drill),
      credential(place),
    ]),
  );
  return rows.length === 0 ? [] : [table(head, rows)];
}

function guestTable({ guests }: StatusReport): string[] {
  const rows = Object.entries(guests).map(([name, guest]) => {
    const last = guest.lastBackup;
    return [
      name,
      last === null ? "-" : `${when(last.arrived)} (${age(last.ageSeconds)} ago)`,
      `${size(guest.bytes)} of ${size(guest.limitBytes)}`,
      String(guest.snapshots),
    ];
  });
  return rows.length === 0 ? [] : [table(["guest", "newest snapshot", "holds", "snapshots"], rows)];
}

function freshness(place: HostAtTarget): string {
  if (place.freshAsOf === null) return "no";
  return place.fresh ? when(place.freshAsOf) : `${when(place.freshAsOf)}, too old`;
}

function run(status: RunStatus | null): string {
  return status === null ? "-" : `${status.outcome} ${when(status.started)}`;
}

function credential({ credential: used }: HostAtTarget): string {
  if (used === null) return "-";
  const generation = used.generation === null ? "" : ` (${used.generation})`;
  return `${used.age}${generation}${used.lastUsed === null ? "" : ` ${when(used.lastUsed)}`}`;
}

/** One host's snapshots, the newest first. */
export function snapshotTable(list: HostList): string {
  const head = ["snapshot", "arrived", "time", "size", "paths", "tags", "at targets"];
  const rows = list.snapshots.map(({ id, arrived, details, targets }) => [
    id.slice(0, 8),
    when(arrived),
    details === null ? "time unknown" : when(details.time),
    details?.summary == null ? "-" : size(details.summary.bytes),
    details?.paths.map(printable).join("\n") ?? "-",
    details?.tags.map(printable).join(", ") ?? "-",
    targets.join(", ") || "none",
  ]);
  return table(head, rows);
}

function table(head: string[], rows: string[][]): string {
  const made = new Table({ head, style: { head: [], border: [], compact: true } });
  made.push(...rows);
  return made.toString();
}
