/** The checks between values of the config that speak of a rest-server's TLS. */
import { fields, text, type Fields } from "./fields.ts";
import { show, type Problem } from "./problems.ts";
import { parseListen } from "./rules.ts";

/** What is of use with `tls: acme` alone. */
const WITH_ACME = ["domain", "acme", "dns"] as const;

function checkAcme(name: string, target: Fields): Problem[] {
  const at = (key: string) => ["targets", name, key];
  if (target.tls !== "acme") {
    return WITH_ACME.filter((key) => target[key] !== undefined).map((key) => ({
      path: at(key),
      message: `is for tls: acme, and tls is ${show(target.tls ?? "none")}. Set targets.${name}.tls to "acme", or remove ${key}`,
    }));
  }
  const problems: Problem[] = [];
  if (target.domain === undefined) {
    problems.push({
      path: at("domain"),
      message:
        'got nothing, must be the public name that leads to the peer, such as "backup.example.org": the certificate is for it. Without one choose tls: self-signed',
    });
  }
  const listen = parseListen(text(target.listen) ?? "");
  if (target.dns !== undefined && fields(target.dns).address === undefined && listen?.wildcard) {
    problems.push({
      path: [...at("dns"), "address"],
      message: `got nothing, must be the peer's public address: ${show(target.listen)} is none to put into a record`,
    });
  }
  const httpPort = fields(target.acme).httpPort ?? 80;
  if (listen?.port === httpPort) {
    problems.push({
      path: at("listen"),
      message: `got ${show(target.listen)}, whose port is the one for ACME's questions. Listen on another, such as 443`,
    });
  }
  return problems;
}

function checkUrl(name: string, target: Fields): Problem[] {
  const given = text(target.url);
  if (target.tls === undefined || given === undefined || !URL.canParse(given)) return [];
  const url = new URL(given);
  const path = ["targets", name, "url"];
  const problems: Problem[] = [];
  if (url.protocol !== "https:") {
    problems.push({
      path,
      message: `got ${show(given)}, must begin with "https://" where tls is on`,
    });
  }
  if (url.pathname !== "/") {
    problems.push({
      path,
      message: `got ${show(given)}, must have no path where tls is on: the server is at the root`,
    });
  }
  const domain = text(target.domain);
  if (target.tls === "acme" && domain !== undefined && url.hostname !== domain) {
    problems.push({
      path,
      message: `got ${show(given)}, must be at ${show(domain)}, for which the certificate is. Remove url, or correct domain`,
    });
  }
  return problems;
}

/** Two proxies at one address of one machine cannot both answer ACME's questions. */
function checkShared(targets: Fields): Problem[] {
  const seen = new Map<string, string>();
  return Object.entries(targets).flatMap(([name, value]): Problem[] => {
    const target = fields(value);
    const listen = parseListen(text(target.listen) ?? "");
    if (target.tls !== "acme" || listen === undefined) return [];
    const httpPort = fields(target.acme).httpPort ?? 80;
    const key = JSON.stringify([fields(target.ssh).host, listen.address, httpPort]);
    const other = seen.get(key);
    seen.set(key, other ?? name);
    if (other === undefined) return [];
    return [
      {
        path: ["targets", name, "acme", "httpPort"],
        message: `got ${show(httpPort)}, which targets.${other} has at the same address. Give one of them another address to listen on`,
      },
    ];
  });
}

/** Finds what is wrong with the TLS of a stack's rest-servers. */
export function tlsProblems(targets: Fields): Problem[] {
  return [
    ...Object.entries(targets).flatMap(([name, value]) => [
      ...checkAcme(name, fields(value)),
      ...checkUrl(name, fields(value)),
    ]),
    ...checkShared(targets),
  ];
}
