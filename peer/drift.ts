/** From what a look found to what people are told of it. */
import { printable } from "../hub/format.ts";
import { SERVER_UID } from "./compose.ts";
import { containerDrift, flagDrift, imageDrift, parseService } from "./container-drift.ts";
import type { Container } from "./container.ts";
import type { PathFact, PathName, PeerFacts } from "./facts.ts";
import type { PeerRecord } from "./look.ts";
import { composeText, sha256, type PeerServer } from "./script.ts";

/** What is said of a peer, each a phrase without its full stop. */
export interface Findings {
  readonly drift: string[];
  readonly manual: string[];
  readonly notices: string[];
}

/** What the facts are held against. */
export interface Expected {
  /** What was put there last, where that is known. */
  readonly installed?: PeerRecord | undefined;
}

/**
 * What is not as it was put there. A change of the settings that is on its way is none: files may be
 * those of the last update or those of the next one, and the container what its file says.
 */
export function driftOf(facts: PeerFacts, server: PeerServer, expected: Expected = {}): Findings {
  const found: Findings = { drift: [], manual: [], notices: [] };
  const pendingChange =
    expected.installed !== undefined && expected.installed.compose !== sha256(composeText(server));
  if (pendingChange && facts.empty && facts.containers.length === 0) {
    found.notices.push(`there is no server in ${server.dataDir} yet`);
    return found;
  }
  ofMachine(facts, server, found);
  ofFiles(facts, server, expected, found);
  ofPaths(facts, server, found);
  ofData(facts, server, found);
  if (/^\d/.test(facts.engine)) {
    ofContainers(facts, server, expected, found);
    ofOthers(facts, server, found);
  }
  return found;
}

/** What no installation changes: the machine's own. */
function ofMachine(facts: PeerFacts, { listen, dataDir }: PeerServer, { manual }: Findings): void {
  if (!facts.hasAddress) {
    manual.push(
      `the machine no longer has the address ${listen.address} that the server listens on. Bring it back there (is the tunnel up?), or correct listen; pulumi up cannot`,
    );
  }
  if (facts.engine === "missing") {
    manual.push("docker is no longer installed there. Install it again, then run pulumi up");
  } else if (facts.engine === "silent") {
    manual.push(
      "the engine of docker does not answer there. Start it with: systemctl enable --now docker",
    );
  }
  if (facts.boot === "disabled" || facts.boot === "masked") {
    manual.push(
      `docker is ${facts.boot} there: the server would not come back after a reboot. Let it start with: systemctl enable docker`,
    );
  }
  if (facts.listener !== "" && facts.running.size === 0 && /^\d/.test(facts.engine)) {
    const who = /users:\(\("([^"]*)",pid=(\d+)/.exec(facts.listener);
    const name =
      who === null ? "" : `, ${printable(who[1] ?? "")} with process ID ${who[2] ?? ""},`;
    manual.push(
      `somebody else${name} listens on port ${listen.port} there. Stop that, or change listen`,
    );
  }
  if (facts.readOnly) {
    manual.push(
      `the file system of ${dataDir}/repositories is read-only: no backup gets there. Look at dmesg there; a disk may be dying`,
    );
  }
}

function ofFiles(
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
    if (facts.paths[name]?.kind !== "regular file" || actual === undefined) {
      drift.push(`${file} is missing`);
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
function wasPut(
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

function ofPaths(facts: PeerFacts, { dataDir }: PeerServer, { drift, manual }: Findings): void {
  for (const [name, shown, kind, mode, owner] of MODES) {
    const path = facts.paths[name];
    if (path === undefined) continue;
    if (path.kind !== kind) {
      drift.push(`${shown} is a ${path.kind}, must be a ${kind}`);
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
      `${path} is ${now}, as it was not when the server was installed. If that is not meant, undo it first: pulumi up goes on with what is there`,
    );
  }
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function ofData(facts: PeerFacts, { dataDir }: PeerServer, { drift, manual }: Findings): void {
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

function ofContainers(
  facts: PeerFacts,
  server: PeerServer,
  { installed }: Expected,
  { drift, notices }: Findings,
): void {
  const main = mainOf(facts, server);
  for (const other of facts.containers) {
    if (other !== main) {
      drift.push(`there is another container of the server's project: ${printable(nameOf(other))}`);
    }
  }
  if (facts.impostors.length > 0) {
    drift.push("a container that was not made by docker compose has the server's name");
  }
  if (main === undefined) {
    drift.push("the container is missing");
    return;
  }
  drift.push(...flagDrift(main), ...imageDrift(main, facts.images.get(main.Id)));
  const [state, isDrift] = stateOf(main);
  if (state !== undefined) (isDrift ? drift : notices).push(state);
  const text = trustedCompose(facts, server, installed);
  if (text !== undefined)
    drift.push(...containerDrift(main, parseService(text), facts.images.get(main.Id)));
  for (const path of facts.detached) {
    drift.push(`the container goes on in a directory that is no longer ${printable(path)}`);
  }
  for (const [who, status] of facts.answers) {
    if (status === "401" || status === "") continue;
    drift.push(
      `THE SERVER LETS STRANGERS IN: it answered ${printable(status)} to ${who === "nobody" ? "a request without a credential" : "a stranger's credential"}, must be 401`,
    );
  }
}

function mainOf(facts: PeerFacts, { project }: PeerServer): Container | undefined {
  const ours = facts.containers.filter(
    ({ Config }) =>
      Config.Labels["com.docker.compose.service"] === "rest-server" &&
      Config.Labels["com.docker.compose.oneoff"] !== "True",
  );
  return ours.find((each) => nameOf(each) === `${project}-rest-server-1`) ?? ours[0];
}

function nameOf({ Name }: Container): string {
  return Name.replace(/^\//, "");
}

/** What is to be said of a state, and whether it is a drift. */
function stateOf({ State }: Container): [string | undefined, boolean] {
  switch (State.Status) {
    case "running":
      if (State.Health?.Status === "starting") return ["the server is just starting", false];
      if (State.Health?.Status === "unhealthy") {
        return ["the server is unhealthy: it does not answer as it must", true];
      }
      return [undefined, false];
    case "exited":
      return ["the container is stopped", true];
    case "paused":
      return ["the container is paused", true];
    case "restarting":
      return [
        `the container does not stay up: it ends with ${State.ExitCode} and is started again`,
        true,
      ];
    default:
      return [`the container is ${printable(State.Status)}, must be running`, true];
  }
}

/** The text that the container must follow; none while a change is on its way and the file is not as it was. */
function trustedCompose(
  facts: PeerFacts,
  server: PeerServer,
  installed: PeerRecord | undefined,
): string | undefined {
  const next = composeText(server);
  const isPending = installed !== undefined && installed.compose !== sha256(next);
  if (!isPending) return next;
  const { compose } = facts;
  if (compose === undefined) return undefined;
  const digest = sha256(compose);
  const isKnown = digest === installed.compose || wasPut(facts, "compose", sha256(next), installed);
  return isKnown ? compose : undefined;
}

function ofOthers(facts: PeerFacts, server: PeerServer, { drift, notices }: Findings): void {
  for (const { name, until } of facts.doors) {
    if (until === undefined || until <= facts.now) {
      drift.push(`a door that prune opened is past its time and still there: ${printable(name)}`);
    } else {
      notices.push(`a door is open for prune until ${until.toISOString()}`);
    }
  }
  const own = new Set(facts.containers.map(({ Name }) => Name));
  for (const { name, project, door, mounts } of facts.others) {
    if (own.has(name) || door === server.project || project === server.project) continue;
    const writes = mounts.some(
      ({ Source, RW }) =>
        RW && (Source === server.dataDir || Source.startsWith(`${server.dataDir}/`)),
    );
    if (writes) {
      drift.push(
        `the container ${printable(name.replace(/^\//, ""))} is not fort-offsite's and may write to ${server.dataDir}. pulumi up stops it`,
      );
    }
  }
}
