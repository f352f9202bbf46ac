/** From what a look found to what people are told of it. */
import { printable } from "../hub/format.ts";
import { containerDrift, flagDrift, imageDrift, parseServices } from "./container-drift.ts";
import type { Container, OtherContainer } from "./container.ts";
import type { PeerFacts } from "./facts.ts";
import { ofData, ofFiles, ofPaths, wasPut } from "./file-drift.ts";
import type { PeerRecord } from "./look.ts";
import { composeText, sha256, type PeerServer } from "./script.ts";
import { ofTls } from "./tls/drift.ts";

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
  if (!pendingChange) ofTls(facts, server, found);
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
  const services = parseServices(composeText(server));
  const main = serviceOf(facts, server, MAIN);
  const ours = new Map(
    [...services.keys()].map((name) => [name, serviceOf(facts, server, name)] as const),
  );
  ofListener(facts, server, manual);
  const known = [...ours.values(), ...leaving(facts, server, installed, services)];
  for (const other of facts.containers) {
    if (!known.includes(other)) {
      drift.push(`there is another container of the server's project: ${printable(nameOf(other))}`);
    }
  }
  if (facts.impostors.length > 0) {
    drift.push("a container that was not made by docker compose has the server's name");
  }
  // As Docker has it since it was installed, it is what compose makes of its file: however another
  // engine spells that, it is no drift that would come back after each repair.
  const text = facts.changed.has("container")
    ? trustedCompose(facts, server, installed)
    : undefined;
  const wanted = text === undefined ? undefined : parseServices(text);
  for (const [name, container] of ours) {
    const what = name === MAIN ? "the container" : `the container ${name}`;
    if (container === undefined) {
      if (!isComing(facts, server, installed, name)) drift.push(`${what} is missing`);
      continue;
    }
    if (name === MAIN) drift.push(...flagDrift(container));
    const image = facts.images.get(container.Id);
    const phrases = facts.changed.has("image") ? imageDrift(container, image) : [];
    const [state, isDrift] = stateOf(container, name === MAIN ? "the server" : name);
    if (state !== undefined) (isDrift ? phrases : notices).push(state);
    const service = wanted?.get(name);
    if (service !== undefined) phrases.push(...containerDrift(container, service, image));
    drift.push(...phrases.map((phrase) => phrase.replace(/^the container\b/, what)));
  }
  if (main === undefined) return;
  if (facts.apart) {
    drift.push(
      "the server and its tunnel are not in one network: nobody reaches it. Somebody started the container network again",
    );
  }
  if (server.tunnel !== undefined && facts.changed.has("tunnel")) {
    const isPending = installed !== undefined && installed.compose !== sha256(composeText(server));
    if (!isPending) drift.push("the tunnel's files were changed by hand");
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

/** Whether a service is one of the change that is on its way. */
function isComing(
  facts: PeerFacts,
  server: PeerServer,
  installed: PeerRecord | undefined,
  name: string,
): boolean {
  const before = oldServices(facts, server, installed);
  return before !== undefined && !before.has(name);
}

/** The containers of services that go with the change that is on its way. */
function leaving(
  facts: PeerFacts,
  server: PeerServer,
  installed: PeerRecord | undefined,
  services: ReadonlyMap<string, unknown>,
): (Container | undefined)[] {
  const before = oldServices(facts, server, installed);
  return [...(before?.keys() ?? [])]
    .filter((name) => !services.has(name))
    .map((name) => serviceOf(facts, server, name));
}

/** What the file at the peer says, while a change is on its way and nobody changed it by hand. */
function oldServices(
  facts: PeerFacts,
  server: PeerServer,
  installed: PeerRecord | undefined,
): ReadonlyMap<string, unknown> | undefined {
  const { compose } = facts;
  const isOld =
    compose !== undefined &&
    installed?.compose === sha256(compose) &&
    installed.compose !== sha256(composeText(server));
  return isOld ? parseServices(compose) : undefined;
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

/** The service that everything else is there for. */
const MAIN = "rest-server";

function serviceOf(
  facts: PeerFacts,
  { project }: PeerServer,
  service: string,
): Container | undefined {
  const ours = facts.containers.filter(
    ({ Config }) =>
      Config.Labels["com.docker.compose.service"] === service &&
      Config.Labels["com.docker.compose.oneoff"] !== "True",
  );
  return ours.find((each) => nameOf(each) === `${project}-${service}-1`) ?? ours[0];
}

function nameOf({ Name }: Container): string {
  return Name.replace(/^\//, "");
}

/** What is to be said of a state, and whether it is a drift. */
function stateOf({ State }: Container, who: string): [string | undefined, boolean] {
  switch (State.Status) {
    case "running":
      if (State.Health?.Status === "starting") return [`${who} is just starting`, false];
      if (State.Health?.Status === "unhealthy") {
        return [`${who} is unhealthy: it does not answer as it must`, true];
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
