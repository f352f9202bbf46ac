/**
 * What to remove at a peer: what the hub no longer has; and why not, where something speaks against
 * it. Nothing is changed here. See docs/adr/0010-pruning-a-peer.md for why a removal that is planned
 * so leaves a repository that `restic check` accepts at every moment.
 */
import { counted, size } from "../../hub/format.ts";
import { unexplained, type Arrivals } from "../../hub/mirror/shrinkage.ts";
import { HASHED_KINDS, type HashedKind } from "../../hub/repository/layout.ts";
import type { NameTable } from "../../hub/repository/name-table.ts";
import type { Retention } from "../../hub/settings.ts";
import type { Inventory } from "../../hub/targets/target.ts";

/** The kinds in the order in which they are removed: each is needed by none that comes after it. */
export const ORDER = [
  "snapshots",
  "index",
  "data",
  "keys",
] as const satisfies readonly HashedKind[];

/** What the peer has of a host. It must have been listed before the hub was. */
export interface AtPeer {
  readonly inventory: Inventory;
  /** When each snapshot's file arrived at the peer, by the peer's clock. */
  readonly arrivals: Arrivals;
  /** When the locks there were last written. */
  readonly locks: readonly number[];
  /** Packs that a run before this one was to remove, and did not. */
  readonly begun?: ReadonlySet<string>;
}

/** What the hub has of a host: two listings, the second begun when the first was complete. */
export type AtHub = readonly [Inventory, Inventory];

/** Snapshots by how many they are and when they arrived at the peer. */
export interface SnapshotSpan {
  readonly count: number;
  /** Milliseconds since 1970; undefined where there are none, or it is not known. */
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
}

/** What is to be removed of one host. */
export interface Removal {
  readonly host: string;
  /** By kind: the names, with their sizes. */
  readonly files: Readonly<Record<HashedKind, ReadonlyMap<string, number>>>;
  readonly count: number;
  readonly bytes: number;
  /** The bytes that the peer has of the host now. */
  readonly held: number;
  readonly staying: SnapshotSpan;
  readonly going: SnapshotSpan;
  /** Snapshots of the hub that the peer does not have yet. */
  readonly waiting: number;
  /** Why nothing of it may be removed, whatever the operator says. */
  readonly refusals: readonly string[];
  /** Why nothing of it may be removed before the operator has looked. */
  readonly doubts: readonly string[];
}

const MINUTE_MS = 60_000;
/** restic writes its lock anew every 5 minutes, and takes one of half an hour for left behind. */
const LOCK_MS = 30 * MINUTE_MS;
/** A first mirror sends many snapshots in any order; later ones once a night. */
const NEWEST_MS = 24 * 60 * MINUTE_MS;

/**
 * Plans for one host.
 *
 * @param retention - what the hub is believed to keep.
 * @param now - by the peer's clock.
 */
export function planRemoval(
  host: string,
  peer: AtPeer,
  hub: AtHub,
  { retention, now }: { readonly retention: Retention; readonly now: number },
): Removal {
  const gone = (kind: HashedKind) => extras(kind, peer.inventory, hub);
  const files = {
    keys: gone("keys"),
    data: gone("data"),
    index: gone("index"),
    snapshots: gone("snapshots"),
  };
  const all = HASHED_KINDS.map((kind) => files[kind]);
  const staying = [...peer.inventory.files.snapshots.entries()]
    .map(([name]) => name)
    .filter((name) => !files.snapshots.has(name));
  const plan = {
    host,
    files,
    count: all.reduce((sum, each) => sum + each.size, 0),
    bytes: all.flatMap((each) => [...each.values()]).reduce((sum, bytes) => sum + bytes, 0),
    held: HASHED_KINDS.reduce((sum, kind) => sum + peer.inventory.files[kind].bytes, 0),
    staying: spanOf(staying, peer.arrivals),
    going: spanOf([...files.snapshots.keys()], peer.arrivals),
    waiting: lacking(hub[1].files.snapshots, peer.inventory.files.snapshots).length,
  };
  const refusals = plan.count === 0 ? [] : refusalsOf(peer, hub, now);
  const doubts =
    plan.count === 0 || refusals.length > 0 ? [] : doubtsOf(plan, peer, hub, retention);
  return { ...plan, refusals, doubts };
}

/** Which of what is to go the hub has again: a plan that names any is not to be carried out. */
export function cameBack(removal: Removal, hub: Inventory): number {
  const names = HASHED_KINDS.flatMap((kind) =>
    [...removal.files[kind].keys()].filter((name) => hub.files[kind].has(name)),
  );
  return names.length;
}

function extras(kind: HashedKind, peer: Inventory, hub: AtHub): Map<string, number> {
  const found = new Map<string, number>();
  for (const [name, bytes] of peer.files[kind].entries()) {
    if (!hub.some(({ files }) => files[kind].has(name))) found.set(name, bytes);
  }
  return found;
}

function refusalsOf(peer: AtPeer, hub: AtHub, now: number): string[] {
  const found: string[] = [];
  const [first, second] = hub;
  const configs = hub.map(({ config }) => config?.content);
  const own = peer.inventory.config?.content;
  if (configs.some((content) => content === undefined)) {
    return ["the hub has no repository of it. Where the hub is gone for good, see --forget"];
  }
  if (own === undefined) return ["what the peer has is no repository: its config is missing"];
  if (configs.some((content) => content?.equals(own) !== true)) {
    return [
      "the hub's repository is another one than the peer's (their config differs): made anew at the hub, or exchanged. Find out why before anything is removed",
    ];
  }
  if (second.files.keys.count === 0) found.push("the hub's repository has no key");
  const vanished = (["snapshots", "index"] as const).some(
    (kind) => lacking(first.files[kind], second.files[kind]).length > 0,
  );
  if (vanished) found.push("the hub is being pruned right now. Run this again when that has ended");
  found.push(...incomplete(peer.inventory, hub));
  const age = now - Math.max(...peer.locks);
  if (age < LOCK_MS) {
    found.push(
      `somebody works on it at the peer: restic's lock there is ${counted(Math.max(0, Math.round(age / MINUTE_MS)), "minute")} old. Wait until that restore or check has ended`,
    );
  }
  return found;
}

/** The peer must be able to do without what goes, so it must have all that the hub has in its place. */
function incomplete(peer: Inventory, [first, second]: AtHub): string[] {
  const found: string[] = [];
  const missing = (["keys", "data", "index"] as const).flatMap((kind) =>
    lacking(first.files[kind], peer.files[kind]).filter((name) => second.files[kind].has(name)),
  );
  if (missing.length > 0) {
    found.push(
      `the peer does not have all that the hub has yet (${counted(missing.length, "file")} missing). Run on the hub first: offsite-hub mirror`,
    );
  }
  const damaged = HASHED_KINDS.flatMap((kind) =>
    [...peer.files[kind].entries()].filter(([name, bytes]) => {
      const there = second.files[kind].get(name);
      return there !== undefined && there !== bytes;
    }),
  );
  if (damaged.length > 0) {
    found.push(
      `${counted(damaged.length, "file")} at the peer ${damaged.length === 1 ? "has another size than its" : "have other sizes than their"} original at the hub. See on the hub: offsite-hub verify`,
    );
  }
  return found;
}

function doubtsOf(
  plan: Pick<Removal, "files" | "bytes" | "held" | "staying" | "going">,
  peer: AtPeer,
  hub: AtHub,
  retention: Retention,
): string[] {
  const { files, going, staying, bytes, held } = plan;
  if (going.count > 0 && staying.count === 0) {
    return [`none of the ${counted(going.count, "snapshot")} at the peer is at the hub any more`];
  }
  const found: string[] = [];
  if (going.newest !== undefined && (staying.newest ?? 0) < going.newest - NEWEST_MS) {
    found.push(
      `the newest snapshots at the peer are no longer at the hub: the newest that goes is of ${day(going.newest)}, the newest that stays of ${day(staying.newest)}`,
    );
  }
  const kept = new Map([...peer.arrivals].filter(([name]) => !files.snapshots.has(name)));
  const lost = unexplained(peer.arrivals, kept, retention);
  if (lost > 0) {
    const { daily, weekly, monthly } = retention;
    found.push(
      `${counted(lost, "snapshot")} that a retention of ${daily} daily, ${weekly} weekly and ${monthly} monthly ones keeps ${lost === 1 ? "is" : "are"} no longer at the hub. If the hub keeps fewer, say how many with --keep-daily, --keep-weekly and --keep-monthly`,
    );
  }
  if (hub[1].files.index.count === 0) found.push("the hub's repository has no index left");
  const packs = [...files.data.keys()].filter((name) => peer.begun?.has(name) !== true).length;
  if (packs > 0 && files.index.size === 0) {
    found.push(
      `${counted(packs, "pack")} would go and no index file: packs may have been lost at the hub without a prune. See on the hub: restic check`,
    );
  }
  if (bytes * 2 > held) {
    found.push(`${size(bytes)} of the ${size(held)} that the peer has of it would go`);
  }
  return found;
}

/** The names of one table that another lacks. */
function lacking(names: NameTable, other: NameTable): string[] {
  return [...names.entries()].map(([name]) => name).filter((name) => !other.has(name));
}

function spanOf(names: readonly string[], arrivals: Arrivals): SnapshotSpan {
  const times = names.map((name) => arrivals.get(name)).filter((time) => time !== undefined);
  if (times.length === 0) return { count: names.length, oldest: undefined, newest: undefined };
  let [oldest, newest] = [Infinity, -Infinity];
  for (const time of times) {
    oldest = Math.min(oldest, time);
    newest = Math.max(newest, time);
  }
  return { count: names.length, oldest, newest };
}

/** A day in UTC, or `?`. */
export function day(time: number | undefined): string {
  return time === undefined ? "?" : new Date(time).toISOString().slice(0, 10);
}
