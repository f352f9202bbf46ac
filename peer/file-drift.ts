/** The files on a peer, against what was put there. */
import { printable } from "../hub/format.ts";
import { SERVER_UID } from "./compose.ts";
import type { Expected, Findings } from "./drift.ts";
import type { PathFact, PathName, PeerFacts } from "./facts.ts";
import type { PeerRecord } from "./look.ts";
import { composeText, sha256, type PeerServer } from "./script.ts";

/** Content, and whose it is. */
export function ofFiles(
  facts: PeerFacts,
  server: PeerServer,
  { installed }: Expected,
  { drift, manual }: Findings,
): void {
  const next = { compose: composeText(server), htpasswd: server.htpasswd };
  for (const [name, file] of [
    ["compose", "compose.yaml"],
    ["htpasswd", "htpasswd"],
  ] as const) {
    const actual = facts.sha256[name];
    const wanted = sha256(next[name]);
    const known =
      [wanted, installed?.[name]].includes(actual) || wasPut(facts, name, wanted, installed);
    if (actual === undefined) {
      // What is there instead of a file is said with the modes.
      if (facts.paths[name] === undefined) drift.push(`${file} is missing`);
    } else if (!known) {
      drift.push(`${file} was changed by hand`);
    } else if (name === "htpasswd" && facts.changed.has("htpasswd")) {
      drift.push(
        "htpasswd was written to since it was installed: it is as it was, but the server may have loaded something else",
      );
    }
  }
  if (facts.pending) {
    drift.push("an installation was killed half-way and was not undone");
  }
  if (facts.owner === server.project) return;
  const mark = facts.owner === undefined ? "is missing" : `names ${printable(facts.owner)}`;
  if (facts.ours || facts.empty) {
    if (!facts.empty) drift.push(`the mark of ownership, server/project, ${mark}`);
  } else {
    manual.push(
      `the mark of ownership, server/project, ${mark}, and nothing there says that the files are this server's. If they are, put it back there: printf %s ${server.project} > ${server.dataDir}/server/project`,
    );
  }
}

/**
 * Whether a file that neither the last update nor the next one knows was put there by an update all
 * the same: one that failed later on leaves no record. With no change on its way there was none.
 */
export function wasPut(
  facts: PeerFacts,
  name: "compose" | "htpasswd",
  wanted: string,
  installed: PeerRecord | undefined,
): boolean {
  return installed?.[name] !== wanted && facts.footprint && !facts.changed.has(`sha256.${name}`);
}

/** The permissions that `own` in install.sh sets. */
const MODES: readonly [PathName, string, PathFact["kind"], number, number][] = [
  ["server", "server/", "directory", 0o711, 0],
  ["auth", "server/auth/", "directory", 0o500, SERVER_UID],
  ["htpasswd", "htpasswd", "regular file", 0o400, SERVER_UID],
  ["compose", "compose.yaml", "regular file", 0o600, 0],
  ["project", "server/project", "regular file", 0o600, 0],
  ["repositories", "repositories/", "directory", 0o700, SERVER_UID],
];

/** What is there, with which rights. */
export function ofPaths(
  facts: PeerFacts,
  { dataDir }: PeerServer,
  { drift, manual }: Findings,
): void {
  for (const [name, shown, kind, mode, owner] of MODES) {
    const path = facts.paths[name];
    if (path === undefined) continue;
    if (path.kind !== kind) {
      const what = `${shown} is a ${path.kind}, must be a ${kind}`;
      // Nobody knows what it is: no installation removes it.
      if (kind !== "directory" || name === "auth") drift.push(what);
      else manual.push(`${what}. Move it away there, then run pulumi up`);
      continue;
    }
    if (path.link !== undefined && name !== "repositories") {
      const say = name === "server" ? manual : drift;
      const way = name === "server" ? ". Put the directory itself back there" : "";
      say.push(`${shown} is a symbolic link to ${printable(path.link)}${way}`);
    }
    if (path.mode !== mode) {
      drift.push(`${shown} has the mode ${octal(path.mode)}, must be ${octal(mode)}`);
    }
    if (path.uid !== owner || path.gid !== owner) {
      drift.push(
        `${shown} belongs to the user ${path.uid} and the group ${path.gid}, must be ${owner} and ${owner}`,
      );
    }
  }
  const { data_dir: all } = facts.paths;
  if (all === undefined) {
    drift.push(
      `${dataDir} is missing, and the backups with it. If a disk is not mounted there, mount it first: pulumi up makes an empty directory`,
    );
  } else if (facts.paths.repositories === undefined) {
    drift.push(
      "repositories/ is missing, and the backups with it. If a disk is not mounted there, mount it first: pulumi up makes an empty directory",
    );
  } else if (facts.paths.server === undefined) {
    drift.push(
      `server/ is missing in ${dataDir}. If a disk is not mounted there, mount it first: pulumi up makes it anew`,
    );
  }
  if (all !== undefined && (all.mode & 0o002) !== 0)
    drift.push(`${dataDir} may be written to by everybody`);
  for (const [name, path] of [
    ["data_dir", dataDir],
    ["repositories", `${dataDir}/repositories`],
  ] as const) {
    if (!facts.changed.has(name)) continue;
    const { link } = facts.paths[name] ?? {};
    const now =
      link === undefined
        ? "no longer a symbolic link"
        : `a symbolic link to ${printable(link)} now`;
    drift.push(
      `${path} is ${now}, other than when the server was installed. If that is not meant, undo it first: pulumi up goes on with what is there`,
    );
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

/** The backups. */
export function ofData(
  facts: PeerFacts,
  { dataDir }: PeerServer,
  { drift, manual }: Findings,
): void {
  if (facts.unmounted !== undefined) {
    manual.push(
      `the disk that /etc/fstab has for ${printable(facts.unmounted)} is not mounted, and the backups are on it. Mount it there: mount ${printable(facts.unmounted)}`,
    );
  }
  if (facts.unusable !== undefined && !facts.readOnly) {
    drift.push(
      `files in repositories/ belong to somebody else or cannot be read by the server, such as ${printable(facts.unusable)}`,
    );
  }
  if (facts.link !== undefined) {
    manual.push(
      `${printable(facts.link)} is a symbolic link, which the server in its container cannot follow. Put the folder itself back there`,
    );
  }
  if (facts.free !== undefined && facts.free < 64 * 1024 ** 2) {
    manual.push(`the disk of ${dataDir} is full: no backup gets there. Free some space`);
  }
}
