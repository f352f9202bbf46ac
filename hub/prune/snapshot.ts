import { z } from "zod";

/** A snapshot, as the program that wrote it says. A thief with a host's password writes any. */
export interface Snapshot {
  /** 64 hexadecimal digits; also the name of its file. */
  readonly id: string;
  readonly time: SnapshotTime;
  readonly hostname: string;
  /** Sorted. */
  readonly paths: readonly string[];
  readonly tags: readonly string[];
  /** The root tree's id. */
  readonly tree: string;
  /** The snapshot that it is a copy of, or its own id. */
  readonly original: string;
  /** What was backed up, in bytes; older versions of restic do not say. */
  readonly bytes: number | undefined;
}

/** A moment together with the time zone of who wrote it down. */
export interface SnapshotTime {
  /** RFC 3339, as it is in the repository. */
  readonly text: string;
  /** Nanoseconds since 1970. */
  readonly nanoseconds: bigint;
  /** Milliseconds since 1970. */
  readonly milliseconds: number;
  /** East of Greenwich. */
  readonly offsetMinutes: number;
  /** The day on the writer's calendar, counted from 1970-01-01. */
  readonly day: number;
  /** The month on the writer's calendar: 12 times the year, plus 0 to 11. */
  readonly month: number;
}

export const DAY_MS = 86_400_000;

const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** @throws Error where it is no RFC 3339 time. */
export function parseTime(text: string): SnapshotTime {
  const match = RFC_3339.exec(text);
  const midnight = Date.parse(`${text.slice(0, 10)}T00:00:00Z`);
  if (match === null || Number.isNaN(midnight)) throw new Error(`"${text}" is no time`);
  const number = (at: number): number => Number(match[at] ?? 0);
  const offsetMinutes = (match[8] === "-" ? -1 : 1) * (number(9) * 60 + number(10));
  const minutes = number(4) * 60 + number(5) - offsetMinutes;
  const seconds = BigInt(midnight / 1000 + minutes * 60 + number(6));
  const nanoseconds = seconds * 1_000_000_000n + BigInt((match[7] ?? "").padEnd(9, "0"));
  return {
    text,
    nanoseconds,
    milliseconds: Number(nanoseconds / 1_000_000n),
    offsetMinutes,
    day: midnight / DAY_MS,
    month: number(1) * 12 + number(2) - 1,
  };
}

const snapshotSchema = z
  .object({
    id: z.string().regex(/^[0-9a-f]{64}$/),
    time: z.string(),
    hostname: z.string().default(""),
    paths: z.array(z.string()).nullish(),
    tags: z.array(z.string()).nullish(),
    tree: z.string().nullish(),
    original: z.string().nullish(),
    summary: z.object({ total_bytes_processed: z.number().optional() }).nullish(),
  })
  .transform((found): Snapshot => {
    const { id, hostname } = found;
    return {
      id,
      hostname,
      time: parseTime(found.time),
      paths: (found.paths ?? []).toSorted(),
      tags: found.tags ?? [],
      tree: found.tree ?? "",
      original: found.original ?? id,
      bytes: found.summary?.total_bytes_processed,
    };
  });

/**
 * Reads what `restic snapshots --json` prints.
 *
 * @throws Error where it is something else.
 */
export function parseSnapshots(json: string): Snapshot[] {
  return z.array(snapshotSchema).parse(JSON.parse(json));
}

/** Snapshots by what restic's `forget` groups them by: the host name and the paths in them. */
export function groups(snapshots: Iterable<Snapshot>): Snapshot[][] {
  const found = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    const key = JSON.stringify([snapshot.hostname, snapshot.paths]);
    const group = found.get(key);
    if (group === undefined) found.set(key, [snapshot]);
    else group.push(snapshot);
  }
  return [...found.values()];
}

/** Orders by time, the oldest first. */
export function byTime(a: Snapshot, b: Snapshot): number {
  if (a.time.nanoseconds !== b.time.nanoseconds) {
    return a.time.nanoseconds < b.time.nanoseconds ? -1 : 1;
  }
  return a.id < b.id ? -1 : 1;
}

/** A snapshot in one phrase: `0123abcd of 2026-01-02T03:04:05Z`. */
export function shown(snapshot: Snapshot): string {
  return `${snapshot.id.slice(0, 8)} of ${snapshot.time.text.replace(/\.\d+/, "")}`;
}
