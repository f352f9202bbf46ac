import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { z } from "zod";

/** Another process holds the lock. */
export class LockedError extends Error {
  override name = "LockedError";
}

const ownerSchema = z.object({ pid: z.int(), started: z.string(), token: z.string() });

type Owner = z.infer<typeof ownerSchema>;

const SETTLE_MS = 100;

/**
 * Takes a lock that a process which ends loses, however it ends: what a dead process left is taken
 * over.
 *
 * @param path - the lock's file; its folder is made.
 * @param what - what it locks, for the error.
 * @returns gives the lock back.
 * @throws LockedError where a living process holds it.
 */
export async function takeLock(path: string, what: string): Promise<() => void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const owner = ownerOf(process.pid);
  const { token } = owner;
  const own = `${path}.${token}`;
  writeFileSync(own, JSON.stringify(owner), { mode: 0o600 });
  try {
    if (!tryLink(own, path)) {
      const holder = readOwner(path);
      if (holder !== undefined && isAlive(holder)) {
        throw new LockedError(`another offsite-hub (process ${holder.pid}) is at work on ${what}`);
      }
      // Two may find the same dead owner: the later rename wins, and the other sees that it lost.
      renameSync(own, path);
      await setTimeout(SETTLE_MS);
      const winner = readOwner(path);
      if (winner?.token !== token) {
        throw new LockedError(
          `another offsite-hub (process ${winner?.pid ?? "?"}) took over ${what}`,
        );
      }
    }
  } finally {
    rmSync(own, { force: true });
  }
  return releasing(path, token);
}

/**
 * Writes a file that says, until a process ends, that it is there.
 *
 * @param folder - where; the file's name is its own.
 * @param pid - the process; this one unless it is given.
 * @returns takes the file away.
 */
export function writeOwner(folder: string, pid = process.pid): () => void {
  const owner = ownerOf(pid);
  const path = join(folder, owner.token);
  writeFileSync(path, JSON.stringify(owner), { mode: 0o600 });
  return releasing(path, owner.token);
}

/** Whether a living process holds the lock. */
export function isHeld(path: string): boolean {
  const owner = readOwner(path);
  return owner !== undefined && isAlive(owner);
}

/**
 * Ends the processes that files of {@link writeOwner} name, at once, and takes the files away. A
 * process that only has the number of one of them is left alone.
 */
export function endOwners(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) {
    const owner = readOwner(join(folder, name));
    if (owner !== undefined && owner.started !== "" && startOf(owner.pid) === owner.started) {
      process.kill(owner.pid, "SIGKILL");
    }
    rmSync(join(folder, name), { force: true });
  }
}

function ownerOf(pid: number): Owner {
  const token = `${pid}-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  return { pid, started: startOf(pid) ?? "", token };
}

/** What this process holds, to be given back when it ends. */
const held = new Set<() => void>();
process.on("exit", () => {
  for (const release of held) release();
});

function releasing(path: string, token: string): () => void {
  const release = (): void => {
    held.delete(release);
    if (readOwner(path)?.token === token) rmSync(path, { force: true });
  };
  held.add(release);
  return release;
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function readOwner(path: string): Owner | undefined {
  try {
    return ownerSchema.safeParse(JSON.parse(readFileSync(path, "utf8"))).data;
  } catch {
    return undefined;
  }
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  // The number may be another process's by now.
  const started = startOf(owner.pid);
  return started === undefined || owner.started === "" || started === owner.started;
}

/** When a process began, in the kernel's ticks since boot (proc(5), field 22), and which boot. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
    // The second field is a name in parentheses that may hold spaces.
    return `${boot}/${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""}`;
  } catch {
    return undefined;
  }
}
