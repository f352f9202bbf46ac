/** A rest-server target as it is now: the peer, the server, whom it lets in, what it lets them do. */
import pLimit from "p-limit";
import type { TargetRecord } from "../../config/record.ts";
import type { RestServerTargetConfig } from "../../config/stack.ts";
import { rememberedDigests, withDigests } from "../../config/targets/digests.ts";
import { RestConnection } from "../../hub/targets/rest-client.ts";
import { RestProbe } from "../../hub/targets/rest-probe.ts";
import { lookAtPeer, type Look } from "../../peer/look.ts";
import { peerConnection, peerServer, projectName } from "../../peer/server.ts";
import { sweepPrivateFolders, type SshConnection } from "../../peer/ssh.ts";
import { interruption } from "../interruption.ts";
import { judgeCertificate, judgeClearText } from "./certificate.ts";
import { Skipped, type Checks } from "./checks.ts";
import type { TargetOptions } from "./options.ts";
import { judgeArrivals, judgeDrift, judgeRoom } from "./peer-look.ts";
import { credentialsOf, seenOf, tryCredentials, type HostCredential } from "./rest-credentials.ts";
import { mustAnswer, PATIENCE, routeTo, tlsRouteTo, urlOf, type Route } from "./rest-route.ts";

/** What is known of a rest-server target. */
export interface RestServerOptions extends TargetOptions {
  readonly target: RestServerTargetConfig;
  readonly record: Extract<TargetRecord, { type: "rest-server" }> | undefined;
  /** The seed of all derived credentials. Secret. */
  readonly seed: string;
  /** The operator's SSH key; without it the agent is asked. Secret. */
  readonly sshPrivateKey: string | undefined;
  /** What puts right what was changed at the peer. */
  readonly repair: string;
}

const GIB = 1024 ** 3;
const IN_FLIGHT = 4;

type Reached = Extract<Look, { reached: true }>;

/** Looks at all of it. */
export async function verifyRestServer(options: RestServerOptions, checks: Checks): Promise<void> {
  const { target, sshPrivateKey } = options;
  checks.maxBytes = Math.floor(target.maxSizeGiB * GIB);
  await sweepPrivateFolders();
  const connection = peerConnection(target, sshPrivateKey);
  const look = await lookFor(options, connection, checks);
  await checks.make("server", (check) => {
    if (look === undefined) throw new Skipped("not without a login");
    judgeDrift(look, options.repair, check);
    return `as it was installed, ${look.facts.health === "" ? "not running" : look.facts.health}`;
  });
  await throughHttp(options, connection, look !== undefined, checks);
  await checks.make("space", (check) => judgeRoom(look, checks, check));
  await checks.make("snapshots", (check) =>
    judgeArrivals(look, look?.facts.repositories, options, checks, check),
  );
}

async function lookFor(
  options: RestServerOptions,
  connection: SshConnection,
  checks: Checks,
): Promise<Reached | undefined> {
  const { stack, name, target, hosts, seed, record } = options;
  let found: Reached | undefined;
  await checks.make("login", async () => {
    const pinned = withDigests(target, rememberedDigests(record));
    const server = peerServer({ stack, name, target: pinned, hosts, seed });
    const look = await lookAtPeer(connection, server, {
      installed: record,
      signal: interruption,
    });
    if (!look.reached) throw new Error(look.reason);
    found = look;
    return `let in at ${target.ssh.host}, which shows the pinned host key`;
  });
  return found;
}

/** What can be tried with the hosts' own credentials alone. */
async function throughHttp(
  options: RestServerOptions,
  connection: SshConnection,
  canLogIn: boolean,
  checks: Checks,
): Promise<void> {
  const { target, hosts, seed, name } = options;
  const url = urlOf(target);
  const trust = { certificate: options.record?.authority?.certificate ?? target.acme?.root };
  if (url.protocol === "https:") {
    await checks.make("certificate", async (check) => {
      if (target.tls === "self-signed" && trust.certificate === undefined) {
        throw new Skipped("no update that came to its end has pinned one yet");
      }
      const route = await tlsRouteTo(url, connection, canLogIn);
      try {
        if (target.tls !== undefined) await judgeClearText(route, check);
        return await judgeCertificate(route, check, trust, target.tls !== undefined);
      } finally {
        await route.close();
      }
    });
  }
  let route: Route | undefined;
  await checks.make("reachable", async (check) => {
    const project = projectName(options.stack, name);
    const found = await routeTo(target, connection, canLogIn, project, trust);
    try {
      await mustAnswer(found, url);
    } catch (error) {
      await found.close();
      throw error;
    }
    route = found;
    if (found.direct) return url.href;
    check.notice(
      `${url.href} is not reached from this machine: asked through SSH. Whether the hub reaches it: offsite-hub verify`,
    );
    return "through SSH";
  });
  const credentials = credentialsOf(seed, { name, generation: target.generation }, hosts);
  try {
    await tryHttp({ name, route, credentials, repair: options.repair }, checks);
  } finally {
    await route?.close();
  }
}

interface Http {
  readonly name: string;
  /** Undefined where the server is not reached. */
  readonly route: Route | undefined;
  readonly credentials: readonly HostCredential[];
  readonly repair: string;
}

async function tryHttp(http: Http, checks: Checks): Promise<void> {
  const { name, route, credentials, repair } = http;
  const letIn = new Set<string>();
  await checks.make("credentials", async (check) => {
    if (route === undefined) throw new Skipped("the server is not reached");
    const client = new RestConnection(route.url, IN_FLIGHT, PATIENCE, route.trust);
    try {
      const accepted = await tryCredentials(client, credentials, repair, check);
      for (const host of accepted) letIn.add(host);
      return seenOf(accepted);
    } finally {
      await client.close();
    }
  });
  await checks.make("append-only", async (check) => {
    if (route === undefined) throw new Skipped("the server is not reached");
    const users = credentials.filter(({ host }) => letIn.has(host));
    if (users.length === 0) throw new Skipped("no credential that is let in");
    await tryCanaries(name, route, users, (line) => check.error(`${line}. ${repair}`));
    return "removing, overwriting and reading others' are refused";
  });
}

/** Tries on each host's canary what must be refused. */
async function tryCanaries(
  name: string,
  { url, trust }: Route,
  credentials: readonly HostCredential[],
  onError: (line: string) => void,
): Promise<void> {
  const users = credentials.map(({ host, generation, password }) => {
    // No other than the one in force is to be tried.
    const passwords = { generation, current: password, next: password, previous: null };
    return [host, { user: host, passwords }] as const;
  });
  const probe = new RestProbe({
    ...{ name, url, trust, users: new Map(users), patience: PATIENCE },
    ...{ maxBytes: undefined, repositories: "", uploadLimit: Infinity },
  });
  const close = () => void probe.close();
  interruption.addEventListener("abort", close);
  const limit = pLimit(IN_FLIGHT);
  const found = new Map<string, string[]>();
  const note = (line: string, host: string) => found.set(line, [...(found.get(line) ?? []), host]);
  try {
    const tried = users.map(([host]) =>
      limit(async () => {
        interruption.throwIfAborted();
        const report = await probe.tryHost(host);
        for (const error of report.errors) note(error, host);
      }),
    );
    await Promise.all(tried);
  } finally {
    interruption.removeEventListener("abort", close);
    await probe.close();
  }
  // The server is one: what it does wrong, it does wrong for all.
  for (const [line, hosts] of found) onError(`${hosts.sort().join(", ")}: ${line}`);
}
