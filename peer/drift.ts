/** From what a look found to what people are told of it. */
import { printable } from "../hub/format.ts";
import { containerDrift, flagDrift, imageDrift, parseService } from "./container-drift.ts";
import type { Container, OtherContainer } from "./container.ts";
import type { PeerFacts } from "./facts.ts";
import { ofData, ofFiles, ofPaths, wasPut } from "./file-drift.ts";
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
  if (facts.readOnly) {
    manual.push(
      `the file system of ${dataDir}/repositories is read-only: no backup gets there. Look at dmesg there; a disk may be dying`,
    );
  }
}

function ofContainers(
  facts: PeerFacts,
  server: PeerServer,
  { installed }: Expected,
  { drift, manual, notices }: Findings,
): void {
  const main = mainOf(facts, server);
  ofListener(facts, server, manual);
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
  drift.push(...flagDrift(main));
  if (facts.changed.has("image")) drift.push(...imageDrift(main, facts.images.get(main.Id)));
  const [state, isDrift] = stateOf(main);
  if (state !== undefined) (isDrift ? drift : notices).push(state);
  // As Docker has it since it was installed, it is what compose makes of its file: however another
  // engine spells that, it is no drift that would come back after each repair.
  const text = facts.changed.has("container")
    ? trustedCompose(facts, server, installed)
    : undefined;
  if (text !== undefined) {
    drift.push(...containerDrift(main, parseService(text), facts.images.get(main.Id)));
  }
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

/** The port is somebody else's: no container of Docker's that is told of elsewhere. */
function ofListener(facts: PeerFacts, server: PeerServer, manual: string[]): void {
  const isKnown =
    facts.containers.some(({ State }) => State.Running) ||
    facts.impostors.length > 0 ||
    facts.others.some((other) => isWriter(other, server));
  if (facts.listener === "" || isKnown) return;
  const who = /users:\(\("([^"]*)",pid=(\d+)/.exec(facts.listener);
  const name = who === null ? "" : `, ${printable(who[1] ?? "")} with process ID ${who[2] ?? ""},`;
  manual.push(
    `somebody else${name} listens on port ${server.listen.port} there. Stop that, or change listen`,
  );
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
  for (const other of facts.others) {
    const { name } = other;
    // An impostor is told of already.
    if (name === `/${server.project}-rest-server-1` || !isWriter(other, server)) continue;
    drift.push(
      `the container ${printable(name.replace(/^\//, ""))} is not fort-offsite's and may write to ${server.dataDir}. pulumi up stops it`,
    );
  }
}

/** Whether a container that is none of ours can write to the backups. */
function isWriter({ mounts }: OtherContainer, { dataDir }: PeerServer): boolean {
  return mounts.some(
    ({ Source, RW }) => RW && (Source === dataDir || Source.startsWith(`${dataDir}/`)),
  );
}
