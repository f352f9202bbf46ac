import { counted, duration, size } from "../../format.ts";
import type { CredentialAge } from "../../targets/target.ts";
import { age, when } from "../findings.ts";
import type {
  BackupOutcome,
  HostAtTarget,
  HostStatus,
  RunStatus,
  StatusReport,
  TargetStatus,
} from "../report.ts";
import { badge, html, moment, table, type Content, type Markup, type Mood } from "./markup.ts";

const OUTCOMES: Readonly<Record<BackupOutcome, readonly [Mood, string]>> = {
  ok: ["good", "ok"],
  unfinished: ["bad", "cut off"],
  overdue: ["bad", "overdue"],
  never: ["bad", "never"],
  lost: ["bad", "lost"],
  unknown: ["bad", "cannot be read"],
};

const AGES: Readonly<Record<CredentialAge, readonly [Mood, string]>> = {
  current: ["good", "current"],
  next: ["warn", "next: deploy the hub"],
  previous: ["warn", "previous: run pulumi up"],
};

/** Every host: its last backup, its size, what was done to it at the hub. */
export function hostTable(report: StatusReport): Markup {
  const head = ["Host", "Backup", "Newest snapshot", "Took", "Holds", "Snapshots", "Prune"];
  const rows = Object.entries(report.hosts).map(([name, host]) => [
    name,
    badge(...OUTCOMES[host.outcome]),
    newest(host, report.time),
    took(host),
    host.seen ? html`${size(host.bytes)}<small>${counted(host.files, "file")}</small>` : "–",
    host.snapshots,
    run(host.prune, report.time),
  ]);
  return table("Hosts", head, rows);
}

function newest({ lastBackup, active }: HostStatus, now: string): Content {
  const at = lastBackup === null ? "–" : ago(lastBackup.arrived, now);
  return active ? html`${at}<small>at work</small>` : at;
}

function took({ lastBackup }: HostStatus): Content {
  if (lastBackup?.seconds == null) return "–";
  const { bytesProcessed, bytesAdded } = lastBackup;
  const of = bytesProcessed === null ? "" : `of ${size(bytesProcessed)}`;
  const added = bytesAdded === null ? "" : `, ${size(bytesAdded)} new`;
  return html`${duration(lastBackup.seconds)}<small>${of}${added}</small>`;
}

/** Every target as a whole. */
export function targetTable(report: StatusReport): Markup | null {
  const entries = Object.entries(report.targets);
  if (entries.length === 0) return null;
  const head = [
    "Target",
    "Answers",
    "Holds all as of",
    "Waiting",
    "Room",
    "Verify",
    "Thief rehearsed",
  ];
  const rows = entries.map(([name, target]) => [
    html`${name}<small>${target.type}</small>`,
    answers(target),
    freshness(target, report.time),
    target.waitingFiles === 0 ? "nothing" : waiting(target),
    room(target),
    run(target.verify, report.time),
    run(target.thief, report.time),
  ]);
  return table("Targets", head, rows);
}

function answers({ reachable }: TargetStatus): Markup {
  if (reachable === null) return badge("none", "not asked yet");
  return reachable ? badge("good", "yes") : badge("bad", "did not answer");
}

function room({ limitBytes, hosts }: TargetStatus): Content {
  const held = Object.values(hosts).reduce((sum, { heldBytes }) => sum + (heldBytes ?? 0), 0);
  return limitBytes === null
    ? size(held)
    : html`${size(held)}<small>of ${size(limitBytes)}</small>`;
}

function freshness(
  { fresh, freshAsOf }: Pick<HostAtTarget, "fresh" | "freshAsOf">,
  now: string,
): Content {
  if (freshAsOf === null) return badge(fresh ? "none" : "bad", fresh ? "nothing yet" : "not fresh");
  return html`${fresh ? badge("good", "fresh") : badge("bad", "too old")}, ${ago(freshAsOf, now)}`;
}

function waiting(of: Pick<HostAtTarget, "waitingFiles" | "waitingBytes">): string {
  return `${counted(of.waitingFiles, "file")} (${size(of.waitingBytes)})`;
}

/** Every host at every target: does it hold all, and does it hold it soundly? */
export function copyTable(report: StatusReport): Markup | null {
  return perTarget(report, "Copies", "Host", (copy, host) => {
    if (report.hosts[host]?.snapshots === 0) return badge("none", "nothing to hold");
    const { waitingFiles, mirror, verify } = copy;
    return html`${freshness(copy, report.time)}${
      waitingFiles > 0 && html`<small>${waiting(copy)} waiting</small>`
    }${failure("mirror", mirror)}${failure(
      "verify",
      verify,
    )}${verify === null && html`<small>never verified</small>`}`;
  });
}

/** What was restored from where, and whether a broken copy was noticed. */
export function drillTable(report: StatusReport): Markup | null {
  return perTarget(report, "Drills: restored and checked", "Host", ({ drill, control }) => {
    const checks = drill === null ? null : counted(drill.facts.checks, "check");
    return html`${run(drill, report.time)}${
      drill !== null &&
      html`<small>${size(drill.facts.bytes)}, ${checks}, ${duration(drill.seconds)}</small>`
    }${failure("drill against a broken copy", control)}`;
  });
}

/** A row for each host, a column for each target. */
function perTarget(
  { hosts, targets }: StatusReport,
  caption: string,
  corner: string,
  cell: (copy: HostAtTarget, host: string) => Content,
): Markup | null {
  const names = Object.keys(targets);
  if (names.length === 0) return null;
  const rows = Object.keys(hosts).map((host) => [
    host,
    ...names.map((name) => {
      const copy = targets[name]?.hosts[host];
      return copy === undefined ? "–" : cell(copy, host);
    }),
  ]);
  return table(caption, [corner, ...names], rows);
}

function failure(what: string, status: RunStatus | null): Content {
  return status?.outcome === "failed" && html`<small>${badge("bad", `${what} failed`)}</small>`;
}

/** Which credential each target accepted last, and when keys end. */
export function credentialTable(report: StatusReport): Markup | null {
  const head = ["Credential", "Used last", "Generation", "When", "Keys", "Certificate"];
  const rows = Object.entries(report.targets).map(([name, { credential, keys, certificate }]) => [
    name,
    credential === null ? badge("none", "none yet") : badge(...AGES[credential.age]),
    credential?.generation ?? "–",
    credential?.lastUsed == null ? "–" : ago(credential.lastUsed, report.time),
    keys.length === 0
      ? "–"
      : keys.map(({ role, accepted, expires }) => [
          badge(accepted ? "good" : "bad", `${role} ${accepted ? "accepted" : "refused"}`),
          html`<small
            >${expires === null ? "no end" : html`ends ${moment(expires, when(expires))}`}</small
          >`,
        ]),
    certificate === null
      ? "–"
      : html`ends<small>${moment(certificate.end, when(certificate.end))}</small>`,
  ]);
  return rows.length === 0 ? null : table("Credentials", head, rows);
}

/** What is free on the hub's own disks. */
export function diskTable({ disks }: StatusReport): Markup | null {
  const rows = disks.map(({ folder, availableBytes, sizeBytes }) => [
    folder,
    html`${size(availableBytes)}<small>of ${size(sizeBytes)}</small>`,
  ]);
  return rows.length === 0 ? null : table("The hub's disks", ["Disk of", "Free"], rows);
}

/** Somebody else's machines. */
export function guestTable({ guests, time }: StatusReport): Markup | null {
  const head = ["Guest", "Newest snapshot", "Holds", "Snapshots"];
  const rows = Object.entries(guests).map(([name, guest]) => [
    name,
    guest.readable
      ? guest.lastBackup === null
        ? "–"
        : ago(guest.lastBackup.arrived, time)
      : badge("bad", "cannot be read"),
    html`${size(guest.bytes)}<small>of ${size(guest.limitBytes)}</small>`,
    guest.snapshots,
  ]);
  return rows.length === 0 ? null : table("Guests", head, rows);
}

function run(status: RunStatus | null, now: string): Content {
  if (status === null) return badge("none", "never");
  const { outcome, started } = status;
  return html`${badge(outcome === "ok" ? "good" : "bad", outcome)}, ${ago(started, now)}`;
}

/** A time by its age when the page was made, and the time itself below. */
function ago(time: string, now: string): Markup {
  const seconds = (Date.parse(now) - Date.parse(time)) / 1000;
  return html`${age(seconds)} ago<small>${moment(time, when(time))}</small>`;
}
