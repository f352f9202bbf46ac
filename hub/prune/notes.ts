/**
 * What prunes remember of a host beside their results: which snapshots the operator trusts, and how
 * many were removed in each run. Small files below the state folder, replaced in one step.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, UsageError } from "../errors.ts";
import { writeStateFile } from "../state-file.ts";
import { DAY_MS } from "./snapshot.ts";

const trustSchema = z.object({
  version: z.literal(1),
  /** Since when, by snapshot. */
  snapshots: z.record(z.string(), z.iso.datetime()),
});

const historySchema = z.object({
  version: z.literal(1),
  /** Snapshots are forgotten whose data is still to be removed. */
  unfinished: z.boolean(),
  /** When `restic prune` last came to its end. */
  pruned: z.iso.datetime().nullable(),
  /** The last runs that removed snapshots or could have, the newest last. */
  runs: z.array(z.object({ at: z.iso.datetime(), removed: z.number() })),
});

/** How a host's repository was pruned until now. */
export type History = Omit<z.infer<typeof historySchema>, "version">;

const RUNS = 60;
const ALWAYS_ALLOWED = 3;

/**
 * The ids of a host's snapshots that the operator trusts.
 *
 * @throws UsageError where the note is there and cannot be read.
 */
export function readTrusted(state: string, host: string): Map<string, string> {
  const note = read(trustPath(state, host), trustSchema);
  return new Map(Object.entries(note?.snapshots ?? {}));
}

/** Remembers whom the operator trusts. */
export function writeTrusted(
  state: string,
  host: string,
  trusted: ReadonlyMap<string, string>,
): void {
  writeStateFile(trustPath(state, host), { version: 1, snapshots: Object.fromEntries(trusted) });
}

/**
 * How a host was pruned until now.
 *
 * @throws UsageError where the note is there and cannot be read.
 */
export function readHistory(state: string, host: string): History {
  const note = read(historyPath(state, host), historySchema);
  return note ?? { unfinished: false, pruned: null, runs: [] };
}

/** Remembers it. */
export function writeHistory(state: string, host: string, history: History): void {
  const runs = history.runs.slice(-RUNS);
  writeStateFile(historyPath(state, host), { version: 1, ...history, runs });
}

/**
 * Why a removal is more than usual: more than half of all, or more than twice the most that a run
 * has removed, for each day since the last run. A first run has nothing to be compared with but
 * the half. Three are always allowed.
 */
export function unusual(
  removed: number,
  total: number,
  history: History,
  now: number,
): string | undefined {
  if (removed <= ALWAYS_ALLOWED) return undefined;
  if (removed > total / 2) return `that is more than half of all ${total}`;
  const last = history.runs.at(-1);
  if (last === undefined) return undefined;
  const most = Math.max(...history.runs.map((run) => run.removed));
  const days = Math.max(1, (now - Date.parse(last.at)) / DAY_MS);
  const limit = Math.max(ALWAYS_ALLOWED, Math.floor(2 * most * days));
  if (removed <= limit) return undefined;
  return `no run before removed more than ${most}, and ${limit} would be usual today`;
}

function trustPath(state: string, host: string): string {
  return join(state, "trusted", `${host}.json`);
}

function historyPath(state: string, host: string): string {
  return join(state, "prune", `${host}.json`);
}

function read<Schema extends z.ZodType>(path: string, schema: Schema) {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UsageError(`cannot read "${path}": ${messageOf(error)}`);
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new UsageError(`"${path}" is not what offsite-hub wrote. Look at it, then remove it`);
  }
}
