/**
 * One lock a repository of the hub, between all commands: who changes it holds it alone, who reads
 * it shares it. And one lock a target, for who writes there or judges what is there.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { endOwners, isHeld, LockedError, takeLock, writeOwner } from "./lock.ts";

/** How long to wait for a lock that another process holds. */
export interface Patience {
  readonly seconds: number;
  /** Called once, before the first wait. */
  readonly onWait?: (reason: string) => void;
}

const POLL_MS = 500;

/**
 * Takes the lock of a host's repository at the hub.
 *
 * @param mode - `shared` to read it, `exclusive` to change it.
 * @returns gives the lock back.
 * @throws LockedError where another process held it for all of the time.
 * @throws Error where the state folder cannot be written.
 */
export async function lockRepository(
  state: string,
  host: string,
  mode: "shared" | "exclusive",
  patience: Patience,
): Promise<() => void> {
  const path = join(state, "locks", "repositories", `${host}.lock`);
  const readers = `${path}.readers`;
  return await waiting(state, patience, async () => {
    if (mode === "shared") return shareLock(path, readers, host);
    const release = await takeLock(path, `the repository of "${host}"`);
    // New readers find the lock from now on; it remains to look for those that were here before.
    const reader = readersOf(readers).find((each) => isHeld(join(readers, each)));
    if (reader === undefined) return release;
    release();
    throw new LockedError(`another offsite-hub reads the repository of "${host}"`);
  });
}

/**
 * Takes the lock of a target.
 *
 * @throws LockedError where another process held it for all of the time.
 */
export async function lockTarget(
  state: string,
  target: string,
  patience: Patience,
): Promise<() => void> {
  const path = join(state, "locks", "targets", `${target}.lock`);
  return await waiting(state, patience, () => takeLock(path, `target "${target}"`));
}

/**
 * The folder in which programs that work at a target for this agent are written down. When the
 * agent is killed they may live on for a while.
 */
export function childrenOf(state: string, target: string): string {
  return join(state, "locks", "targets", `${target}.children`);
}

/** Ends what a killed agent left working at a target. To be called by who has the target's lock. */
export function endChildren(state: string, target: string): void {
  endOwners(childrenOf(state, target));
}

function shareLock(path: string, readers: string, host: string): () => void {
  mkdirSync(readers, { recursive: true, mode: 0o700 });
  const release = writeOwner(readers);
  // Whoever takes the lock looks for readers after it has it: at least one of the two notices.
  if (!isHeld(path)) return release;
  release();
  throw new LockedError(`another offsite-hub changes the repository of "${host}"`);
}

/** Names of the readers; those of dead processes are cleared away. */
function readersOf(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.filter((name) => {
    if (isHeld(join(folder, name))) return true;
    rmSync(join(folder, name), { force: true });
    return false;
  });
}

async function waiting(
  state: string,
  patience: Patience,
  take: () => Promise<() => void> | (() => void),
): Promise<() => void> {
  const until = performance.now() + patience.seconds * 1000;
  for (let first = true; ; first = false) {
    try {
      return await take();
    } catch (error) {
      if (!(error instanceof LockedError)) {
        throw new Error(`cannot write below the state folder "${state}"`, { cause: error });
      }
      if (performance.now() >= until) throw error;
      if (first) patience.onWait?.(error.message);
    }
    await setTimeout(Math.min(POLL_MS, Math.max(1, until - performance.now())));
  }
}
