/**
 * A restic repository as a set of files: which kinds there are, how they are named, and where they
 * are. Source: restic's "References: Repository Format".
 */

/**
 * The kinds of file that are mirrored, in the order in which they are sent. Locks are not among
 * them: they belong to the processes that work on one copy of a repository.
 */
export const KINDS = ["keys", "config", "data", "index", "snapshots"] as const;

/** One kind of file of a repository. */
export type Kind = (typeof KINDS)[number];

/** The kinds whose files are named by the SHA-256 of their content: all but `config`. */
export const HASHED_KINDS = ["keys", "data", "index", "snapshots"] as const;

/** A kind whose files are named by the SHA-256 of their content. */
export type HashedKind = (typeof HASHED_KINDS)[number];

/** One file of a host's repository at the hub. */
export interface RepositoryFile {
  readonly host: string;
  readonly kind: Kind;
  /** 64 lower-case hexadecimal digits, or "config". */
  readonly name: string;
  /** Its size in bytes when it was listed. */
  readonly size: number;
}

const NAME = /^[0-9a-f]{64}$/;

/**
 * Whether this is the name of a finished file: 64 lower-case hexadecimal digits. Temporary files of
 * rest-server and restic have other names.
 */
export function isFileName(name: string): boolean {
  return NAME.test(name);
}

/** The path of a file below its repository, with slashes: `data/ab/ab01…`, `config`. */
export function pathOf(kind: Kind, name: string): string {
  if (kind === "config") return "config";
  return kind === "data" ? `data/${name.slice(0, 2)}/${name}` : `${kind}/${name}`;
}

/**
 * The reverse of {@link pathOf}.
 *
 * @returns undefined for a path that is no finished file of a mirrored kind: locks, temporary
 * files, a pack in the folder of another prefix.
 */
export function parsePath(path: string): { kind: Kind; name: string } | undefined {
  if (path === "config") return { kind: "config", name: "config" };
  const parts = path.split("/");
  const name = parts.at(-1) ?? "";
  const kind = HASHED_KINDS.find((each) => each === parts[0]);
  if (kind === undefined || !isFileName(name)) return undefined;
  return path === pathOf(kind, name) ? { kind, name } : undefined;
}
