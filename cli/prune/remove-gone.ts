/** Removes at a peer what the hub no longer has. No repository password is needed. */
import Table from "cli-table3";
import type { PasswordTrio } from "../../config/manifest.ts";
import { forEachConcurrent } from "../../hub/concurrency.ts";
import { messageOf } from "../../hub/errors.ts";
import { counted, size } from "../../hub/format.ts";
import type { HashedKind } from "../../hub/repository/layout.ts";
import type { Retention } from "../../hub/settings.ts";
import type { Inventory } from "../../hub/targets/target.ts";
import { interruption } from "../interruption.ts";
import { agreeToDoor, type Consent } from "./consent.ts";
import { lookAtPeer, throughDoor } from "./door.ts";
import { DoorClient } from "./door-client.ts";
import { forgetPacks, recallPacks, rememberPacks } from "./notes.ts";
import { list, tryRemoval, withServer } from "./places.ts";
import { cameBack, day, ORDER, planRemoval, type AtPeer, type Removal } from "./removal.ts";
import { fail, type HostReport, type PruneReport } from "./report.ts";

/** What the removal needs to know. */
export interface RemoveGoneOptions extends Consent {
  readonly hub: { readonly url: string; readonly passwords: ReadonlyMap<string, PasswordTrio> };
  readonly hosts: readonly string[];
  readonly retention: Retention;
  /** Hosts of which more than usual may go. */
  readonly allowed: ReadonlySet<string>;
  readonly dryRun: boolean;
}

const NOUNS: Readonly<Record<HashedKind, string>> = {
  snapshots: "snapshot",
  index: "index file",
  data: "pack",
  keys: "key",
};

/** Lists, shows, asks, removes; fills the report in. */
export async function removeGone(options: RemoveGoneOptions, report: PruneReport): Promise<void> {
  const { peer, hosts, say } = options;
  say(
    `Looking at what the peer and the hub have of ${counted(hosts.length, "host")}. Nothing is changed.`,
  );
  const plans = await plan(options, report);
  show(plans, options);
  const going = plans.filter(({ host }) => report.hosts[host]?.outcome === "planned");
  if (options.dryRun || going.length === 0) return;
  const count = going.reduce((sum, each) => sum + each.count, 0);
  const bytes = going.reduce((sum, each) => sum + each.bytes, 0);
  const question = `Remove ${counted(count, "file")} (${size(bytes)}) of ${counted(going.length, "host")} at ${peer.target}?`;
  if (!(await agreeToDoor(question, options))) return;
  await checkAgain(going, options);
  for (const { host, files } of going) {
    fail(report, host, "its turn did not come");
    remember(peer.project, host, files.data.keys(), say);
  }
  await throughDoor(
    peer,
    {
      hosts: going.map(({ host }) => host),
      minutes: options.minutes,
      say,
      tryRemoval: async () => {
        await tryRemoval(peer);
        report.door = "closed";
      },
    },
    async (door) => {
      const client = new DoorClient(door);
      try {
        for (const removal of going) {
          await removeHost(client, removal, report, say);
          if (report.hosts[removal.host]?.outcome === "removed") {
            forgetPacks(peer.project, removal.host);
          }
          door.signal.throwIfAborted();
        }
      } finally {
        await client.close();
      }
    },
  );
}

/** The peer is listed first: what arrives there later is in no plan. */
async function plan(options: RemoveGoneOptions, report: PruneReport): Promise<Removal[]> {
  const { peer, hub, hosts, retention, say } = options;
  const look = await lookAtPeer(peer, hosts);
  if (look.busy) throw new Error("another prune has its door open at the peer. Wait for it to end");
  if (look.swept > 0) say(`Removed ${counted(look.swept, "door")} that an earlier prune had left.`);
  const atPeer = await withServer(peer, interruption, (url) => list(url, peer.passwords));
  const first = await list(hub.url, hub.passwords);
  const answered = [...hub.passwords].filter(([host]) => !(first.get(host) instanceof Error));
  const second = await list(hub.url, new Map(answered));
  const plans: Removal[] = [];
  for (const host of hosts) {
    try {
      const inventory = found(atPeer, host, "peer");
      const copy: AtPeer = {
        inventory,
        arrivals: look.snapshots.get(host) ?? new Map(),
        locks: look.locks.get(host) ?? [],
        begun: recallPacks(peer.project, host),
      };
      const atHub = [found(first, host, "hub"), found(second, host, "hub")] as const;
      const removal = planRemoval(host, copy, atHub, { retention, now: look.now });
      report.hosts[host] = reportOf(removal, inventory, options.allowed.has(host));
      plans.push(removal);
    } catch (error) {
      fail(report, host, messageOf(error));
      say(`${host}: ${messageOf(error)}`);
    }
  }
  return plans;
}

/** What was listed of a host.
 *
 * @throws Error where it could not be.
 */
export function found(
  listing: ReadonlyMap<string, Inventory | Error>,
  host: string,
  where: "peer" | "hub",
): Inventory {
  const inventory = listing.get(host) ?? new Error("it was not listed");
  if (!(inventory instanceof Error)) return inventory;
  const way =
    where === "hub"
      ? ". The hub must be reachable from here, at hub.url; where it is gone for good, see --forget"
      : "";
  throw new Error(`could not be listed at the ${where}: ${messageOf(inventory)}${way}`);
}

/** What a plan comes to for a host. */
export function reportOf(removal: Removal, peer: Inventory, isAllowed: boolean): HostReport {
  const { refusals, doubts, count, bytes, going } = removal;
  const reasons = isAllowed ? [...refusals] : [...refusals, ...doubts];
  const isAbsent = peer.config === undefined && removal.held === 0;
  const outcome = isAbsent
    ? "absent"
    : reasons.length > 0
      ? "refused"
      : count === 0
        ? "nothing"
        : "planned";
  return {
    outcome,
    snapshots: peer.files.snapshots.count,
    going: going.count,
    files: count,
    bytes,
    reasons,
  };
}

/** The dry run: what would go, and why something does not. */
export function show(
  plans: readonly Removal[],
  options: Pick<RemoveGoneOptions, "say" | "allowed">,
): void {
  const { say, allowed } = options;
  if (plans.length === 0) return;
  const head = ["host", "snapshots stay", "newest", "snapshots go", "of", "files go", "bytes go"];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { host, staying, going, count, bytes } of plans) {
    const of = going.count === 0 ? "" : `${day(going.oldest)} to ${day(going.newest)}`;
    table.push([host, staying.count, day(staying.newest), going.count, of, count, size(bytes)]);
  }
  say(table.toString());
  say("Days are those of the arrival at the peer, in UTC.");
  for (const { host, refusals, doubts, waiting } of plans) {
    for (const reason of refusals) say(`${host}: nothing is removed: ${reason}.`);
    for (const doubt of doubts) {
      say(`${host}: ${allowed.has(host) ? "allowed although" : "nothing is removed:"} ${doubt}.`);
    }
    if (doubts.length > 0 && !allowed.has(host)) {
      say(
        `${host}: look at the hub first: this is what it looks like when a thief has emptied it. Where it is all right, add --allow-shrinkage ${host}`,
      );
    }
    if (waiting > 0)
      say(`${host}: ${counted(waiting, "snapshot")} of the hub not at the peer yet.`);
  }
}

/** The operator may have taken a while to answer. */
async function checkAgain(going: readonly Removal[], { hub }: RemoveGoneOptions): Promise<void> {
  const names = new Set(going.map(({ host }) => host));
  const passwords = new Map([...hub.passwords].filter(([host]) => names.has(host)));
  const now = await list(hub.url, passwords);
  for (const removal of going) {
    const back = cameBack(removal, found(now, removal.host, "hub"));
    if (back === 0) continue;
    throw new Error(
      `${removal.host}: ${counted(back, "file")} that should go came back to the hub meanwhile. Nothing was removed; run it again`,
    );
  }
}

/** Notes the packs that are about to go, so that a run that is killed is not taken for a thief's. */
export function remember(
  project: string,
  host: string,
  packs: Iterable<string>,
  say: (line: string) => void,
): void {
  try {
    rememberPacks(project, host, [...recallPacks(project, host), ...packs]);
  } catch (error) {
    say(
      `${host}: should this be killed, the next run asks for --allow-shrinkage: ${messageOf(error)}`,
    );
  }
}

/** One kind after another, each begun when the peer no longer lists any of the one before. It does not throw. */
async function removeHost(
  client: DoorClient,
  removal: Removal,
  report: PruneReport,
  say: (line: string) => void,
): Promise<void> {
  const { host, files } = removal;
  try {
    for (const kind of ORDER) {
      const names = [...files[kind].keys()];
      if (names.length === 0) continue;
      say(`${host}: removing ${counted(names.length, NOUNS[kind])} …`);
      await removeFiles(client, host, kind, names, say);
      const there = await client.list(host, kind);
      const left = names.filter((name) => there.has(name)).length;
      if (left > 0) {
        throw new Error(`${counted(left, NOUNS[kind])} could not be removed, the rest stays`);
      }
      say(`${host}: removed ${counted(names.length, NOUNS[kind])}.`);
    }
  } catch (error) {
    fail(report, host, messageOf(error));
    say(`${host}: ${messageOf(error)}`);
    return;
  }
  const own = report.hosts[host];
  if (own !== undefined) Object.assign(own, { outcome: "removed", reasons: [] });
}

const PROGRESS_MS = 10_000;

async function removeFiles(
  client: DoorClient,
  host: string,
  kind: HashedKind,
  names: readonly string[],
  say: (line: string) => void,
): Promise<void> {
  let done = 0;
  let said = performance.now();
  await forEachConcurrent(names, client.inFlight, async (name) => {
    await client.remove(host, kind, name);
    done += 1;
    if (performance.now() - said < PROGRESS_MS) return;
    said = performance.now();
    say(`${host}: ${done} of ${counted(names.length, NOUNS[kind])}`);
  });
}
