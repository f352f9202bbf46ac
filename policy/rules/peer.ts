/** The rules for what is put on a peer's machine: they judge the compose file itself. */
import { escapesOf, isTunnel, loosenessOf } from "../compose/confinement.ts";
import { clearTextOf } from "../compose/caddyfile.ts";
import { listenOpening, networkOf, published } from "../compose/exposure.ts";
import { readProject, type Project, type Service } from "../compose/project.ts";
import { isOn, restServerOf, valueOf, type RestServer } from "../compose/rest-server.ts";
import { error, warning, type ResourceFacts, type ResourceRule, type Verdict } from "../model.ts";
import { targetTypeOf } from "../types.ts";
import { isObject, isUnseen, shown } from "../values.ts";

/** What is put on a peer, read. */
interface Peer {
  readonly target: ResourceFacts;
  readonly project: Project;
  readonly servers: readonly RestServer[];
  /** What is put there beside the compose file. */
  readonly files: Readonly<Record<string, unknown>>;
}

/** The compose files among what is put on a peer. */
function composeTexts(target: ResourceFacts): [string, unknown][] {
  const { files } = target.inputs;
  if (!isObject(files) || isUnseen(files)) return [];
  return Object.entries(files).filter(([name]) => /\.ya?ml$/.test(name));
}

/** Reads what is put on a peer; sentences where it cannot be judged. */
function readPeer(target: ResourceFacts): Peer | string[] {
  const texts = composeTexts(target);
  if (texts.length !== 1) {
    const given = isObject(target.inputs.files) ? `${texts.length} of them` : shown(undefined);
    return [
      `its compose file cannot be seen (files of the component: ${given}), so that nobody knows what is put on the peer. Give the component one compose.yaml as an input`,
    ];
  }
  const [name, text] = texts[0] ?? ["", undefined];
  if (typeof text !== "string" || isUnseen(text)) {
    return [`its ${name} is ${shown(text)}, so that nobody knows what is put on the peer`];
  }
  const project = readProject(text);
  if (typeof project === "string") return [`its ${name} ${project}`];
  const found = project.services.map((service) => [service, restServerOf(service)] as const);
  const unclear = found.flatMap(([service, server]) =>
    typeof server === "string" ? [`the service "${service.name}": ${server}`] : [],
  );
  const servers = found.flatMap(([, server]) => (typeof server === "object" ? [server] : []));
  if (unclear.length > 0) return unclear;
  if (servers.length === 0) return [`its ${name} starts no rest-server`];
  const files = isObject(target.inputs.files) ? target.inputs.files : {};
  return { target, project, servers, files };
}

/** Applies a judgement to peers that can be read; the rule on append-only tells of the others. */
const ofPeers =
  (judge: (peer: Peer) => Verdict[]) =>
  (resource: ResourceFacts): Verdict[] => {
    if (targetTypeOf(resource.type) !== "RestServer") return [];
    const peer = readPeer(resource);
    return Array.isArray(peer) ? [] : judge(peer);
  };

/** A finding for each rest-server of a peer that a switch is wrong at. */
function atServers(
  peer: Peer,
  isWrong: (server: RestServer) => boolean,
  message: string,
): Verdict[] {
  const several = peer.servers.length > 1;
  return peer.servers
    .filter(isWrong)
    .map(({ service }) =>
      error(
        peer.target,
        peer.target.name,
        several ? `the service "${service.name}": ${message}` : message,
      ),
    );
}

export const peerAppendOnly: ResourceRule = {
  name: "peer-append-only",
  description: "A peer's server accepts new data and refuses every deletion",
  of: "resource",
  judge: (resource) => {
    const type = targetTypeOf(resource.type);
    if (type === "Sftp") {
      const message =
        "sftp cannot promise append-only: what arrives is sealed every few minutes, and whoever holds the hub's key destroys what came since. A rest-server refuses every deletion at once: use one where that matters";
      return [warning(resource, resource.name, message)];
    }
    if (type !== "RestServer") return [];
    const peer = readPeer(resource);
    if (Array.isArray(peer)) {
      return peer.map((message) => error(resource, resource.name, message));
    }
    return atServers(
      peer,
      (server) => !isOn(server, "append-only"),
      "its rest-server runs without --append-only: a thief at the hub deletes all of its backups. Add --append-only to its command",
    );
  },
};

export const peerPrivate: ResourceRule = {
  name: "peer-private-repositories",
  description: "At a peer's server a host opens its own repository and no other, with its password",
  of: "resource",
  judge: ofPeers((peer) => [
    ...atServers(
      peer,
      (server) => !isOn(server, "private-repos"),
      "its rest-server runs without --private-repos: every host opens every other's repository. Add --private-repos to its command",
    ),
    ...atServers(
      peer,
      (server) => isOn(server, "no-auth"),
      "its rest-server asks for no password (--no-auth, or DISABLE_AUTHENTICATION). Remove that",
    ),
    ...atServers(
      peer,
      (server) => valueOf(server, "proxy-auth-username") !== undefined,
      "its rest-server believes a header who is there (--proxy-auth-username), which anybody can send. Remove that",
    ),
  ]),
};

export const peerNotWide: ResourceRule = {
  name: "peer-no-wildcard-without-tls",
  description: "A peer's server is on every address of its machine only behind TLS",
  of: "resource",
  judge: ofPeers((peer) =>
    peer.project.services
      .flatMap((service) => {
        const server = peer.servers.find((each) => each.service === service);
        return server === undefined
          ? otherOpenings(service, peer)
          : serverOpenings(server, peer.project);
      })
      .map(({ severity, message }) =>
        (severity === "error" ? error : warning)(peer.target, peer.target.name, message),
      ),
  ),
};

type Problem = Pick<Verdict, "severity" | "message">;

function severe(message: string): Problem {
  return { severity: "error", message };
}

const ONE_ADDRESS = "Listen on the one address of the tunnel, or turn TLS on";

/** Where a rest-server without TLS is reached on every address. */
function serverOpenings(server: RestServer, project: Project): Problem[] {
  if (isOn(server, "tls")) return [];
  const { service } = server;
  const network = networkOf(service, project);
  if (network === undefined || !["host", "bridge", "none"].includes(network.mode)) {
    const given = service.settings.network_mode ?? service.settings.networks;
    return [severe(`its rest-server is in a network that cannot be judged (${shown(given)})`)];
  }
  const openings =
    network.mode === "host"
      ? // rest-server's own default.
        [listenOpening(valueOf(server, "listen") ?? ":8000")]
      : published(network.owner).filter(({ protocol }) => protocol === "tcp");
  return openings
    .filter(({ address }) => address !== "one")
    .map(({ text, address }): Problem => {
      if (address === "public") {
        const message = `its rest-server is on an address of the internet without TLS (${shown(text)}): passwords cross it in clear text. ${ONE_ADDRESS}`;
        return { severity: "warning", message };
      }
      return severe(
        address === "every"
          ? `its rest-server is on every address of the machine without TLS (${shown(text)}): passwords cross the network in clear text. ${ONE_ADDRESS}`
          : `where its rest-server listens cannot be judged (${shown(text)}), and it has no TLS. ${ONE_ADDRESS}`,
      );
    });
}

/** What stands beside the server: what it passes on from every address must come over TLS. */
function otherOpenings(service: Service, peer: Peer): Problem[] {
  return openingsBeside(service, peer).map(severe);
}

function openingsBeside(service: Service, { project, files }: Peer): string[] {
  const subject = `the service "${service.name}"`;
  if (isCaddy(service)) {
    const texts = Object.entries(files).filter(([name]) => name.endsWith("Caddyfile"));
    if (texts.length === 0) {
      return [`${subject} is a proxy whose Caddyfile cannot be seen. Put it among the files`];
    }
    return texts
      .flatMap(([, text]) => clearTextOf(String(text)))
      .map((problem) => `${subject}: ${problem}. Give it a name and leave TLS on`);
  }
  const network = networkOf(service, project);
  if (!["bridge", "none"].includes(network?.mode ?? "") && !isTunnel(service)) {
    return [`${subject} is on the machine's own network, and what it opens there cannot be judged`];
  }
  return published(service)
    .filter(({ address, protocol }) => protocol === "tcp" && ["every", "unseen"].includes(address))
    .map(
      ({ text }) =>
        `${subject} opens ${shown(text)} on every address, and whether it speaks TLS cannot be judged. Open it on one address`,
    );
}

function isCaddy({ image, argv, name }: Service): boolean {
  return (
    name === "caddy" || /(?:^|\/)caddy(?::|@|$)/.test(image) || /(?:^|\/)caddy$/.test(argv[0] ?? "")
  );
}

const PINNED = /(?:^|@)sha256:[0-9a-f]{64}$/;

export const peerImagePinned: ResourceRule = {
  name: "peer-image-pinned",
  description:
    "What runs at a peer is named by its digest, so that nobody can put another in its place",
  of: "resource",
  judge: ofPeers(({ target, project }) =>
    project.services
      .filter(({ image, settings }) => !PINNED.test(image) || settings.build !== undefined)
      .map(({ name, image, settings }) => {
        const is = settings.build !== undefined ? "is built there" : `is ${shown(image)}`;
        const message = `the image of the service "${name}" ${is}, must end in @sha256:<digest>: who owns the name decides what runs. Pin it`;
        return error(target, target.name, message);
      }),
  ),
};

export const peerConfined: ResourceRule = {
  name: "peer-container-confined",
  description: "No container at a peer is privileged, or let out in another way",
  of: "resource",
  judge: ofPeers(({ target, project, servers }) => [
    ...project.services.flatMap((service) =>
      escapesOf(service, project).map((problem) =>
        error(target, target.name, `the service "${service.name}": ${problem}`),
      ),
    ),
    ...servers.flatMap(({ service }) =>
      loosenessOf(service).map((problem) =>
        warning(target, target.name, `the service "${service.name}": ${problem}`),
      ),
    ),
  ]),
};
