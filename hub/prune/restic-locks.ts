/**
 * restic's own locks in a repository. A restic that was killed leaves one, and it would keep every
 * prune out. Only those go that no living process can hold any longer.
 */
import { lstatSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { excerpt } from "../format.ts";
import { isFileName } from "../repository/layout.ts";
import type { OwnedRepository } from "../restic-repository.ts";

/** What became of the locks. */
export interface LocksFound {
  /** Those that were removed, as phrases. */
  readonly removed: string[];
  /** Who holds the others, as phrases. */
  readonly held: string[];
}

const lockSchema = z.object({
  time: z.string(),
  exclusive: z.boolean(),
  hostname: z.string(),
  username: z.string().default("?"),
  pid: z.number(),
});

type Lock = z.infer<typeof lockSchema>;

const MINUTE_MS = 60_000;
/** restic writes its lock anew every 5 minutes and gives up where it could not for 22. */
const GIVEN_UP_MS = 60 * MINUTE_MS;
/** How the clock of a process's start and the file system's may differ. */
const TOLERANCE_MS = MINUTE_MS;

/**
 * Removes the locks of processes that are gone: of this machine, where there is no such process any
 * longer; of another, or where a lock cannot be read, where its file is an hour old.
 *
 * @param dryRun - only look.
 */
export async function clearStaleLocks(
  repository: OwnedRepository,
  dryRun: boolean,
): Promise<LocksFound> {
  const found: LocksFound = { removed: [], held: [] };
  for (const id of lockNames(repository.directory)) {
    const path = join(repository.directory, "locks", id);
    const lock = await readLock(repository, id);
    // Looked at after it was read: a lock is never written twice, so it is this lock's age.
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    const age = Date.now() - stat.mtimeMs;
    const who = `${describe(lock)}, last renewed ${stat.mtime.toISOString()}`;
    if (isStale(lock, age)) {
      if (!dryRun) rmSync(path, { force: true });
      found.removed.push(who);
    } else {
      found.held.push(who);
    }
  }
  return found;
}

function isStale(lock: Lock | undefined, age: number): boolean {
  if (lock?.hostname !== hostname()) return age > GIVEN_UP_MS;
  return !isAlive(lock.pid, Date.now() - age);
}

function describe(lock: Lock | undefined): string {
  if (lock === undefined) return "a lock that cannot be read";
  return excerpt(`process ${lock.pid} of ${lock.username} on ${lock.hostname}`);
}

async function readLock(repository: OwnedRepository, id: string): Promise<Lock | undefined> {
  const { stdout } = await repository.run(["cat", "lock", id, "--no-lock"]);
  try {
    return lockSchema.parse(JSON.parse(stdout));
  } catch {
    return undefined;
  }
}

function lockNames(directory: string): string[] {
  try {
    return readdirSync(join(directory, "locks")).filter(isFileName);
  } catch {
    return [];
  }
}

/** Whether the process that was alive at a time, in milliseconds since 1970, still is. */
function isAlive(pid: number, then: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const seen = look(pid);
  if (seen === undefined) return true;
  // Ended, and nobody asked for its exit code yet; or the number is another process's by now.
  return !"ZX".includes(seen.state) && seen.started <= then + TOLERANCE_MS;
}

/** A process's state, and when it began (proc(5): stat, fields 2, 3 and 22, and btime). */
function look(pid: number): { state: string; started: number } | undefined {
  try {
    const boot = /^btime (\d+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1];
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields[0], fields[19]];
    if (boot === undefined || state === undefined || ticks === undefined) return undefined;
    return { state, started: (Number(boot) + Number(ticks) / 100) * 1000 };
  } catch {
    return undefined;
  }
}
