import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cameBack, ORDER, planRemoval, type AtPeer } from "../../../cli/prune/removal.ts";
import type { Inventory } from "../../../hub/targets/target.ts";
import { DAY, inventory, Model, name, NOON, peerWith } from "./model.ts";

const RULES = { retention: { daily: 7, weekly: 4, monthly: 6 }, now: NOON };
const key = name("key");
const names = (what: string, count: number) =>
  Array.from({ length: count }, (_, at) => name(`${what} ${at}`));

const plan = (peer: AtPeer, hub: Inventory, second = hub) =>
  planRemoval("q", peer, [hub, second], RULES);

/** A peer with daily snapshots, the first one of today, and as many of the rest. */
function daily(count: number) {
  const snapshots = names("snapshot", count);
  const daysAgo = new Map(snapshots.map((each, at) => [each, at] as const));
  const files = { keys: [key], index: names("index", 20), data: names("pack", 200) };
  return { snapshots, daysAgo, files };
}

describe("planRemoval", () => {
  it("removes what the hub no longer has after a prune, without a question", () => {
    const { snapshots, daysAgo, files } = daily(30);
    const kept = [
      ...snapshots.slice(0, 8),
      ...[14, 15, 21, 22, 28].map((at) => snapshots[at] ?? ""),
    ];
    const index = name("new index");
    const peer = peerWith({ ...files, snapshots, index: [...files.index, index] }, daysAgo);
    const hub = inventory({
      ...files,
      snapshots: kept,
      index: [index],
      data: files.data.slice(50),
    });
    const removal = plan(peer, hub);
    expect(removal).toMatchObject({ refusals: [], doubts: [], count: 17 + 20 + 50, waiting: 0 });
    expect([...removal.files.index.keys()]).toEqual(files.index);
    expect(removal.staying).toEqual({ count: 13, oldest: NOON - 28 * DAY, newest: NOON });
    expect(cameBack(removal, hub)).toBe(0);
    expect(cameBack(removal, peer.inventory)).toBe(87);
  });

  it("has nothing to say where there is nothing to remove", () => {
    const { snapshots, daysAgo, files } = daily(3);
    const all = { ...files, snapshots };
    expect(plan(peerWith(all, daysAgo, [NOON]), inventory(all))).toMatchObject({
      ...{ count: 0, bytes: 0, refusals: [], doubts: [] },
    });
  });

  it("removes nothing where the hub's repository is missing, another one, without a key, or being pruned", () => {
    const { snapshots, daysAgo, files } = daily(3);
    const all = { ...files, snapshots };
    const peer = peerWith(all, daysAgo);
    const rest = { ...all, snapshots: snapshots.slice(0, 2) };
    const missing: Inventory = { ...inventory({}), config: undefined };
    const refusals = (hub: Inventory, second = hub) => plan(peer, hub, second).refusals.join();
    expect(refusals(missing)).toMatch(/the hub has no repository/);
    expect(refusals(inventory(rest), missing)).toMatch(/the hub has no repository/);
    expect(refusals(inventory(rest, "another"))).toMatch(/another one than the peer's/);
    expect(refusals(inventory({ ...rest, keys: [] }))).toMatch(/has no key/);
    expect(refusals(inventory(rest), inventory({ ...rest, index: files.index.slice(1) }))).toMatch(
      /being pruned right now/,
    );
  });

  it("removes nothing where the peer lacks what the hub has, or has it in another size", () => {
    const { snapshots, daysAgo, files } = daily(3);
    const rest = { ...files, snapshots: snapshots.slice(0, 2) };
    const peer = peerWith({ ...files, snapshots, data: files.data.slice(1) }, daysAgo);
    expect(plan(peer, inventory(rest)).refusals.join()).toMatch(
      /1 file missing.*offsite-hub mirror/,
    );
    const damaged = peerWith({ ...files, snapshots }, daysAgo);
    damaged.inventory.files.data.set(files.data[0] ?? "", 3);
    expect(plan(damaged, inventory(rest)).refusals.join()).toMatch(/1 file at the peer .* size/);
  });

  it("removes nothing while restic works at the peer, and heeds no lock that was left behind", () => {
    const { snapshots, daysAgo, files } = daily(3);
    const hub = inventory({ ...files, snapshots: snapshots.slice(0, 2) });
    const locked = (minutes: number) =>
      plan(peerWith({ ...files, snapshots }, daysAgo, [NOON - minutes * 60_000]), hub).refusals;
    expect(locked(4).join()).toMatch(/restic's lock there is 4 minutes old/);
    expect(locked(-1).join()).toMatch(/restic's lock/);
    expect(locked(40)).toEqual([]);
  });

  it("asks where the hub looks as if it had been emptied", () => {
    const { snapshots, daysAgo, files } = daily(20);
    const peer = peerWith({ ...files, snapshots }, daysAgo);
    const doubts = (hub: Parameters<typeof inventory>[0]) =>
      plan(peer, inventory({ ...files, ...hub })).doubts.join("\n");
    expect(doubts({ snapshots: [] })).toMatch(/none of the 20 snapshots at the peer/);
    expect(doubts({ snapshots: [name("forged")] })).toMatch(/none of the 20 snapshots/);
    expect(doubts({ snapshots: snapshots.slice(10) })).toMatch(
      /the newest that goes is of 2026-06-15, the newest that stays of 2026-06-05/,
    );
    expect(doubts({ snapshots: snapshots.slice(0, 2) })).toMatch(
      /\d+ snapshots that a retention of 7 daily, 4 weekly and 6 monthly ones keeps/,
    );
    expect(doubts({ snapshots, data: files.data.slice(10) })).toMatch(
      /10 packs would go and no index file/,
    );
    const begun = new Set(files.data.slice(0, 10));
    const going = inventory({ ...files, snapshots, data: files.data.slice(10) });
    expect(plan({ ...peer, begun }, going)).toMatchObject({ doubts: [], count: 10 });
    expect(doubts({ snapshots, index: [], data: [] })).toMatch(
      /no index left[^]*2\.1 KiB of the 2\.4 KiB/,
    );
  });

  it("leaves a sound copy at every moment, whatever the hub and the mirror do meanwhile", () => {
    const step = fc.record({
      what: fc.constantFrom("backup", "prune", "mirror"),
      which: fc.nat(9),
      steps: fc.nat(12),
    });
    let carriedOut = 0;
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 14 }),
        fc.array(step, { minLength: 12, maxLength: 12 }),
        (before, meanwhile) => {
          const model = new Model();
          const running: { prune?: Generator<void> } = {};
          const act = ({ what, which, steps }: (typeof before)[number]) => {
            if (what === "backup") {
              model.backUp();
              return;
            }
            // A prune and a mirror exclude each other at the hub; either may be ended anywhere.
            const work = what === "prune" ? (running.prune ??= model.prune(which)) : model.mirror();
            for (let at = 0; at <= steps; at += 1)
              if (work.next().done === true) delete running.prune;
          };
          for (let at = 0; at < 3; at += 1) model.backUp();
          act({ what: "mirror", which: 0, steps: 99 });
          for (const each of before) act(each);
          act({ what: "prune", which: 1, steps: 99 });
          act({ what: "mirror", which: 0, steps: 99 });
          expect(model.wrong()).toEqual([]);
          const [one, two, ...rest] = meanwhile;
          const peer = peerWith({ keys: [key], ...model.peer });
          // A listing takes a while: the kinds in any order, and what happens meanwhile between.
          const listHub = (reverse: boolean, between: (typeof before)[number] | undefined) => {
            const kinds = ["data", "index", "snapshots"] as const;
            const found = new Map<string, string[]>([["keys", [key]]]);
            for (const kind of reverse ? kinds.toReversed() : kinds) {
              found.set(kind, [...model.hub[kind]]);
              if (between !== undefined) act({ ...between, steps: between.steps % 4 });
            }
            return inventory(Object.fromEntries(found));
          };
          if (one !== undefined && one.steps > 6) act({ ...one, what: "prune" });
          const first = listHub(one?.which === 0, one);
          const second = listHub(two?.which === 0, two);
          const removal = planRemoval("q", peer, [first, second], RULES);
          if (removal.refusals.length > 0 || removal.count === 0) return;
          carriedOut += 1;
          for (const kind of ORDER) {
            if (kind === "keys") continue;
            for (const each of removal.files[kind].keys()) {
              model.peer[kind].delete(each);
              expect(model.wrong()).toEqual([]);
              const next = rest.pop();
              if (next !== undefined && next.which < 5) act(next);
            }
          }
          act({ what: "mirror", which: 0, steps: 99 });
          expect(model.wrong()).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
    expect(carriedOut).toBeGreaterThan(50);
  });
});
