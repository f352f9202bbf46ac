/**
 * What snapshots say of themselves, which only restic can read, with the repository's password. A
 * snapshot never changes, so each is asked about once and remembered in the state folder.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { messageOf, UsageError } from "../errors.ts";
import { counted } from "../format.ts";
import { pathOf } from "../repository/layout.ts";
import { readPassword, runRestic } from "../restic.ts";
import { passwordFileOf, type Settings } from "../settings.ts";

const detailsSchema = z.object({
  /** The time that the client gave it: when the backup began. */
  time: z.iso.datetime(),
  hostname: z.string(),
  paths: z.array(z.string()),
  tags: z.array(z.string()),
  /** From restic's summary of the backup; null where a restic before 0.17 made it. */
  summary: z
    .object({
      started: z.iso.datetime(),
      seconds: z.number(),
      /** Files and bytes that were backed up, and bytes that had to be stored for it. */
      files: z.number(),
      bytes: z.number(),
      bytesAdded: z.number(),
    })
    .nullable(),
});

/** What a snapshot says of itself. Times are ISO 8601 in UTC. */
export type SnapshotDetails = z.infer<typeof detailsSchema>;

/** What could be learnt about a host's snapshots. */
export interface Details {
  /** By snapshot id; empty without the repository's password. */
  readonly snapshots: ReadonlyMap<string, SnapshotDetails>;
  /** Files that are called snapshots and that restic cannot read as such. */
  readonly unreadable: ReadonlySet<string>;
  /** Why there is less than asked for, though nothing is wrong with the repository. */
  readonly notice?: string;
  /** What is wrong with the repository or its password. */
  readonly problem?: string;
}

/** Where and how to ask about a host's snapshots. */
export interface DetailsOptions {
  readonly host: string;
  /** Its repository at the hub. */
  readonly directory: string;
  /** The ids of the snapshots that are there. */
  readonly ids: ReadonlySet<string>;
  /** They say which file has the repository's password, where the hub has it. */
  readonly settings: Settings;
  readonly state: string;
  readonly restic: string;
  /** Ends the asking, of this host and of others. */
  readonly deadline: AbortSignal;
}

/** How long to ask about all hosts together: a capability's caller gives up after 30 seconds. */
export const DETAILS_MS = 20_000;

const cacheSchema = z.object({
  version: z.literal(1),
  snapshots: z.record(z.string(), detailsSchema),
});

/** Asks restic about those snapshots that are not remembered yet. It changes no repository. */
export async function snapshotDetails(options: DetailsOptions): Promise<Details> {
  const { host, ids, settings } = options;
  const passwordFile = passwordFileOf(settings.passwordFiles, host);
  if (passwordFile === undefined) return { snapshots: new Map(), unreadable: new Set() };
  const path = join(options.state, "snapshot-details", `${host}.json`);
  const known = { snapshots: recall(path, ids), unreadable: new Set<string>() };
  if (known.snapshots.size === ids.size) return known;
  const lacking = "no details of its newest snapshots";
  try {
    const { found, problem } = await ask(options, readPassword(passwordFile));
    if (found.size > 0) remember(options.state, path, found);
    const snapshots = new Map([...known.snapshots, ...found]);
    if (options.deadline.aborted) {
      return {
        ...known,
        snapshots,
        notice: `${lacking}: no time was left for restic; run it again`,
      };
    }
    if (problem !== undefined) return { ...known, snapshots, problem };
    const unreadable = [...ids].filter((id) => !snapshots.has(id) && isThere(options, id));
    if (unreadable.length === 0) return { ...known, snapshots };
    return { snapshots, unreadable: new Set(unreadable), problem: damaged(unreadable) };
  } catch (error) {
    const message = `${lacking}: ${messageOf(error)}`;
    return {
      ...known,
      ...(error instanceof UsageError ? { notice: message } : { problem: message }),
    };
  }
}

/** @throws UsageError where restic cannot be started. */
async function ask(
  { directory, ids, restic, deadline }: DetailsOptions,
  password: string,
): Promise<{ found: Map<string, SnapshotDetails>; problem?: string }> {
  if (deadline.aborted) return { found: new Map() };
  const { exitCode, stdout, problem } = await runRestic({
    program: restic,
    repository: directory,
    password,
    args: ["snapshots", "--json", "--no-lock", "--no-cache"],
    signal: deadline,
  });
  const found = parse(stdout, ids);
  if (exitCode === 0) return { found };
  return { found, problem: `restic cannot read its snapshots: ${problem}` };
}

/** One that was forgotten meanwhile is no longer there. */
function isThere({ directory }: DetailsOptions, id: string): boolean {
  return existsSync(join(directory, pathOf("snapshots", id)));
}

function damaged(ids: readonly string[]): string {
  const names = ids.slice(0, 3).map((id) => id.slice(0, 8));
  const more = ids.length > names.length ? `, and ${ids.length - names.length} more` : "";
  return `${counted(ids.length, "file")} of its snapshots cannot be read as such (${names.join(", ")}${more}): damaged, or not restic's; see "restic check"`;
}

const date = z
  .string()
  .transform((text) => new Date(text))
  .refine((value) => !Number.isNaN(value.getTime()));

// restic's documentation, "Scripting", snapshots.
const resticSchema = z.object({
  id: z.string(),
  time: date,
  hostname: z.string().default(""),
  paths: z.array(z.string()).default([]),
  tags: z.array(z.string()).nullish(),
  summary: z
    .object({
      backup_start: date,
      backup_end: date,
      total_files_processed: z.number(),
      total_bytes_processed: z.number(),
      data_added: z.number(),
      data_added_packed: z.number().optional(),
    })
    .nullish()
    // Of a client of another version: the rest is still good.
    .catch(null),
});

function parse(stdout: string, ids: ReadonlySet<string>): Map<string, SnapshotDetails> {
  const found = new Map<string, SnapshotDetails>();
  let values: unknown;
  try {
    values = JSON.parse(stdout);
  } catch {
    return found;
  }
  for (const value of Array.isArray(values) ? values : []) {
    const { data } = resticSchema.safeParse(value);
    if (data === undefined || !ids.has(data.id)) continue;
    const { summary } = data;
    found.set(data.id, {
      time: data.time.toISOString(),
      hostname: data.hostname,
      paths: data.paths,
      tags: data.tags ?? [],
      summary: summary
        ? {
            started: summary.backup_start.toISOString(),
            seconds: (summary.backup_end.getTime() - summary.backup_start.getTime()) / 1000,
            files: summary.total_files_processed,
            bytes: summary.total_bytes_processed,
            bytesAdded: summary.data_added_packed ?? summary.data_added,
          }
        : null,
    });
  }
  return found;
}

function recall(path: string, ids: ReadonlySet<string>): Map<string, SnapshotDetails> {
  try {
    const { snapshots } = cacheSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    return new Map(Object.entries(snapshots).filter(([id]) => ids.has(id)));
  } catch {
    return new Map();
  }
}

/**
 * Keeps them for the next time, in a state folder of this process's own user: in another's, its
 * owner could not replace them.
 */
function remember(
  state: string,
  path: string,
  snapshots: ReadonlyMap<string, SnapshotDetails>,
): void {
  const temporary = `${path}.${process.pid}`;
  try {
    if (statSync(state).uid !== process.getuid?.()) return;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const content = { version: 1, snapshots: Object.fromEntries(snapshots) };
    writeFileSync(temporary, JSON.stringify(content), { mode: 0o600 });
    renameSync(temporary, path);
  } catch {
    // The next run asks restic again.
  }
}
