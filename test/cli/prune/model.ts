/** A model of a hub and a peer: repositories as sets of names that refer to each other. */
import { createHash } from "node:crypto";
import type { AtPeer } from "../../../cli/prune/removal.ts";
import { HASHED_KINDS, type HashedKind } from "../../../hub/repository/layout.ts";
import { NameTable } from "../../../hub/repository/name-table.ts";
import type { Inventory } from "../../../hub/targets/target.ts";

export const DAY = 86_400_000;
export const NOON = Date.UTC(2026, 5, 15, 12);

/** A name as restic makes them: never the same one twice. */
export function name(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A listing of these names, ten bytes each. */
export function inventory(
  files: Partial<Record<HashedKind, Iterable<string>>>,
  config = "config",
): Inventory {
  const tables = HASHED_KINDS.map((kind) => {
    const table = new NameTable();
    for (const each of files[kind] ?? []) table.set(each, 10);
    return [kind, table] as const;
  });
  const content = Buffer.from(config);
  return {
    config: { size: content.length, content },
    files: Object.fromEntries(tables) as Inventory["files"],
  };
}

/** What the peer has: snapshots by the day of their arrival, counted back from today. */
export function peerWith(
  files: Partial<Record<HashedKind, Iterable<string>>>,
  daysAgo: ReadonlyMap<string, number> = new Map(),
  locks: readonly number[] = [],
): AtPeer {
  const arrivals = new Map([...daysAgo].map(([each, days]) => [each, NOON - days * DAY]));
  return { inventory: inventory(files), arrivals, locks };
}

interface Place {
  readonly snapshots: Set<string>;
  readonly index: Set<string>;
  readonly data: Set<string>;
}

/** A hub that is backed up to, pruned and mirrored to a peer, a step at a time. */
export class Model {
  readonly hub: Place = { snapshots: new Set(), index: new Set(), data: new Set() };
  readonly peer: Place = { snapshots: new Set(), index: new Set(), data: new Set() };
  /** What each snapshot needs, what each index file lists of each pack, what is in each pack. */
  readonly #needs = new Map<string, readonly string[]>();
  readonly #lists = new Map<string, readonly string[]>();
  readonly #holds = new Map<string, readonly string[]>();
  #count = 0;

  #name(): string {
    this.#count += 1;
    return name(String(this.#count));
  }

  /** A backup: new blobs in a pack, in an index file, and a snapshot of them and of older ones. */
  backUp(): void {
    const older = [...this.hub.snapshots].at(-1);
    const blobs = [`blob ${this.#count}`, `other blob ${this.#count}`];
    const [pack, index, snapshot] = [this.#name(), this.#name(), this.#name()];
    this.#holds.set(pack, blobs);
    this.#lists.set(index, [pack]);
    this.#needs.set(snapshot, [...blobs, ...(this.#needs.get(older ?? "") ?? []).slice(0, 3)]);
    this.hub.data.add(pack);
    this.hub.index.add(index);
    this.hub.snapshots.add(snapshot);
  }

  /** A prune at the hub, step by step: forgets a snapshot, packs what is still needed anew. */
  *prune(which: number): Generator<void> {
    const all = [...this.hub.snapshots];
    if (all.length < 2) return;
    this.hub.snapshots.delete(all[which % all.length] ?? "");
    yield;
    const needed = new Set([...this.hub.snapshots].flatMap((each) => this.#needs.get(each) ?? []));
    const blobsOf = (pack: string) => this.#holds.get(pack) ?? [];
    const old = [...this.hub.data].filter(
      (pack) => !blobsOf(pack).every((blob) => needed.has(blob)),
    );
    const rescued = new Set(old.flatMap(blobsOf).filter((blob) => needed.has(blob)));
    const pack = this.#name();
    if (rescued.size > 0) {
      this.#holds.set(pack, [...rescued]);
      this.hub.data.add(pack);
      yield;
    }
    const before = [...this.hub.index];
    const index = this.#name();
    this.#lists.set(
      index,
      [...this.hub.data].filter((each) => !old.includes(each)),
    );
    this.hub.index.add(index);
    yield;
    for (const each of before) this.hub.index.delete(each);
    yield;
    for (const each of old) this.hub.data.delete(each);
  }

  /** A mirror, step by step, of what the hub had at its beginning. */
  *mirror(): Generator<void> {
    const wanted = (["data", "index", "snapshots"] as const).map(
      (kind) => [kind, [...this.hub[kind]]] as const,
    );
    for (const [kind, names] of wanted) {
      for (const each of names) {
        if (this.peer[kind].has(each)) continue;
        this.peer[kind].add(each);
        yield;
      }
    }
  }

  /** What `restic check` would find wrong with the peer's copy. */
  wrong(): string[] {
    const { snapshots, index, data } = this.peer;
    const packs = [...index].flatMap((each) => this.#lists.get(each) ?? []);
    const blobs = new Set(packs.flatMap((pack) => this.#holds.get(pack) ?? []));
    return [
      ...packs.filter((pack) => !data.has(pack)).map((pack) => `pack ${pack} is missing`),
      ...[...snapshots]
        .filter((each) => !(this.#needs.get(each) ?? []).every((blob) => blobs.has(blob)))
        .map((each) => `snapshot ${each} is incomplete`),
    ];
  }
}
