import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { NameTable } from "../../../hub/repository/name-table.ts";
import { spillInto } from "../../../hub/repository/name-spill.ts";
import { emptyInventory } from "../../../hub/targets/target.ts";
import { compare, NAMES_KEPT } from "../../../hub/verify/compare.ts";

/** More than a table keeps in memory. */
const MANY = 40_000;

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "offsite-hub-names-"));
  spillInto(folder);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const nameOf = (number: number): string => createHash("sha256").update(`${number}`).digest("hex");
const sha1Of = (number: number): string =>
  createHash("sha1").update(`${number}`).digest("hex").slice(0, 16);

describe("a long NameTable", () => {
  let table: NameTable;
  let map: Map<string, { size: number; sha1: string | undefined }>;

  const set = (number: number, size: number, sha1?: string): void => {
    const name = nameOf(number);
    table.set(name, size, sha1);
    map.set(name, { size, sha1: sha1 ?? map.get(name)?.sha1 });
  };
  const expectAlike = (): void => {
    expect(table.count).toBe(map.size);
    expect(table.bytes).toBe([...map.values()].reduce((sum, { size }) => sum + size, 0));
    const listed = [...table.entries()];
    expect(listed.length).toBe(map.size);
    for (const [name, size] of listed) {
      const expected = map.get(name);
      if (size !== expected?.size || table.get(name) !== size) expect(size).toBe(expected?.size);
      if (table.fingerprint(name) !== expected?.sha1) {
        expect(table.fingerprint(name)).toBe(expected?.sha1);
      }
    }
  };

  beforeEach(() => {
    table = new NameTable();
    map = new Map();
    for (let number = 0; number < MANY; number += 1) {
      set(number, number, number % 3 === 0 ? sha1Of(number) : undefined);
    }
  });

  it("holds what a Map holds, also when names come again with other sizes", () => {
    expectAlike();
    for (let number = 0; number < MANY; number += 7) set(number, number + 2 ** 33);
    for (let number = 1; number < MANY; number += 1001) set(number, 5, sha1Of(number + 1));
    expectAlike();
    expect(table.has(nameOf(MANY))).toBe(false);
    expect(table.get(nameOf(-1))).toBeUndefined();
  });

  it("answers while it is changed and listed in turn", () => {
    const listing = table.entries();
    expect(listing.next().done).toBe(false);
    for (let number = 0; number < 300; number += 1) {
      set(MANY + number, 1, sha1Of(number));
      expect(table.get(nameOf(number * 31))).toBe(map.get(nameOf(number * 31))?.size);
      expect(table.fingerprint(nameOf(MANY + number))).toBe(sha1Of(number));
    }
    expectAlike();
  });

  it("leaves no file behind that has a name", () => {
    expect(table.count).toBe(MANY);
    expect(readdirSync(folder)).toEqual([]);
  });
});

it.each([-1, 0.5, 2 ** 48, 2 ** 64, Infinity, NaN])("a table refuses a size of %d", (size) => {
  expect(() => new NameTable().set(nameOf(0), size)).toThrow("is no size of a file");
});

describe("a comparison of long tables", () => {
  it("finds what a comparison of maps finds", () => {
    type Copies = Map<string, { size: number; sha1?: string | undefined }>;
    const tableOf = (copies: Copies): ReturnType<typeof emptyInventory> => {
      const inventory = emptyInventory();
      for (const [name, { size, sha1 }] of copies) inventory.files.data.set(name, size, sha1);
      return inventory;
    };
    const draw = fc.record({
      start: fc.nat({ max: 1e9 }),
      hub: fc.integer({ min: 2, max: 50 }),
      target: fc.integer({ min: 2, max: 50 }),
      size: fc.integer({ min: 100, max: 5000 }),
      hash: fc.integer({ min: 100, max: 5000 }),
    });
    fc.assert(
      fc.property(draw, ({ start, hub, target, size, hash }) => {
        const atHub: Copies = new Map();
        const atTarget: Copies = new Map();
        const ever: Copies = new Map();
        for (let number = 0; number < 25_000; number += 1) {
          const name = nameOf(start + number);
          const sha1 = sha1Of(number);
          if (number % hub > 0) atHub.set(name, { size: number });
          if (number % hub > 0 || number % 3 === 0) ever.set(name, { size: number, sha1 });
          if (number % target === 0) continue;
          const wrong = number % hash === 0;
          atTarget.set(name, {
            size: number + (number % size === 0 ? 1 : 0),
            sha1: wrong ? sha1Of(number + 1) : sha1,
          });
        }
        const ledger = tableOf(ever).files;
        const found = compare({
          ...{ listing: tableOf(atHub), inventory: tableOf(atTarget) },
          ledger: {
            has: (kind, name) => ledger[kind].has(name),
            size: (kind, name) => ledger[kind].get(name),
            fingerprint: (kind, name) => ledger[kind].fingerprint(name),
          },
        });
        const expected = {
          present: 0,
          missing: 0,
          wrongSize: 0,
          wrongHash: 0,
          strangers: 0,
          gone: 0,
        };
        for (const [name, { size: wanted }] of atHub) {
          const there = atTarget.get(name);
          if (there === undefined) expected.missing += 1;
          else if (there.size !== wanted) expected.wrongSize += 1;
          else if (there.sha1 !== ever.get(name)?.sha1) expected.wrongHash += 1;
          else expected.present += 1;
        }
        for (const [name, there] of atTarget) {
          const before = ever.get(name);
          if (atHub.has(name)) continue;
          if (before === undefined) {
            expected.strangers += 1;
            continue;
          }
          expected.gone += 1;
          if (there.size !== before.size) expected.wrongSize += 1;
          else if (there.sha1 !== before.sha1) expected.wrongHash += 1;
        }
        for (const [what, count] of Object.entries(expected)) {
          const finding = found[what as keyof typeof found];
          expect([what, finding.count]).toEqual([what, count]);
          expect(finding.paths.length).toBe(Math.min(count, NAMES_KEPT));
        }
      }),
      { numRuns: 3 },
    );
  });
});

describe("tables of very many names", () => {
  /** Fills three tables as a verify has them, and prints by how many bytes the process has grown. */
  const PROGRAM = `
    import { randomBytes } from "node:crypto";
    import { NameTable } from "${join(import.meta.dirname, "../../../hub/repository/name-table.ts")}";
    import { spillInto } from "${join(import.meta.dirname, "../../../hub/repository/name-spill.ts")}";
    process.env.TMPDIR = process.argv[2];
    spillInto(process.argv[2]);
    const text = randomBytes(32).toString("hex");
    const count = 300_000;
    const tables = [new NameTable(), new NameTable(), new NameTable()];
    const { external } = process.memoryUsage();
    const bytes = Buffer.from(text);
    for (let number = 0; number < count; number += 1) {
      bytes.write((Math.imul(number, 2654435761) >>> 0).toString(16).padStart(8, "0"), 0, "latin1");
      for (const table of tables) table.setFrom(bytes, 0, number, 0);
    }
    let same = 0;
    for (const [name, size] of tables[0].entries()) {
      if (tables[1].get(name) === size && tables[2].has(name)) same += 1;
    }
    const { external: after } = process.memoryUsage();
    console.log(JSON.stringify({ same, grown: after - external }));
  `;

  const run = async (into: string, most = "unlimited") => {
    const program = join(folder, "program.mts");
    writeFileSync(program, PROGRAM);
    // A small heap: what is kept in it for each name would end the process.
    const node = [process.execPath, "--import", "tsx", "--max-old-space-size=40", program, into];
    const limited = `ulimit -f ${most}; exec "$@"`;
    const { stdout } = await execa("sh", ["-c", limited, "sh", ...node]);
    rmSync(program);
    return JSON.parse(stdout) as { same: number; grown: number };
  };

  it("take 10 bytes a name of memory at most, in a small heap", async () => {
    const { same, grown } = await run(folder);
    expect(same).toBe(300_000);
    expect(grown / 900_000).toBeLessThan(10);
  });

  it("stay in memory where there is no disk to be had", async () => {
    const { same, grown } = await run(join(folder, "none"));
    expect(same).toBe(300_000);
    expect(grown / 900_000).toBeGreaterThan(40);
  });

  it("are whole where the disk is full in the middle", async () => {
    const { same, grown } = await run(folder, "20000");
    expect(same).toBe(300_000);
    expect(grown / 900_000).toBeGreaterThan(20);
  });
});
