/** Which snapshots a drill restores. */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { counted } from "../format.ts";
import { isFileName } from "../repository/layout.ts";
import { readResults } from "../results.ts";
import type { ReadOnlyRepository } from "./repository.ts";
import { DrillError } from "./report.ts";

const snapshotSchema = z.object({
  id: z.string(),
  time: z.string(),
  hostname: z.string(),
  paths: z.array(z.string()),
});

/** A snapshot as restic lists it. */
export type Snapshot = z.infer<typeof snapshotSchema>;

/** restic itself goes on for a quarter of an hour where a target does not answer. */
const ANSWER_MINUTES = 5;

/** A clock may be so much ahead. */
const SKEW_MS = 3_600_000;

/**
 * Lists the repository's snapshots.
 *
 * @throws DrillError where that fails.
 */
export async function listSnapshots(repository: ReadOnlyRepository): Promise<Snapshot[]> {
  const patience = AbortSignal.timeout(ANSWER_MINUTES * 60_000);
  const result = await repository.run(["snapshots"], undefined, patience);
  if (patience.aborted) {
    throw new DrillError(
      `no answer for ${ANSWER_MINUTES} min: ${result.complaints[0] ?? result.problem}`,
    );
  }
  if (result.exitCode === 12) {
    throw new DrillError(
      "the password of the settings' passwordFiles does not open the repository",
    );
  }
  if (result.exitCode === 10) throw new DrillError("there is no repository");
  if (result.exitCode !== 0) throw new DrillError(`cannot list the snapshots: ${result.problem}`);
  return z.array(snapshotSchema).parse(JSON.parse(result.stdout));
}

/** What is to be restored, the oldest first. */
export interface Choice {
  readonly snapshots: readonly Snapshot[];
  readonly notices: readonly string[];
}

/**
 * Chooses the newest snapshot of each set of paths that the host still backs up: one whose newest
 * snapshot is not more than `overdueHours` older than the newest of all. A client may back up its
 * folders and its database dumps apart. Times in the future are nobody's backup and are left out.
 *
 * @param wanted - a snapshot's id or its beginning: this one and no other.
 * @throws DrillError where there is none to restore.
 */
export function chooseSnapshots(
  all: readonly Snapshot[],
  host: string,
  options: { readonly overdueHours: number; readonly wanted?: string | undefined; now: number },
): Choice {
  if (options.wanted !== undefined) return chooseOne(all, options.wanted);
  const notices: string[] = [];
  const past = all.filter(({ time }) => Date.parse(time) <= options.now + SKEW_MS);
  if (past.length < all.length) {
    notices.push(
      `${counted(all.length - past.length, "snapshot")} with a time in the future left out: forged, or a clock is wrong`,
    );
  }
  const own = past.filter(({ hostname }) => hostname === host);
  if (own.length === 0 && past.length > 0) {
    notices.push(
      `no snapshot says that it is of "${host}"; took those of ${hostNames(past)}, whose repository it is`,
    );
  }
  const newest = new Map<string, Snapshot>();
  for (const snapshot of own.length > 0 ? own : past) {
    const group = JSON.stringify([...snapshot.paths].sort());
    const known = newest.get(group);
    // As moments, since each has its own time zone.
    if (known === undefined || Date.parse(known.time) < Date.parse(snapshot.time)) {
      newest.set(group, snapshot);
    }
  }
  const chosen = [...newest.values()].sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
  const last = chosen.at(-1);
  if (last === undefined) throw new DrillError("the repository holds no snapshot to restore");
  const oldest = Date.parse(last.time) - options.overdueHours * 3_600_000;
  const snapshots = chosen.filter((each) => Date.parse(each.time) >= oldest);
  for (const each of chosen.filter((some) => !snapshots.includes(some))) {
    notices.push(`not restored: ${each.paths.join(", ")}, last backed up ${each.time}`);
  }
  return { snapshots, notices };
}

function chooseOne(all: readonly Snapshot[], wanted: string): Choice {
  const found = all.filter(({ id }) => id.startsWith(wanted));
  if (found.length === 1) return { snapshots: found, notices: [] };
  const count = found.length === 0 ? "no snapshot" : counted(found.length, "snapshot");
  throw new DrillError(`the repository holds ${count} whose id begins with "${wanted}"`);
}

function hostNames(snapshots: readonly Snapshot[]): string {
  return [...new Set(snapshots.map(({ hostname }) => `"${hostname}"`))].join(", ");
}

/**
 * Compares the target's snapshots with those that the hub held when its last completed mirror to
 * the target began: what arrived at the hub before must be at the target.
 *
 * @returns what is wrong, or worth knowing.
 */
export function compareWithHub(
  there: readonly Snapshot[],
  place: {
    readonly state: string;
    readonly repository: string;
    readonly target: string;
    readonly host: string;
  },
): { errors: string[]; notices: string[] } {
  const { state, repository, target, host } = place;
  const mirror = readResults(state, "mirror").find(
    (each) => each.place === target && each.host === host,
  )?.lastSuccess;
  if (mirror == null) {
    return {
      errors: [],
      notices: ["no completed mirror is on record, so the newest is not known"],
    };
  }
  let names: string[];
  try {
    names = readdirSync(join(repository, "snapshots")).filter(isFileName);
  } catch {
    return { errors: [], notices: ["the hub's own repository cannot be read, to compare with it"] };
  }
  const ids = new Set(there.map(({ id }) => id));
  const since = Date.parse(mirror.started);
  const missing = names.filter((name) => {
    const stat = lstatSync(join(repository, "snapshots", name), { throwIfNoEntry: false });
    return stat !== undefined && stat.mtimeMs < since && !ids.has(name);
  });
  if (missing.length === 0) return { errors: [], notices: [] };
  const some = missing.slice(0, 3).map((name) => name.slice(0, 8));
  return {
    errors: [
      `${counted(missing.length, "snapshot")} that the mirror of ${mirror.started} completed with ` +
        `${missing.length === 1 ? "is" : "are"} not there: ${some.join(", ")}${missing.length > 3 ? ", …" : ""}`,
    ],
    notices: [],
  };
}
