import { parseSnapshots, type Snapshot } from "./prune/snapshot.ts";
import { runRestic, type Account, type ResticResult } from "./restic.ts";

/** A repository on the hub's disk, that restic works on as its owner. */
export interface OwnedRepository {
  readonly directory: string;
  /** The owner; undefined where that is this process. */
  readonly account: Account | undefined;
  /**
   * Runs restic on it, without a cache: the repository is on this disk.
   *
   * @throws UsageError where restic cannot be started.
   */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<ResticResult>;
}

/** restic on one repository. */
export function ownedRepository(options: {
  readonly restic: string;
  /** Absolute. */
  readonly directory: string;
  readonly password: string;
  readonly account: Account | undefined;
}): OwnedRepository {
  const { restic: program, directory, password, account } = options;
  return {
    directory,
    account,
    run: (args, env = {}) =>
      runRestic({
        program,
        repository: directory,
        password,
        account,
        args: ["--no-cache", ...args],
        env,
      }),
  };
}

/**
 * Lists a repository's snapshots. It takes no lock.
 *
 * @throws Error where they cannot be read, all of them.
 */
export async function listSnapshots(
  run: OwnedRepository["run"],
  args: readonly string[] = [],
): Promise<Snapshot[]> {
  const result = await run(["snapshots", "--json", "--no-lock", ...args]);
  if (result.exitCode !== 0) throw new Error(reasonOf(result));
  return parseSnapshots(result.stdout);
}

/** Why restic failed, with the way out where there is one. */
export function reasonOf(result: ResticResult): string {
  if (result.exitCode === 12) return "the password does not open the repository";
  if (/no space left on device|disk quota exceeded/i.test(result.problem)) {
    return (
      `${result.problem}. Make room on the hub's disk. Where that cannot be done: stop the mirrors, then ` +
      "run `restic prune --unsafe-recover-no-free-space <note>` as the repository's owner"
    );
  }
  if (/ciphertext verification failed|invalid data returned/.test(result.problem)) {
    return (
      `${result.problem}: a file is damaged, or was written by somebody without the right key. ` +
      "`restic check` names it; look who wrote it, then move it away as the repository's owner"
    );
  }
  return result.problem;
}
