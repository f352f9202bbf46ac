/** What a look at a peer found, as `look.sh` prints it: one fact a line. */
import {
  containerSchema,
  imageSchema,
  otherSchema,
  type Container,
  type Image,
  type OtherContainer,
} from "./container.ts";

/** A file or folder. */
export interface PathFact {
  /** As stat(1) calls it: `directory`, `regular file`; `nothing` at the end of a dead link. */
  readonly kind: string;
  /** The permissions, without setuid and the like. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Where it leads to, when it is a symbolic link; the other facts are of what is there. */
  readonly link?: string;
}

export type PathName =
  "data_dir" | "repositories" | "server" | "auth" | "htpasswd" | "compose" | "project";

/** A repository at the peer. */
export interface RepositoryFact {
  readonly name: string;
  readonly snapshots: number;
  /** When the newest snapshot's file was written; none where there is no snapshot. */
  readonly newest?: Date;
}

/** All that a look found. Text in it may come from anybody: `printable` before it is shown. */
export interface PeerFacts {
  /** The peer's clock. */
  readonly now: Date;
  /** Whether the machine has the address that the server listens on. */
  readonly hasAddress: boolean;
  /** What `systemctl is-enabled docker` says; undefined where there is no systemd. */
  readonly boot?: string;
  /** Who listens on the server's port, as ss(8) shows it; empty when nobody does. */
  readonly listener: string;
  readonly paths: Readonly<Partial<Record<PathName, PathFact>>>;
  /** Whether nothing of a server is there. */
  readonly empty: boolean;
  /** Whether the server's folder is this server's, whatever its mark says. */
  readonly ours: boolean;
  /** The project that the mark names. */
  readonly owner?: string;
  readonly sha256: { readonly compose?: string; readonly htpasswd?: string };
  /** The compose file's text. */
  readonly compose?: string;
  readonly pending: boolean;
  /** Whether the server has another network than its tunnel. */
  readonly apart: boolean;
  /** Whether the last installation left a footprint to compare with. */
  readonly footprint: boolean;
  /** What is not as in the footprint: `htpasswd`, `sha256.compose`, `data_dir` … */
  readonly changed: ReadonlySet<string>;
  /** The engine's version, `missing` or `silent`. */
  readonly engine: string;
  readonly containers: readonly Container[];
  /** By container: the image that its name stands for now. */
  readonly images: ReadonlyMap<string, Image>;
  /** When the certificate is good that is shown to clients; none where none is shown. */
  readonly certificate?: { readonly from: Date; readonly until: Date };
  /** Those that can be asked. */
  readonly running: ReadonlySet<string>;
  /** Folders that the container has mounted, and that are another folder by now. */
  readonly detached: readonly string[];
  /** What the server answered to `nobody` and to a `stranger`: a status, or empty. */
  readonly answers: ReadonlyMap<string, string>;
  readonly impostors: readonly string[];
  /** Doors that prune opened, with their end. */
  readonly doors: readonly { readonly name: string; readonly until?: Date }[];
  readonly others: readonly OtherContainer[];
  /** Free bytes where the repositories are. */
  readonly free?: number;
  /** Bytes of all repositories; after a thorough look. */
  readonly used?: number;
  /** Where a disk belongs that is not mounted, and the backups with it. */
  readonly unmounted?: string;
  readonly readOnly: boolean;
  /** The first file in the repositories that the server cannot use. */
  readonly unusable?: string;
  /** A symbolic link among the repositories. */
  readonly link?: string;
  /** After a thorough look. */
  readonly repositories: readonly RepositoryFact[];
  /** The server's health as Docker has it: `healthy`, `unhealthy`, `starting`; empty for none. */
  readonly health: string;
}

/**
 * Reads what `look.sh` printed.
 *
 * @returns undefined where it is cut off, or not what it prints.
 */
export function parseFacts(output: string): PeerFacts | undefined {
  const lines = output.split("\n").flatMap((line) => {
    const at = line.indexOf("=");
    return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
  });
  const all = (name: string) => lines.filter(([key]) => key === name).map(([, value]) => value);
  const one = (name: string) => all(name).find((value) => value !== "");
  if (one("end") !== "yes") return undefined;
  try {
    return factsOf(all, one);
  } catch {
    return undefined;
  }
}

type All = (name: string) => string[];
type One = (name: string) => string | undefined;

function factsOf(all: All, one: One): PeerFacts {
  const containers = all("container").map((json) => containerSchema.parse(JSON.parse(json)));
  const compose = one("compose");
  return {
    now: dateOf(one("now")) ?? new Date(),
    hasAddress: one("address") === undefined,
    ...optional("boot", all("boot").at(0)),
    listener: one("listener") ?? "",
    paths: pathsOf(one),
    empty: one("empty") === "yes",
    ours: one("ours") === "yes",
    ...optional("owner", one("owner")),
    sha256: {
      ...optional("compose", one("sha256.compose")),
      ...optional("htpasswd", one("sha256.htpasswd")),
    },
    ...optional("compose", compose && Buffer.from(compose, "base64").toString("utf8")),
    pending: one("pending") === "yes",
    apart: one("apart") === "yes",
    footprint: one("footprint") === "yes",
    changed: new Set(all("changed")),
    engine: one("engine") ?? "silent",
    containers,
    images: new Map(
      all("image")
        .map(splitWord)
        .map(([id, json]) => [id, imageOf(json)]),
    ),
    ...optional("certificate", validityOf(one("certificate") ?? "")),
    running: new Set(all("running")),
    detached: all("detached"),
    answers: new Map(all("answer").map(splitWord)),
    impostors: all("impostor"),
    doors: all("door")
      .map(splitWord)
      .map(([until, name]) => ({ name, ...optional("until", dateOf(until)) })),
    others: all("other").map((json) => otherSchema.parse(JSON.parse(json))),
    ...optional("free", numberOf(one("free"))),
    ...optional("used", numberOf(one("used"))),
    ...optional("unmounted", one("unmounted")),
    readOnly: one("read_only") === "yes",
    ...optional("unusable", one("unusable")),
    ...optional("link", one("link")),
    repositories: all("repository").map(repositoryOf),
    health: containers.find(({ Id }) => all("running").includes(Id))?.State.Health?.Status ?? "",
  };
}

function imageOf(json: string): Image {
  return imageSchema.parse(JSON.parse(json));
}

function splitWord(value: string): [string, string] {
  const at = value.indexOf(" ");
  return at < 0 ? [value, ""] : [value.slice(0, at), value.slice(at + 1)];
}

function pathsOf(one: One): PeerFacts["paths"] {
  const paths: Partial<Record<PathName, PathFact>> = {};
  for (const name of PATH_NAMES) {
    const value = one(`path.${name}`);
    if (value === undefined) continue;
    const parts = value.split("|");
    const [kind = "", mode = "", uid, gid, ...link] = parts;
    const target = link.join("|");
    paths[name] = {
      kind: kind === "regular empty file" ? "regular file" : kind,
      mode: Number.parseInt(mode, 8) & 0o777,
      uid: Number(uid),
      gid: Number(gid),
      ...(target !== "" && { link: target }),
    };
  }
  return paths;
}

const PATH_NAMES = [
  "data_dir",
  "repositories",
  "server",
  "auth",
  "htpasswd",
  "compose",
  "project",
] as const satisfies readonly PathName[];

/** `<snapshots> <newest, in seconds> <name>` */
function repositoryOf(line: string): RepositoryFact {
  const [snapshots, rest] = splitWord(line);
  const [newest, name] = splitWord(rest);
  return {
    name,
    snapshots: Number(snapshots),
    ...(Number(newest) > 0 && optional("newest", dateOf(newest))),
  };
}

/** `<from> <until>`, in seconds. */
function validityOf(value: string): PeerFacts["certificate"] {
  const [from, until] = splitWord(value).map(dateOf);
  return from === undefined || until === undefined ? undefined : { from, until };
}

function numberOf(value: string | undefined): number | undefined {
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined;
}

function dateOf(value: string | undefined): Date | undefined {
  const seconds = numberOf(value);
  return seconds === undefined ? undefined : new Date(seconds * 1000);
}

function optional<K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> {
  return (value === undefined ? {} : { [name]: value }) as Partial<Record<K, V>>;
}
