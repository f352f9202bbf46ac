/**
 * What `offsite-hub status --json` writes, and what the capability `backup-status` answers. It
 * changes only compatibly: properties may be added. Times are ISO 8601 in UTC, durations are
 * seconds, sizes are bytes.
 */
import type { CertificateFacts, Facts, KeyFacts, ResultKind } from "../results.ts";
import type { CredentialAge } from "../targets/target.ts";

/** The hub, its hosts and its targets, as the agent knows them without asking any target. */
export interface StatusReport {
  readonly version: 1;
  /** When the report was made. */
  readonly time: string;
  /** The stack whose manifest this is. */
  readonly stack: string;
  /** The hub's host name. */
  readonly hub: string;
  /** Whether `problems` is empty. */
  readonly healthy: boolean;
  /** All that is not as it must be, one line each, with the way out. */
  readonly problems: readonly string[];
  /** What is worth knowing and no problem, one line each. */
  readonly notices: readonly string[];
  /** After how many seconds something is overdue. */
  readonly thresholds: Thresholds;
  /** The disks that the hub's files are on, each once. */
  readonly disks: readonly DiskStatus[];
  /** Every host of the manifest, by name. */
  readonly hosts: Readonly<Record<string, HostStatus>>;
  /** Every target of the manifest, by name. */
  readonly targets: Readonly<Record<string, TargetStatus>>;
  /** Every guest of the manifest, by name; empty where the report is of some hosts alone. */
  readonly guests: Readonly<Record<string, GuestStatus>>;
  /** Repositories at the hub that belong to no host of the manifest: nobody mirrors them. */
  readonly unowned: readonly UnownedRepository[];
}

/** Ages in seconds above which something is overdue. */
export interface Thresholds {
  /** A host's newest snapshot, and what a target holds of a host. */
  readonly backup: number;
  readonly verify: number;
  readonly drill: number;
  readonly prune: number;
  /** A guest's newest snapshot. */
  readonly guest: number;
}

/** A disk of the hub's, by the folder that is on it; of several folders by the first. */
export interface DiskStatus {
  readonly folder: "repositories" | "state" | "guests";
  readonly sizeBytes: number;
  /** What an ordinary user may still write. */
  readonly availableBytes: number;
}

/**
 * How a host's backups stand, the worst first:
 * - `unknown`: its repository cannot be read;
 * - `lost`: the hub has no snapshot of it any more, while a target got some from here;
 * - `never`: the hub has never had a snapshot of it;
 * - `overdue`: the newest snapshot arrived too long ago;
 * - `unfinished`: data arrived after the newest snapshot, and then nothing more: a backup was cut off;
 * - `ok`.
 */
export type BackupOutcome = "ok" | "unfinished" | "overdue" | "never" | "lost" | "unknown";

/** One host, as its repository at the hub shows it. */
export interface HostStatus {
  /** Whether the hub holds a repository of it, with or without snapshots. */
  readonly seen: boolean;
  /** Whether all of its repository could be read. */
  readonly readable: boolean;
  readonly outcome: BackupOutcome;
  /** Whether a restic is at work on the repository, judged by its lock, or data is arriving. */
  readonly active: boolean;
  /** Of the newest snapshot; null where there is none. */
  readonly lastBackup: LastBackup | null;
  readonly snapshots: number;
  /** Files of the repository, and their sizes together. */
  readonly files: number;
  readonly bytes: number;
  /** Files and folders that the hub's server cannot read or does not own. */
  readonly foreign: number;
  /** The last prune, at the hub. */
  readonly prune: RunStatus<"prune"> | null;
  /** The last verify of the hub's own files. */
  readonly verify: RunStatus<"verify"> | null;
}

/** The newest snapshot of a host: the one whose file arrived at the hub last. */
export interface LastBackup {
  /** The snapshot's id. */
  readonly snapshot: string;
  /** When its file arrived at the hub, by the hub's own clock. */
  readonly arrived: string;
  readonly ageSeconds: number;
  /** From here on: what the snapshot says of itself; null without the repository's password. */
  readonly started: string | null;
  readonly seconds: number | null;
  /** The size of what was backed up. */
  readonly bytesProcessed: number | null;
  /** What it added to the repository. */
  readonly bytesAdded: number | null;
}

/** The last run of a command, and when one last succeeded. */
export interface RunStatus<Kind extends ResultKind = ResultKind> {
  readonly started: string;
  readonly seconds: number;
  readonly outcome: "ok" | "failed";
  /** One line each; empty where it succeeded. */
  readonly errors: readonly string[];
  /** When the last run that succeeded began; null where none did. */
  readonly lastSuccess: string | null;
  /** What the last run counted; `results.ts` says of what. */
  readonly facts: Facts<Kind>;
}

/** One target. */
export interface TargetStatus {
  /** `b2` or `rest-server`. */
  readonly type: string;
  /** Whether it answered the last mirror or verify; null where there was none. */
  readonly reachable: boolean | null;
  /** Whether every host that the hub has snapshots of is fresh there. */
  readonly fresh: boolean;
  /** The oldest `freshAsOf` of these hosts; null where one has none. */
  readonly freshAsOf: string | null;
  /** Of all hosts together. */
  readonly waitingFiles: number;
  readonly waitingBytes: number;
  /** What says most about a deployment that is owed: previous, then next, then current. */
  readonly credential: CredentialStatus | null;
  /** The hub's keys to a cloud target; empty for others, and until a verify has looked. */
  readonly keys: readonly KeyStatus[];
  /** Where it has TLS: the certificate that it showed a verify last; null where none was seen. */
  readonly certificate: CertificateStatus | null;
  /** What all hosts' repositories may hold there together; null where it has no limit. */
  readonly limitBytes: number | null;
  /** The last verify of the target as a whole; each host has its own. */
  readonly verify: RunStatus<"verify"> | null;
  /** The last rehearsal of a thief at it (`drill --thief`). */
  readonly thief: RunStatus<"thief"> | null;
  readonly hosts: Readonly<Record<string, HostAtTarget>>;
}

/** The credential that a target accepted last. */
export interface CredentialStatus {
  /** Which of those that the hub holds; whatever is not `current` is a deployment owed. */
  readonly age: CredentialAge;
  /** Its generation; null where that is not known. */
  readonly generation: number | null;
  /** When the target last accepted it; null where that is not known. */
  readonly lastUsed: string | null;
}

/** One of the hub's keys at a cloud target, as the last verify found it. */
export interface KeyStatus {
  /** `current` and `next` are the mirror's. */
  readonly role: KeyFacts["role"];
  readonly generation: number;
  /** Whether the service accepted it. */
  readonly accepted: boolean;
  /** When it ends by itself; null where it does not, or where that is not known. */
  readonly expires: string | null;
}

/** A server's certificate. */
export interface CertificateStatus extends CertificateFacts {
  /** When the verify began that saw it. */
  readonly seen: string;
}

/** What is known of one host at one target. */
export interface HostAtTarget {
  /** Whether `freshAsOf` is known and no older than the threshold. */
  readonly fresh: boolean;
  /**
   * The target holds all that the hub held at this time: the start of the last mirror that was
   * completed and verified. Null where there is none, or where a verify has found it wanting since.
   */
  readonly freshAsOf: string | null;
  /** Snapshots that are at the hub and known to be there. */
  readonly snapshots: number;
  /** Files of the hub that are not known to be there, and their sizes together. */
  readonly waitingFiles: number;
  readonly waitingBytes: number;
  /** What the target held of the host when it was last listed; null where that is not known. */
  readonly heldBytes: number | null;
  /**
   * Snapshots that the last complete mirror saw, that the retention keeps, and that the hub has no
   * more; 0 where they are no more than chance explains, null where the hub cannot be read.
   */
  readonly lostSnapshots: number | null;
  readonly credential: CredentialStatus | null;
  readonly mirror: RunStatus<"mirror"> | null;
  readonly verify: RunStatus<"verify"> | null;
  readonly drill: RunStatus<"drill"> | null;
  /** The last drill against a copy that was broken on purpose (`drill --control`). */
  readonly control: RunStatus<"control"> | null;
}

/** A repository at the hub that belongs to no host of the manifest. */
export interface UnownedRepository {
  /** Its folder below the hub's repositories; `.` is that folder itself. */
  readonly path: string;
  readonly snapshots: number;
  readonly bytes: number;
  /** When its newest snapshot arrived; null where it has none. */
  readonly lastArrived: string | null;
}

/** Somebody else's machine that keeps its backups at the hub, as its files show it. */
export interface GuestStatus {
  /** Whether it has made its repository. */
  readonly seen: boolean;
  /** Whether all of it could be read. */
  readonly readable: boolean;
  /** Of the snapshot that arrived last, by the hub's own clock; null where there is none. */
  readonly lastBackup: { readonly arrived: string; readonly ageSeconds: number } | null;
  readonly snapshots: number;
  /** Its files and their sizes together, which the limit is for. */
  readonly files: number;
  readonly bytes: number;
  /** What they take of the disk. */
  readonly diskBytes: number;
  /** What it may keep. */
  readonly limitBytes: number;
}
