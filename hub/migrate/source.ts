import { lstatSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf, UsageError } from "../errors.ts";
import type { Account } from "../restic.ts";
import { listSnapshots, ownedRepository } from "../restic-repository.ts";
import type { Snapshot } from "../prune/snapshot.ts";

/** The shared repository that is migrated from. Nothing in it is changed, not even a lock. */
export interface Source {
  /** What restic gets as its repository. */
  readonly location: string;
  readonly password: string;
  readonly snapshots: readonly Snapshot[];
  /** When a snapshot's file arrived there, in milliseconds since 1970; undefined if unknown. */
  readonly arrived: (id: string) => number | undefined;
}

/**
 * Where the source is: the path of a folder, or restic's URL of a REST server.
 *
 * @throws UsageError where it is something else.
 */
export function locate(from: string): { location: string; directory: string | undefined } {
  if (from.startsWith("rest:")) {
    if (/^rest:https?:\/\/[^/]*:[^/]*@/.test(from)) {
      throw new UsageError(
        "the URL of --from holds a password, which every account of this machine could see. Give the " +
          "repository's folder, or a URL without a password",
      );
    }
    return { location: from, directory: undefined };
  }
  if (/^[a-z0-9]+:/i.test(from)) {
    throw new UsageError(
      `--from "${from}" cannot be read: give a folder, or rest:http://… of a REST server`,
    );
  }
  const directory = resolve(from);
  return { location: directory, directory };
}

/**
 * Opens the source.
 *
 * @throws UsageError where it cannot be read.
 */
export async function openSource(options: {
  readonly from: string;
  readonly password: string;
  readonly restic: string;
  readonly account: Account | undefined;
}): Promise<Source> {
  const { from, password, restic, account } = options;
  const { location, directory } = locate(from);
  const repository = ownedRepository({ restic, directory: location, password, account });
  try {
    const snapshots = await listSnapshots((args) => repository.run(args));
    const arrived = (id: string): number | undefined => {
      if (directory === undefined) return undefined;
      return lstatSync(join(directory, "snapshots", id), { throwIfNoEntry: false })?.mtimeMs;
    };
    return { location, password, snapshots, arrived };
  } catch (error) {
    const who = account === undefined ? "" : ` as user ${account.uid}, who owns the repositories`;
    throw new UsageError(`cannot read the repository of --from${who}: ${messageOf(error)}`);
  }
}
