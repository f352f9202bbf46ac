/**
 * What the agent's commands ask of an offsite place, whatever its type. Nothing here deletes; where
 * a target keeps what is hidden for a time, files can be hidden.
 */
import { CANARY } from "../../config/canary.ts";
import type { HashedKind, RepositoryFile } from "../repository/layout.ts";
import { HASHED_KINDS } from "../repository/layout.ts";
import { NameTable } from "../repository/name-table.ts";

/** Which of the credentials that the hub holds a target accepted. */
export type CredentialAge = "current" | "next" | "previous";

/** A credential that a target has accepted. */
export interface AcceptedCredential {
  readonly age: CredentialAge;
  readonly generation: number;
  /** When the target last accepted it. */
  readonly at: Date;
}

/** How far the generation of a credential is from the one that the hub calls current. */
export const GENERATION_OFFSETS = { previous: -1, current: 0, next: 1 } as const;

/** Says that a deployment is owed, where a target accepted another credential than the current one. */
export function owedDeployment(age: Exclude<CredentialAge, "current">): string {
  const who = age === "next" ? "the hub" : "the target";
  return `accepted the ${age} credential, not the current one: ${who} still owes a deployment. Deploy it before the next rotation`;
}

/** What a target says of a repository's `config` without its password. */
export interface RemoteConfig {
  readonly size: number;
  /** Its bytes, where the target type reads them. */
  readonly content?: Buffer;
  /** The SHA-1 of its bytes in hexadecimal, where the target's listing has it. */
  readonly sha1?: string;
}

/** What a target holds of one host's repository. The mirror keeps it up to date as it sends. */
export interface Inventory {
  config: RemoteConfig | undefined;
  readonly files: Readonly<Record<HashedKind, NameTable>>;
  /** What the listing shows beside the files that are mirrored, where it shows such. */
  readonly oddities?: Oddities;
}

const PATHS_KEPT = 5;

/** What somebody or something left in a repository: nothing that the mirror sent. */
export class Oddities {
  /** Locks of restic. */
  locks = 0;
  /** Files that are none of a repository, unfinished ones among them. */
  unknown = 0;
  /** The paths of the first few of them, below the repository. */
  readonly paths: string[] = [];

  /** @param path - below the repository. */
  add(path: string): void {
    if (path.startsWith(`${CANARY}/`)) return;
    if (/^locks\/[0-9a-f]{64}$/.test(path)) {
      this.locks += 1;
      return;
    }
    this.unknown += 1;
    if (this.paths.length < PATHS_KEPT) this.paths.push(path);
  }

  /** Adds what was found elsewhere in the repository. */
  addAll({ locks, unknown, paths }: Oddities): void {
    this.locks += locks;
    this.unknown += unknown;
    this.paths.push(...paths.slice(0, PATHS_KEPT - this.paths.length));
  }
}

/** What became of one file that was to be sent. */
export type SendResult =
  /** It is at the target now. */
  | { readonly result: "sent" }
  /** It was already at the target, with its size; nothing was sent. */
  | { readonly result: "present" }
  /** It is no longer at the hub; nothing was sent. */
  | { readonly result: "vanished" }
  /** It is not what its name says; the target does not have it. */
  | { readonly result: "rotten"; readonly reason: string }
  /** It could not be read, or the target refused it. */
  | { readonly result: "failed"; readonly reason: string };

/** Told what happens to files while they are sent. */
export interface SendObserver {
  /** So many more bytes have been handed over; they may have to be sent again. */
  bytes(count: number): void;
  /** What became of a file. Called at most once a file. */
  done(file: RepositoryFile, result: SendResult): void;
}

/** The target, or one host's part of it, cannot be worked with for the rest of the run. */
export class StopError extends Error {
  override name = "StopError";
  readonly scope: "host" | "target";

  constructor(scope: "host" | "target", message: string) {
    super(message);
    this.scope = scope;
  }
}

/** One offsite place. */
export interface Target {
  /** Its name in the manifest. */
  readonly name: string;
  /** How many bytes all its repositories may hold together; undefined where there is no limit. */
  readonly maxBytes: number | undefined;
  /**
   * Hosts are mirrored together, phase by phase, up to so many bytes to send: a target whose calls
   * cost takes many hosts at a time.
   */
  readonly groupBytes: number;
  /**
   * Whether sending a file over one of another size keeps the old one recoverable. Where it is
   * false, such a file cannot be mended with the hub's credential.
   */
  readonly replaces: boolean;
  /**
   * Lists what the target holds of each host, all of it before anything is sent.
   *
   * @returns for every host its inventory, empty where there is no repository, or why there is none.
   */
  inventory(hosts: readonly string[]): Promise<Map<string, Inventory | Error>>;
  /**
   * What the last inventory showed beside the hosts that were asked for: top-level folders, with the
   * number of their files. Undefined where the target does not tell.
   */
  readonly others?: ReadonlyMap<string, number>;
  /**
   * Sends files, several at a time, in any order. A file is at the target whole and as its name
   * says, or not at all.
   *
   * @throws StopError where going on is pointless. Files that the observer has not heard of by
   * then are not at the target.
   */
  send(files: Iterable<RepositoryFile>, observer: SendObserver): Promise<void>;
  /**
   * Hides files, in any order, so that listings no longer have them and they can be brought back
   * for a time. Left out where the target has no such thing.
   *
   * @param files - only these; none of them is `config`.
   * @returns those of them that the target has confirmed, and why others are not among them. It does
   * not throw.
   */
  hide?(
    files: readonly RepositoryFile[],
  ): Promise<{ hidden: ReadonlySet<RepositoryFile>; reason: string | undefined }>;
  /** The credential that the target accepted for the host, once it has accepted one. */
  credential(host: string): AcceptedCredential | undefined;
  /** Lets go of connections. */
  close(): Promise<void>;
}

/** An inventory of nothing. */
export function emptyInventory(): Inventory {
  const tables = HASHED_KINDS.map((kind) => [kind, new NameTable()] as const);
  const files = Object.fromEntries(tables) as Record<HashedKind, NameTable>;
  return { config: undefined, files, oddities: new Oddities() };
}
