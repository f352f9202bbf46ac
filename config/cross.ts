/**
 * The checks that look at more than one value of the stack's config. They take the config as it
 * was given, whatever its state, so that they report beside what the schema finds.
 */
import { isAbsolute } from "node:path";
import { cloudProblems } from "./cross-clouds.ts";
import { tunnelProblems } from "./cross-tunnels.ts";
import { fields, text, type Fields } from "./fields.ts";
import { guestProblems } from "./guests.ts";
import { tlsProblems } from "./cross-tls.ts";
import type { Problem } from "./problems.ts";
import { show } from "./problems.ts";
import { HOST_NAME_RULE, hostName, parseListen, TARGET_NAME_RULE, targetName } from "./rules.ts";

function checkNames(hosts: Fields, targets: Fields): Problem[] {
  const wrong = (at: string, rule: string) => (name: string) => ({
    path: [at, name],
    message: `got the name ${show(name)}, must be ${rule}`,
  });
  return [
    ...Object.keys(hosts)
      .filter((name) => !hostName.safeParse(name).success)
      .map(wrong("hosts", HOST_NAME_RULE)),
    ...Object.keys(targets)
      .filter((name) => !targetName.safeParse(name).success)
      .map(wrong("targets", TARGET_NAME_RULE)),
  ];
}

function checkPresence(config: Fields): Problem[] {
  return ["hosts", "targets"]
    .filter((key) => config[key] !== undefined && Object.keys(fields(config[key])).length === 0)
    .map((key) => ({ path: [key], message: "is empty, must name at least one" }));
}

function checkHub(config: Fields): Problem[] {
  const hub = fields(config.hub);
  const host = text(hub.host);
  if (host === undefined || hub.key !== undefined || Object.hasOwn(fields(config.hosts), host)) {
    return [];
  }
  if (Object.keys(fields(config.hosts)).length === 0) return [];
  return [
    {
      path: ["hub", "host"],
      message: `got ${show(host)}, which is not among the hosts. Add it to hosts, or give the hub's public key as hub.key: its files are sealed to it`,
    },
  ];
}

function checkListen(name: string, target: Fields): Problem[] {
  const listen = text(target.listen);
  const parsed = listen === undefined ? undefined : parseListen(listen);
  if (parsed === undefined) return [];
  if (parsed.wildcard && target.expose !== "any") {
    return [
      {
        path: ["targets", name, "listen"],
        message: `got ${show(listen)}, must be an address of the tunnel. Set targets.${name}.expose to "any" if the internet is meant`,
      },
    ];
  }
  if (parsed.wildcard && target.url === undefined) {
    return [
      {
        path: ["targets", name, "url"],
        message: `got nothing, must be the URL under which the hub reaches ${show(listen)}, which is no address to connect to`,
      },
    ];
  }
  return [];
}

/** One data directory within another would be taken for its server's own files. */
function checkNested(targets: Fields): Problem[] {
  const places = Object.entries(targets).flatMap(([name, value]) => {
    const { ssh, dataDir } = fields(value);
    const host = fields(ssh).host;
    return typeof dataDir === "string" && typeof host === "string" ? [{ name, host, dataDir }] : [];
  });
  return places.flatMap(({ name, host, dataDir }) =>
    places
      .filter((other) => other.host === host && dataDir.startsWith(`${other.dataDir}/`))
      .map((other) => ({
        path: ["targets", name, "dataDir"],
        message: `got ${show(dataDir)}, which is inside the one of targets.${other.name}. Choose one beside it`,
      })),
  );
}

/** Values that two targets must not share, with the reason. */
const UNIQUE = [
  {
    of: (target: Fields) => [fields(target.ssh).host, target.listen],
    at: "listen",
    why: "one address cannot serve two targets",
  },
  {
    of: (target: Fields) => [fields(target.ssh).host, target.dataDir],
    at: "dataDir",
    why: "one directory cannot serve two targets",
  },
  {
    of: (target: Fields) => [text(target.url)?.replace(/\/+$/, "")],
    at: "url",
    why: "one URL cannot lead to two targets",
  },
] as const;

function checkUnique(targets: Fields): Problem[] {
  return UNIQUE.flatMap(({ of, at, why }) => {
    const seen = new Map<string, string>();
    return Object.entries(targets).flatMap(([name, value]): Problem[] => {
      const target = fields(value);
      if (target[at] === undefined) return [];
      const key = JSON.stringify(of(target)).toLowerCase();
      const other = seen.get(key);
      seen.set(key, other ?? name);
      if (other === undefined) return [];
      const message = `got ${show(target[at])}, which targets.${other} has too: ${why}`;
      return [{ path: ["targets", name, at], message }];
    });
  });
}

function checkSeal(config: Fields): Problem[] {
  const directory = text(fields(config.seal).directory);
  if (fields(config.seal).format !== "plain" || directory === undefined || isAbsolute(directory)) {
    return [];
  }
  return directory.split("/").includes("..")
    ? [
        {
          path: ["seal", "format"],
          message: `got "plain" for a directory outside the project: secrets would lie there in clear text. Use "age" or "sops"`,
        },
      ]
    : [];
}

/** What is revoked must not be in force. */
function checkRevoked(at: string, all: Fields): Problem[] {
  return Object.entries(all).flatMap(([name, value]) => {
    const { generation = 1, revoked = 0 } = fields(value);
    if (typeof generation !== "number" || typeof revoked !== "number" || generation > revoked) {
      return [];
    }
    const message = `got ${generation}, which is revoked, must be ${revoked + 1}: generations up to ${revoked} may be in a thief's hands`;
    return [{ path: [at, name, "generation"], message }];
  });
}

/**
 * Finds what is wrong between values of a stack's config.
 *
 * @param config - the config as it was given.
 * @param stack - the stack's name.
 */
export function crossProblems(config: Fields, stack: string): Problem[] {
  const hosts = fields(config.hosts);
  const targets = fields(config.targets);
  const guests = fields(config.guests);
  return [
    ...checkNames(hosts, targets),
    ...checkPresence(config),
    ...checkHub(config),
    ...Object.entries(targets).flatMap(([name, target]) => checkListen(name, fields(target))),
    ...tlsProblems(targets),
    ...checkUnique(targets),
    ...checkNested(targets),
    ...tunnelProblems(targets, fields(config.targetSecrets)),
    ...cloudProblems(stack, hosts, targets, fields(config.targetSecrets)),
    ...checkRevoked("hosts", hosts),
    ...checkRevoked("targets", targets),
    ...guestProblems({ guests, hosts, hub: fields(config.hub) }),
    ...checkRevoked("guests", guests),
    ...checkSeal(config),
  ];
}
