/** On which addresses of its machine a service of a compose file is reached. */
import ipaddr from "ipaddr.js";
import { asText, isObject } from "../values.ts";
import type { Project, Service } from "./project.ts";

/** A way in: an address and port on the machine. */
export interface Opening {
  /** As the file says it. */
  readonly text: string;
  /** every: all of the machine's addresses; public: one of the internet; unseen: not told. */
  readonly address: "every" | "public" | "one" | "unseen";
  readonly protocol: "tcp" | "udp";
}

/**
 * How a service is in the network: host, bridge, `service:…`, `container:…`, or `unseen` where the
 * network was made by somebody else.
 */
function modeOf({ settings }: Service, { networks }: Project): string {
  if (settings.network_mode !== undefined) return asText(settings.network_mode) || "unseen";
  const { networks: given } = settings;
  const names = isObject(given)
    ? Object.keys(given)
    : Array.isArray(given)
      ? given.map(String)
      : [];
  const modes: readonly string[] = (names.length === 0 ? ["default"] : names).map((name) => {
    const network = Object.hasOwn(networks, name) ? networks[name] : undefined;
    if (!isObject(network)) return "bridge";
    // Docker's own network of this name is the machine's.
    if (network.name === "host" || network.driver === "host") return "host";
    const isOurs = network.external === undefined || network.external === false;
    const isBridge = network.driver === undefined || network.driver === "bridge";
    return isOurs && isBridge ? "bridge" : "unseen";
  });
  return ["host", "unseen"].find((mode) => modes.includes(mode)) ?? "bridge";
}

/** The service in whose network another one is, and that network's mode. */
export function networkOf(
  service: Service,
  project: Project,
): { readonly owner: Service; readonly mode: string } | undefined {
  let owner = service;
  for (let hops = 0; hops <= project.services.length; hops += 1) {
    const mode = modeOf(owner, project);
    if (!mode.startsWith("service:")) return { owner, mode };
    const next = project.services.find(({ name }) => name === mode.slice("service:".length));
    if (next === undefined) return undefined;
    owner = next;
  }
  return undefined;
}

/** What an address to listen on stands for, as Go writes it: `:8000`, `[::]:8000`, `10.0.0.1:8000`. */
export function listenOpening(listen: string): Opening {
  const text = listen;
  const host = /^(?:tcp:)?(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:]*))(?::[^:]*)?$/.exec(listen)?.groups;
  const given = host === undefined ? undefined : (host.v6 ?? host.v4);
  return { text, address: addressOf(given), protocol: "tcp" };
}

function addressOf(host: string | undefined): Opening["address"] {
  if (host === undefined || host.includes("$")) return "unseen";
  if (host === "" || host === "*") return "every";
  const bare = host.replace(/%.*$/, "");
  // A name can stand for any address; that of the machine itself cannot.
  if (!ipaddr.isValid(bare)) return bare === "localhost" ? "one" : "unseen";
  const range = ipaddr.process(bare).range();
  if (range === "unspecified") return "every";
  return range === "unicast" ? "public" : "one";
}

/** The ports that a service publishes on the machine. */
export function published({ settings }: Service): Opening[] {
  const { ports } = settings;
  if (ports === undefined || ports === null) return [];
  if (!Array.isArray(ports)) return [{ text: asText(ports), address: "unseen", protocol: "tcp" }];
  return ports.map((port: unknown) => (isObject(port) ? longPort(port) : shortPort(String(port))));
}

function longPort(port: Readonly<Record<string, unknown>>): Opening {
  const host = typeof port.host_ip === "string" ? port.host_ip : "";
  return {
    text: `${host}:${asText(port.published)}:${asText(port.target)}`,
    address: addressOf(host),
    protocol: port.protocol === "udp" ? "udp" : "tcp",
  };
}

function shortPort(text: string): Opening {
  const protocol = text.endsWith("/udp") ? "udp" : "tcp";
  const bare = text.replace(/\/(?:tcp|udp)$/, "");
  if (bare.includes("$")) return { text, address: "unseen", protocol };
  // [address:][published:]target, where an address of IPv6 is in brackets or not.
  const host = /^(?:\[(?<v6>[^\]]+)\]|(?<plain>.+)):[\d-]*:[\d-]+$/.exec(bare)?.groups;
  return { text, address: addressOf(host?.v6 ?? host?.plain ?? ""), protocol };
}
