/** The checks between values of the config that speak of where a rest-server listens. */
import { fields, text, type Fields } from "./fields.ts";
import { show, type Problem } from "./problems.ts";
import { parseNetwork, parseEndpoint } from "./targets/tunnel.ts";

/** Settings that say where a server without a tunnel is reached. */
const WITHOUT_TUNNEL = [
  ["listen", "the server listens inside its tunnel. Remove it, or remove tunnel"],
  ["expose", "a server in a tunnel is on no address of the peer. Remove it, or remove tunnel"],
  ["tls", "the tunnel encrypts already. Remove it, or remove tunnel"],
] as const;

function checkPlace(name: string, target: Fields): Problem[] {
  if (target.type !== "rest-server") return [];
  if (target.tunnel !== undefined) {
    return WITHOUT_TUNNEL.filter(([at]) => target[at] !== undefined).map(([at, why]) => ({
      path: ["targets", name, at],
      message: `got ${show(target[at])} beside tunnel: ${why}`,
    }));
  }
  if (target.listen !== undefined) return [];
  return [
    {
      path: ["targets", name, "listen"],
      message:
        'got nothing, must be an IP address and a port of the peer, such as "100.64.0.9:8000"; or give it a tunnel of its own: tunnel',
    },
  ];
}

function checkAuthKey(name: string, target: Fields, secrets: Fields): Problem[] {
  const needed = fields(target.tunnel).type === "tailscale";
  const given = fields(secrets[name]).tailscaleAuthKey !== undefined;
  if (needed === given) return [];
  const path = ["targetSecrets", name, "tailscaleAuthKey"];
  const place = `'fort-offsite:targetSecrets.${name}.tailscaleAuthKey'`;
  return [
    {
      path,
      message: needed
        ? `got nothing, must be an auth key with which the peer joins the tailnet: reusable, ephemeral, with the tags of the tunnel. Set it with: pulumi config set --secret --path ${place}`
        : `is for a target with a tunnel of type "tailscale", and targets.${name} has none. Remove it with: pulumi config rm --path ${place}`,
    },
  ];
}

interface Tunnelled {
  readonly name: string;
  readonly machine: unknown;
  readonly tunnel: Fields;
}

/** Values that the tunnels of two targets must not share. */
function checkShared(targets: Fields): Problem[] {
  const all = Object.entries(targets).flatMap(([name, value]): Tunnelled[] => {
    const { tunnel, ssh } = fields(value);
    return tunnel === undefined
      ? []
      : [{ name, machine: fields(ssh).host, tunnel: fields(tunnel) }];
  });
  return all.flatMap((one, index) =>
    all.slice(0, index).flatMap((other): Problem[] => {
      const [mine, theirs] = [one.tunnel, other.tunnel];
      if (mine.type !== theirs.type) return [];
      return mine.type === "tailscale" ? sharedName(one, other) : sharedWays(one, other);
    }),
  );
}

function sharedName(one: Tunnelled, other: Tunnelled): Problem[] {
  const name = text(one.tunnel.hostname) ?? "offsite-peer";
  if (name !== (text(other.tunnel.hostname) ?? "offsite-peer")) return [];
  return [
    {
      path: ["targets", one.name, "tunnel", "hostname"],
      message: `got ${show(name)}, which targets.${other.name} has too. Give each a name of its own`,
    },
  ];
}

function sharedWays(one: Tunnelled, other: Tunnelled): Problem[] {
  const at = ["targets", one.name, "tunnel"];
  const networks = [one, other].map(({ tunnel }) =>
    parseNetwork(text(tunnel.network) ?? "10.99.83.0/29"),
  );
  const [mine, theirs] = networks;
  const problems: Problem[] = [];
  if (
    mine !== undefined &&
    mine.whole === theirs?.whole &&
    mine.first <= theirs.last &&
    theirs.first <= mine.last
  ) {
    problems.push({
      path: [...at, "network"],
      message: `got ${show(one.tunnel.network ?? "10.99.83.0/29")}, which shares addresses with that of targets.${other.name}. Give each a network of its own, such as "10.99.84.0/29"`,
    });
  }
  const port = ({ tunnel }: Tunnelled) =>
    tunnel.listenPort ?? parseEndpoint(text(tunnel.endpoint) ?? "")?.port;
  if (one.machine === other.machine && port(one) === port(other) && port(one) !== undefined) {
    problems.push({
      path: [...at, "listenPort"],
      message: `got the UDP port ${show(port(one))}, which targets.${other.name} has on the same machine. Give each a port of its own`,
    });
  }
  return problems;
}

/** Finds what is wrong with where the rest-servers of a stack's config listen. */
export function tunnelProblems(targets: Fields, secrets: Fields): Problem[] {
  return [
    ...Object.entries(targets).flatMap(([name, value]) => [
      ...checkPlace(name, fields(value)),
      ...checkAuthKey(name, fields(value), secrets),
    ]),
    ...checkShared(targets),
  ];
}
