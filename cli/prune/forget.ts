/**
 * Thins out a peer's repositories with restic itself, where the hub is gone or the peer shall keep
 * less. The retention is computed as the hub's own prune does it, over snapshots whose claimed time
 * fits their arrival (docs/adr/0006-retention-is-computed-here.md): here their arrival at the peer.
 */
import Table from "cli-table3";
import { messageOf } from "../../hub/errors.ts";
import { counted, printable } from "../../hub/format.ts";
import { unusual } from "../../hub/prune/notes.ts";
import { plan, type Policy } from "../../hub/prune/plan.ts";
import { newHostReport } from "../../hub/prune/report.ts";
import { shown, type Snapshot } from "../../hub/prune/snapshot.ts";
import { listSnapshots } from "../../hub/restic-repository.ts";
import { interruption } from "../interruption.ts";
import { withScratch } from "../scratch.ts";
import { agreeToDoor, type Consent } from "./consent.ts";
import { lookAtPeer, throughDoor } from "./door.ts";
import { acceptedAt, tryRemoval, withServer } from "./places.ts";
import { absent, fail, type HostReport, type PruneReport } from "./report.ts";
import {
  isEmpty,
  must,
  outline,
  resticAt,
  resticThrough,
  type ResticOptions,
  type Run,
} from "./restic.ts";
import { warnOfMirror } from "./still-at-hub.ts";

/** What the thinning out needs to know. */
export interface ForgetOptions extends Consent, ResticOptions {
  readonly hub: Parameters<typeof warnOfMirror>[1];
  readonly hosts: readonly string[];
  readonly policy: Policy;
  readonly trustAll: boolean;
  /** Hosts of which more than usual may go. */
  readonly allowed: ReadonlySet<string>;
  readonly dryRun: boolean;
}

interface Thinning {
  readonly host: string;
  readonly going: readonly Snapshot[];
  readonly total: number;
  readonly suspicious: readonly string[];
  /** In restic's words. */
  readonly prune: string;
  readonly doubt: string | undefined;
}

const FORGET_AT_ONCE = 500;
const NAMED = 5;

/** Shows with a dry run what would go, asks, forgets, prunes; fills the report in. */
export async function forget(options: ForgetOptions, report: PruneReport): Promise<void> {
  await withScratch(async (cache) => {
    const plans = await planAll(options, report, cache);
    show(plans, options);
    await warnOfMirror(plans, options.hub, options.say);
    const going = plans.filter(({ host }) => report.hosts[host]?.outcome === "planned");
    if (options.dryRun || going.length === 0) return;
    const count = going.reduce((sum, each) => sum + each.going.length, 0);
    const question = `Forget ${counted(count, "snapshot")} of ${counted(going.length, "host")} at ${options.peer.target}, and prune?`;
    if (!(await agreeToDoor(question, options))) return;
    for (const { host } of going) fail(report, host, "its turn did not come");
    await carryOut(going, options, report, cache);
  });
}

async function carryOut(
  going: readonly Thinning[],
  options: ForgetOptions,
  report: PruneReport,
  cache: string,
): Promise<void> {
  const { peer, minutes, say } = options;
  await throughDoor(
    peer,
    {
      hosts: going.map(({ host }) => host),
      ...{ minutes, say },
      tryRemoval: async () => {
        await tryRemoval(peer);
        report.door = "closed";
      },
    },
    async (door) => {
      for (const each of going) {
        try {
          await thin(each, resticThrough(door, each.host, options, cache), say);
          const own = report.hosts[each.host];
          if (own !== undefined) Object.assign(own, { outcome: "removed", reasons: [] });
        } catch (error) {
          door.signal.throwIfAborted();
          fail(report, each.host, messageOf(error));
          say(`${each.host}: ${printable(messageOf(error))}`);
        }
      }
    },
  );
}

/** restic leaves the repository sound wherever it is ended. */
async function thin({ host, going }: Thinning, run: Run, say: (line: string) => void) {
  // Of a run that was killed; one that is in use stays, and restic then says so.
  await must(run, ["unlock", "--quiet"]);
  const ids = going.map(({ id }) => id);
  for (let at = 0; at < ids.length; at += FORGET_AT_ONCE) {
    say(`${host}: forgetting snapshots, ${at} of ${ids.length} done …`);
    await must(run, ["forget", "--quiet", ...ids.slice(at, at + FORGET_AT_ONCE)]);
  }
  say(`${host}: forgot ${counted(ids.length, "snapshot")}. Pruning …`);
  const pruned = await must(run, ["prune"]);
  say(`${host}: pruned. ${outline(pruned.stdout)}`);
}

async function planAll(
  options: ForgetOptions,
  report: PruneReport,
  cache: string,
): Promise<Thinning[]> {
  const { peer, hosts, say } = options;
  say(`Looking at what the peer has of ${counted(hosts.length, "host")}. Nothing is changed.`);
  const look = await lookAtPeer(peer, hosts);
  if (look.busy) throw new Error("another prune has its door open at the peer. Wait for it to end");
  return await withServer(peer, interruption, async (url) => {
    const plans: Thinning[] = [];
    for (const host of hosts) {
      try {
        const trio = peer.passwords.get(host);
        if (trio === undefined) throw new Error("the stack has no credential of it");
        const { password, isThere } = await acceptedAt(url, host, trio);
        if (!isThere) {
          report.hosts[host] = absent();
          continue;
        }
        const run = resticAt(url, host, password, options, cache);
        const arrivals = look.snapshots.get(host) ?? new Map<string, number>();
        const each = await planHost(host, run, arrivals, look.now, options);
        report.hosts[host] = reportOf(each, options.allowed.has(host));
        plans.push(each);
      } catch (error) {
        interruption.throwIfAborted();
        fail(report, host, messageOf(error));
        say(`${host}: ${printable(messageOf(error))}`);
      }
    }
    return plans;
  });
}

async function planHost(
  host: string,
  run: Run,
  arrivals: ReadonlyMap<string, number>,
  now: number,
  options: ForgetOptions,
): Promise<Thinning> {
  const snapshots = await listSnapshots(run);
  const trusted = new Set(options.trustAll ? snapshots.map(({ id }) => id) : []);
  const known = { snapshots, arrivals, mirrored: undefined, trusted };
  const judged = newHostReport();
  const going = plan(known, options.policy, now, judged);
  const doubt = unusual(
    going.length,
    snapshots.length,
    { unfinished: false, pruned: null, runs: [] },
    now,
  );
  const ids = going.map(({ id }) => id);
  // With all of them restic could not tell what the rest is; the first batch is enough for a look.
  const dry = ids.length === 0 ? ["prune"] : ["forget", "--prune", ...ids.slice(0, FORGET_AT_ONCE)];
  const { stdout } = await must(run, [...dry, "--dry-run", "--no-lock"]);
  return {
    ...{ host, going, doubt },
    total: snapshots.length,
    suspicious: judged.suspicious.map(
      ({ id, time, reason }) => `${id.slice(0, 8)} of ${time}: ${reason}`,
    ),
    prune: outline(stdout),
  };
}

function reportOf(each: Thinning, isAllowed: boolean): HostReport {
  const isRefused = each.doubt !== undefined && !isAllowed;
  const isNothing = each.going.length === 0 && isEmpty(each.prune);
  return {
    outcome: isRefused ? "refused" : isNothing ? "nothing" : "planned",
    snapshots: each.total,
    going: each.going.length,
    files: null,
    bytes: null,
    reasons: isRefused ? [each.doubt] : [],
  };
}

function show(plans: readonly Thinning[], { say, allowed }: ForgetOptions): void {
  if (plans.length === 0) return;
  const head = ["host", "snapshots stay", "snapshots go", "of", "restic's dry run"];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { host, going, total, prune } of plans) {
    const first = going.at(0);
    const last = going.at(-1);
    const of = first && last ? `${shown(first)} to ${shown(last)}` : "";
    table.push([host, total - going.length, going.length, of, prune]);
  }
  say(table.toString());
  for (const { host, suspicious, doubt, going, total } of plans) {
    for (const each of suspicious.slice(0, NAMED))
      say(`${host}: suspicious, counts for nothing and stays: ${printable(each)}`);
    const more = suspicious.length - NAMED;
    if (more > 0) say(`${host}: and ${counted(more, "more suspicious snapshot")}`);
    if (suspicious.length > 0) {
      say(`${host}: where these came with the first mirror, and so all at once, add --trust-all`);
    }
    if (doubt === undefined) continue;
    const what = `${going.length} of ${total} snapshots would go: ${doubt}`;
    say(
      allowed.has(host)
        ? `${host}: allowed although ${what}.`
        : `${host}: nothing is removed: ${what}. Where it is meant, add --allow-shrinkage ${host}`,
    );
  }
}
