/**
 * The metrics of the agent, each a gauge made from the status report. All times are seconds since
 * 1970, all durations seconds, all sizes bytes; what is not known has no series. Labels are names
 * of the manifest's hosts, targets and guests and words that are listed here, so their number is bounded.
 */
import type {
  BackupOutcome,
  DiskStatus,
  GuestStatus,
  HostAtTarget,
  HostStatus,
  RunStatus,
  StatusReport,
  TargetStatus,
} from "../status/report.ts";
import { GENERATION_OFFSETS } from "../targets/target.ts";

/** One value with its labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** One metric: all series of a name. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly samples: (report: StatusReport) => Sample[];
}

type Value = number | boolean | string | null | undefined;

/** All metrics, in the order in which they are written. */
export const FAMILIES: readonly Family[] = [
  one("metrics_timestamp_seconds", "When these metrics were written.", ({ time }) => time),
  one("healthy", "Whether status finds no problem.", ({ healthy }) => healthy),
  one("problems", "How many lines of problems status has.", ({ problems }) => problems.length),
  {
    name: "offsite_threshold_seconds",
    help: "The age from which a backup, verify, drill, prune or guest's backup is overdue.",
    labelNames: ["kind"],
    samples: ({ thresholds }) =>
      Object.entries(thresholds).map(([kind, value]) => ({
        labels: { kind },
        value: value as number,
      })),
  },
  one(
    "unowned_repositories",
    "Repositories at the hub that belong to no host of the manifest.",
    ({ unowned }) => unowned.length,
  ),

  ...disks(),

  ofHost("host_seen", "Whether the hub holds a repository of the host.", ({ seen }) => seen),
  ofHost(
    "repository_readable",
    "Whether all of the host's repository at the hub could be read.",
    ({ readable }) => readable,
  ),
  ofHost(
    "repository_foreign_files",
    "Files and folders of the repository that the hub's server cannot read or does not own.",
    ({ foreign }) => foreign,
  ),
  ofHost(
    "repository_size_bytes",
    "The size of the host's repository at the hub.",
    ({ seen, bytes }) => (seen ? bytes : null),
  ),
  ofHost("repository_files", "Files of the host's repository at the hub.", ({ seen, files }) =>
    seen ? files : null,
  ),
  ofHost("repository_snapshots", "Snapshots at the hub.", ({ snapshots }) => snapshots),
  {
    name: "offsite_backup_outcome",
    help: "1 for the outcome that the host's backups are at, 0 for the others.",
    labelNames: ["host", "outcome"],
    samples: ({ hosts }) =>
      Object.entries(hosts).flatMap(([host, status]) =>
        OUTCOMES.map((outcome) => ({
          labels: { host, outcome },
          value: Number(status.outcome === outcome),
        })),
      ),
  },
  ofHost(
    "backup_last_timestamp_seconds",
    "When the host's newest snapshot arrived at the hub.",
    ({ lastBackup }) => lastBackup?.arrived,
  ),
  ofHost(
    "backup_age_seconds",
    "The age of the newest snapshot when these metrics were written; in alerts take time() - offsite_backup_last_timestamp_seconds.",
    ({ lastBackup }) => lastBackup?.ageSeconds,
  ),
  ofHost(
    "backup_last_duration_seconds",
    "How long the newest snapshot took; needs the repository's password.",
    ({ lastBackup }) => lastBackup?.seconds,
  ),
  ofHost(
    "backup_last_size_bytes",
    "The size of what the newest snapshot holds; needs the repository's password.",
    ({ lastBackup }) => lastBackup?.bytesProcessed,
  ),
  ofHost(
    "backup_last_added_bytes",
    "What the newest snapshot added to the repository; needs the repository's password.",
    ({ lastBackup }) => lastBackup?.bytesAdded,
  ),
  ...runs("prune", "prune", ["host"], ({ hosts }) =>
    Object.entries(hosts).map(([host, { prune }]) => [{ host }, prune]),
  ),
  ofHost(
    "prune_suspicious_snapshots",
    "Snapshots with a suspicious time at the last prune.",
    ({ prune }) => prune?.facts.suspicious,
  ),

  ofHost(
    "prune_last_run_removed_snapshots",
    "Snapshots that the last prune removed.",
    ({ prune }) => prune?.facts.removed,
  ),

  ...runs("hub_verify", "verify of the hub's own files", ["host"], ({ hosts }) =>
    Object.entries(hosts).map(([host, { verify }]) => [{ host }, verify]),
  ),
  ofHost(
    "hub_verify_damaged_files",
    "Files of the hub that the last verify found damaged.",
    ({ verify }) => verify?.facts.damaged,
  ),

  ofTarget(
    "target_reachable",
    "Whether the target answered the last mirror or verify.",
    ({ reachable }) => reachable,
  ),
  family(
    "target_fresh",
    "Whether a mirror of the host was completed and verified there recently enough, and no verify has failed since; hosts without snapshots have no series.",
    ["target", "host"],
    (report) =>
      allPlaces(report).map(([labels, place]) => {
        const snapshots = report.hosts[labels.host ?? ""]?.snapshots ?? 0;
        return [labels, snapshots > 0 ? place.fresh : null];
      }),
  ),
  ofPlace(
    "target_fresh_timestamp_seconds",
    "The time as of which the target holds all that the hub held of the host.",
    ({ freshAsOf }) => freshAsOf,
  ),
  ofPlace(
    "target_snapshots",
    "Snapshots of the hub that are known to be there.",
    (place) => place.snapshots,
  ),
  ofTarget(
    "target_limit_bytes",
    "What all hosts' repositories may hold together at the target; targets without a limit have no series.",
    ({ limitBytes }) => limitBytes,
  ),
  ofPlace(
    "target_held_bytes",
    "What the target held of the host when a mirror last listed it.",
    ({ heldBytes }) => heldBytes,
  ),
  ofPlace(
    "lost_snapshots",
    "Snapshots that the last complete mirror saw, that the retention keeps, and that the hub has no more; 0 where they are no more than chance explains.",
    ({ lostSnapshots }) => lostSnapshots,
  ),
  ofPlace(
    "waiting_files",
    "Files of the hub that are not known to be at the target.",
    ({ waitingFiles }) => waitingFiles,
  ),
  ofPlace("waiting_bytes", "Their sizes together.", ({ waitingBytes }) => waitingBytes),
  ofPlace(
    "credential_generation",
    "The generation of the credential that the target accepted last.",
    ({ credential }) => credential?.generation,
  ),
  ofPlace(
    "credential_offset",
    "That credential among those that the hub holds: 0 current, 1 next (the hub owes a deployment), -1 previous (the target does).",
    ({ credential }) => (credential === null ? null : GENERATION_OFFSETS[credential.age]),
  ),
  ofPlace(
    "credential_last_used_timestamp_seconds",
    "When the target last accepted that credential.",
    ({ credential }) => credential?.lastUsed,
  ),
  family(
    "deployment_owed",
    "Whether the hub, or the target, must be deployed before the next rotation.",
    ["target", "by"],
    ({ targets }) =>
      Object.entries(targets).flatMap(([target, { hosts }]) =>
        (["hub", "target"] as const).map(
          (by) => [{ target, by }, isOwed(by, Object.values(hosts))] as const,
        ),
      ),
  ),
  family(
    "key_expiry_timestamp_seconds",
    "When the hub's key at a cloud target ends by itself; keys without an end have no series.",
    ["target", "key"],
    ({ targets }) =>
      Object.entries(targets).flatMap(([target, { keys }]) =>
        keys.map(({ role, expires }) => [{ target, key: role }, expires] as const),
      ),
  ),
  ofTarget(
    "certificate_expiry_timestamp_seconds",
    "When the certificate ends that the target last showed a verify; targets without TLS have no series.",
    ({ certificate }) => certificate?.end,
  ),
  ofTarget(
    "certificate_start_timestamp_seconds",
    "From when that certificate is valid.",
    ({ certificate }) => certificate?.start,
  ),
  ofTarget(
    "certificate_seen_timestamp_seconds",
    "When a verify saw it.",
    ({ certificate }) => certificate?.seen,
  ),
  ...runs("mirror", "mirror", ["target", "host"], places("mirror")),
  ofPlace(
    "mirror_last_run_sent_bytes",
    "What the last mirror sent.",
    ({ mirror }) => mirror?.facts.bytes,
  ),
  ...runs("verify", "verify", ["target", "host"], places("verify")),
  ofPlace(
    "verify_missing_files",
    "Files that the last verify missed.",
    ({ verify }) => verify?.facts.missing,
  ),
  ofPlace(
    "verify_damaged_files",
    "Files that the last verify found damaged.",
    ({ verify }) => verify?.facts.damaged,
  ),
  ofPlace(
    "verify_stranger_files",
    "Files that the last verify found and nobody knows.",
    ({ verify }) => verify?.facts.strangers,
  ),
  ...runs("target_verify", "verify of the target as a whole", ["target"], ({ targets }) =>
    Object.entries(targets).map(([target, { verify }]) => [{ target }, verify]),
  ),
  ...runs("drill", "drill", ["target", "host"], places("drill")),
  ...runs("control", "drill against a broken copy", ["target", "host"], places("control")),
  ...runs("thief", "rehearsal of a thief", ["target"], ({ targets }) =>
    Object.entries(targets).map(([target, { thief }]) => [{ target }, thief]),
  ),

  ofGuest(
    "guest_readable",
    "Whether all of the guest's repository could be read.",
    ({ readable }) => readable,
  ),
  ofGuest("guest_snapshots", "The guest's snapshots at the hub.", ({ snapshots }) => snapshots),
  ofGuest(
    "guest_backup_last_timestamp_seconds",
    "When the guest's newest snapshot arrived at the hub.",
    ({ lastBackup }) => lastBackup?.arrived,
  ),
  ofGuest("guest_files", "Files of the guest's repository.", ({ files }) => files),
  ofGuest("guest_size_bytes", "Their sizes together.", ({ bytes }) => bytes),
  ofGuest("guest_disk_bytes", "What they take of the hub's disk.", ({ diskBytes }) => diskBytes),
  ofGuest("guest_limit_bytes", "What the guest may keep.", ({ limitBytes }) => limitBytes),
];

const OUTCOMES: readonly BackupOutcome[] = [
  "ok",
  "unfinished",
  "overdue",
  "never",
  "lost",
  "unknown",
];

/** Null where nothing is known. */
function isOwed(by: "hub" | "target", all: readonly HostAtTarget[]): boolean | null {
  const ages = all.flatMap(({ credential }) => (credential === null ? [] : [credential.age]));
  return ages.length === 0 ? null : ages.includes(by === "hub" ? "next" : "previous");
}

type Labelled<Part> = readonly [labels: Readonly<Record<string, string>>, part: Part];

function one(name: string, help: string, value: (report: StatusReport) => Value): Family {
  return family(name, help, [], (report) => [[{}, value(report)]]);
}

function ofHost(name: string, help: string, value: (host: HostStatus) => Value): Family {
  return family(name, help, ["host"], ({ hosts }) =>
    Object.entries(hosts).map(([host, status]) => [{ host }, value(status)]),
  );
}

function disks(): Family[] {
  const each = (name: string, help: string, value: (disk: DiskStatus) => number): Family =>
    family(`hub_disk_${name}`, help, ["folder"], (report) =>
      report.disks.map((disk) => [{ folder: disk.folder }, value(disk)]),
    );
  return [
    each(
      "size_bytes",
      "The size of the disk that the hub's repositories, the agent's state or the guests' repositories are on; of folders on one disk the first.",
      ({ sizeBytes }) => sizeBytes,
    ),
    each("available_bytes", "What is free on it.", ({ availableBytes }) => availableBytes),
  ];
}

function ofGuest(name: string, help: string, value: (guest: GuestStatus) => Value): Family {
  return family(name, help, ["guest"], ({ guests }) =>
    Object.entries(guests).map(([guest, status]) => [{ guest }, value(status)]),
  );
}

function ofTarget(name: string, help: string, value: (target: TargetStatus) => Value): Family {
  return family(name, help, ["target"], ({ targets }) =>
    Object.entries(targets).map(([target, status]) => [{ target }, value(status)]),
  );
}

function ofPlace(name: string, help: string, value: (place: HostAtTarget) => Value): Family {
  return family(name, help, ["target", "host"], (report) =>
    allPlaces(report).map(([labels, place]) => [labels, value(place)]),
  );
}

function allPlaces({ targets }: StatusReport): Labelled<HostAtTarget>[] {
  return Object.entries(targets).flatMap(([target, { hosts }]) =>
    Object.entries(hosts).map(([host, place]) => [{ target, host }, place] as const),
  );
}

function places(kind: "mirror" | "verify" | "drill" | "control") {
  return (report: StatusReport): Labelled<RunStatus | null>[] =>
    allPlaces(report).map(([labels, place]) => [labels, place[kind]]);
}

/** What there is of every command that keeps results. */
function runs(
  prefix: string,
  what: string,
  labelNames: readonly string[],
  all: (report: StatusReport) => Labelled<RunStatus | null>[],
): Family[] {
  const each = (name: string, help: string, value: (run: RunStatus) => Value): Family =>
    family(`${prefix}_${name}`, help, labelNames, (report) =>
      all(report).map(([labels, run]) => [labels, run === null ? null : value(run)]),
    );
  return [
    each("last_run_timestamp_seconds", `When the last ${what} began.`, (run) => run.started),
    each("last_run_duration_seconds", `How long the last ${what} took.`, (run) => run.seconds),
    each("last_run_success", `Whether the last ${what} succeeded.`, (run) => run.outcome === "ok"),
    each(
      "last_success_timestamp_seconds",
      `When the last ${what} that succeeded began.`,
      (run) => run.lastSuccess,
    ),
  ];
}

function family(
  name: string,
  help: string,
  labelNames: readonly string[],
  values: (report: StatusReport) => Labelled<Value>[],
): Family {
  const samples = (report: StatusReport): Sample[] =>
    values(report).flatMap(([labels, value]) => {
      const number = typeof value === "string" ? Date.parse(value) / 1000 : Number(value);
      return value === null || value === undefined ? [] : [{ labels, value: number }];
    });
  return { name: `offsite_${name}`, help, labelNames, samples };
}
