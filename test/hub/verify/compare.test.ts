import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CANARY } from "../../../config/canary.ts";
import { hostName } from "../../../config/rules.ts";
import { HASHED_KINDS, pathOf, type HashedKind } from "../../../hub/repository/layout.ts";
import { emptyInventory, type Inventory } from "../../../hub/targets/target.ts";
import { compare, isClean, type Finding } from "../../../hub/verify/compare.ts";
import { sample } from "../../../hub/verify/sample.ts";

const SHA1 = "0123456789abcdef";
const OTHER_SHA1 = "f123456789abcdef";

/** What is known of a file at one place: its size and perhaps its SHA-1. */
type Copy = readonly [size: number, sha1?: string] | undefined;

function name(first: number): string {
  return first.toString(16).padStart(64, "0");
}

function table(copies: readonly Copy[], kind: HashedKind = "data"): Inventory {
  const inventory = emptyInventory();
  for (const [at, copy] of copies.entries()) {
    if (copy !== undefined) inventory.files[kind].set(name(at), copy[0], copy[1]);
  }
  return inventory;
}

/** A ledger in memory. */
function ledger(copies: readonly Copy[]) {
  const { files } = table(copies);
  return {
    has: (kind: HashedKind, each: string) => files[kind].has(each),
    size: (kind: HashedKind, each: string) => files[kind].get(each),
    fingerprint: (kind: HashedKind, each: string) => files[kind].fingerprint(each),
  };
}

describe("compare", () => {
  it.each<[string, Copy, Copy, Copy, string[]]>([
    // title, at the hub, in the ledger, at the target, findings
    ["the same", [5], [5], [5], ["present"]],
    ["the same by its SHA-1", [5], [5, SHA1], [5, SHA1], ["present"]],
    ["of a SHA-1 that one side does not know", [5], [5], [5, SHA1], ["present"]],
    ["of another SHA-1", [5], [5, SHA1], [5, OTHER_SHA1], ["wrongHash"]],
    ["of another size", [5], [5], [6], ["wrongSize"]],
    ["cut short at the hub after it was read", [3], [5, SHA1], [5, SHA1], ["present"]],
    ["not there", [5], [5], undefined, ["missing"]],
    ["gone at the hub", undefined, [5], [5], ["gone"]],
    ["gone at the hub and cut short", undefined, [5], [4], ["gone", "wrongSize"]],
    ["gone at the hub and changed", undefined, [5, SHA1], [5, OTHER_SHA1], ["gone", "wrongHash"]],
    ["gone everywhere", undefined, [5], undefined, []],
    ["never at the hub", undefined, undefined, [5], ["strangers"]],
  ])("finds a file %s", (_title, hub, known, target, expected) => {
    const findings = compare({
      listing: table([hub]),
      inventory: table([target]),
      ledger: ledger([known]),
    });
    const found = Object.entries<Finding>({ ...findings }).filter(
      ([, finding]) => finding.count > 0,
    );
    expect(found.map(([what]) => what).sort()).toEqual(expected);
    for (const [, finding] of found) expect(finding.paths).toEqual([pathOf("data", name(0))]);
    const clean = expected.every((each) => ["present", "gone"].includes(each));
    expect(isClean(findings)).toBe(clean);
  });

  it("calls nothing a stranger without a ledger", () => {
    const findings = compare({ listing: table([]), inventory: table([[5]]) });
    expect([findings.strangers.count, findings.gone.count]).toEqual([0, 1]);
  });

  it("asks what the absence of a file means, and counts missing snapshots", () => {
    const listing = table([[5], [6], [7]], "snapshots");
    const meanings = ["missing", "waiting", "vanished"] as const;
    const findings = compare({
      listing,
      inventory: emptyInventory(),
      whenAbsent: (_kind, each) => meanings[Number.parseInt(each, 16)] ?? "missing",
    });
    expect(findings.missing).toMatchObject({ count: 1, bytes: 5 });
    expect(findings.missingSnapshots.count).toBe(1);
    expect(findings.waiting).toMatchObject({ count: 1, bytes: 6 });
  });

  it("names the first files only, and counts all", () => {
    const listing = table(Array.from({ length: 300 }, () => [1]));
    const { missing } = compare({ listing, inventory: emptyInventory() });
    expect(missing.count).toBe(300);
    expect(missing.paths).toHaveLength(20);
    expect(HASHED_KINDS.some((kind) => missing.paths[0]?.startsWith(kind))).toBe(true);
  });
});

describe("sample", () => {
  it("chooses as many as are wanted, each once and in order", () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(250), (count, wanted) => {
        const items = Array.from({ length: count }, (_, at) => at);
        const chosen = [...sample(items, count, wanted)];
        expect(chosen).toHaveLength(Math.min(count, wanted));
        expect(chosen).toEqual([...new Set(chosen)].sort((a, b) => a - b));
      }),
    );
  });

  it("leaves none out for ever, and chooses others the next time", () => {
    const items = Array.from({ length: 50 }, (_, at) => at);
    const seen = new Set<number>();
    // Each is left out of one choice with a probability of 0.9, of 1000 with less than 1e-45.
    for (let time = 0; time < 1000; time += 1) {
      for (const item of sample(items, 50, 5)) seen.add(item);
    }
    expect(seen.size).toBe(50);
  });
});

it("the canary's folder is a name that no host can have", () => {
  expect(hostName.safeParse(CANARY).success).toBe(false);
});
