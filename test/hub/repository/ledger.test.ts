import { appendFileSync, mkdtempSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLedger, type Ledger } from "../../../hub/ledger.ts";
import { NameTable } from "../../../hub/repository/name-table.ts";
import { emptyInventory } from "../../../hub/targets/target.ts";

let state: string;
const open: Ledger[] = [];
const file = (): string => join(state, "ledger", "q");
const SHA1 = "0123456789abcdef0123456789abcdef01234567";

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "offsite-hub-ledger-"));
});

afterEach(() => {
  for (const ledger of open.splice(0)) ledger.close();
  rmSync(state, { recursive: true });
});

async function ledgerOfQ(): Promise<Ledger> {
  const ledger = await openLedger(state, "q");
  open.push(ledger);
  return ledger;
}

/** A listing of so many packs of 7 bytes, whose names begin with their number. */
function packs(from: number, to: number) {
  const { files } = emptyInventory();
  for (let number = from; number < to; number += 1) files.data.set(pack(number), 7);
  return { files };
}

function pack(number: number): string {
  return number.toString(16).padStart(8, "0").padEnd(64, "a");
}

describe("a ledger", () => {
  it("knows after a restart what was added, and adds nothing twice", async () => {
    const ledger = await ledgerOfQ();
    expect(ledger.addListing(packs(0, 5000))).toBe(5000);
    const length = readFileSync(file()).length;
    expect(ledger.addListing(packs(0, 5000))).toBe(0);
    const again = await ledgerOfQ();
    expect(again.addListing(packs(4000, 5001))).toBe(1);
    expect(readFileSync(file()).length).toBeLessThan(length + 100);
    expect(again.size("data", pack(4999))).toBe(7);
    expect(again.has("data", pack(5001))).toBe(false);
    expect(again.has("index", pack(1))).toBe(false);
  });

  it("keeps the SHA-1 of what was read, whatever is added afterwards", async () => {
    const ledger = await ledgerOfQ();
    ledger.addListing(packs(0, 2));
    ledger.learn("data", pack(1), 7, SHA1);
    ledger.flush();
    const again = await ledgerOfQ();
    again.addListing(packs(0, 3));
    expect(again.fingerprint("data", pack(1))).toBe(SHA1.slice(0, 16));
    expect(again.fingerprint("data", pack(0))).toBeUndefined();
  });

  it("cut anywhere loses no name but the last, and none that is added after", async () => {
    const ledger = await ledgerOfQ();
    ledger.addListing(packs(0, 3));
    const whole = readFileSync(file()).length;
    for (let length = whole - 1; length > whole - 70; length -= 7) {
      truncateSync(file(), length);
      const cut = await ledgerOfQ();
      expect(cut.has("data", pack(1))).toBe(true);
      const added = cut.addListing(packs(3, 4));
      expect(added).toBe(1);
      const after = await ledgerOfQ();
      expect([after.has("data", pack(1)), after.has("data", pack(3))]).toEqual([true, true]);
      truncateSync(file(), length);
    }
  });

  it("passes over what it cannot read", async () => {
    (await ledgerOfQ()).addListing(packs(0, 1));
    appendFileSync(file(), Buffer.alloc(300_000));
    appendFileSync(file(), `data ${pack(9)} 99999999999999999 -\ndata ../x 1 -`);
    (await ledgerOfQ()).addListing(packs(1, 2));
    const ledger = await ledgerOfQ();
    expect(ledger.count).toBe(2);
  });

  it("sees what another process has added meanwhile", async () => {
    const one = await ledgerOfQ();
    const other = await ledgerOfQ();
    expect(one.addListing(packs(0, 10))).toBe(10);
    expect(other.addListing(packs(0, 11))).toBe(1);
    expect(other.has("data", pack(3))).toBe(true);
  });

  it("takes over what a target holds once, the first time", async () => {
    const ledger = await ledgerOfQ();
    ledger.addListing(packs(0, 2));
    expect(ledger.baselineOf("peer")).toBeUndefined();
    expect(ledger.baseline("peer", packs(0, 3))).toBe(1);
    const again = await ledgerOfQ();
    expect(again.baseline("peer", packs(0, 9))).toBe(0);
    expect(again.baselineOf("peer")).toMatch(/^20\d\d-/);
    expect([again.has("data", pack(2)), again.has("data", pack(8))]).toEqual([true, false]);
  });
});

describe("NameTable", () => {
  it("takes at most 60 bytes a name, fingerprints included", () => {
    const before = process.memoryUsage();
    const table = new NameTable();
    const count = 150_000;
    for (let number = 0; number < count; number += 1) {
      // The first bytes of names are at random.
      const first = Math.imul(number, 2654435761) >>> 0;
      table.set(first.toString(16).padStart(8, "0").padEnd(64, "b"), number, SHA1);
    }
    const after = process.memoryUsage();
    // Blocks are outside of the heap, in what is counted as external.
    expect((after.external - before.external) / count).toBeLessThan(60);
    expect(table.count).toBe(count);
  });
});
