import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HASHED_KINDS, isFileName, parsePath, pathOf } from "../../../hub/repository/layout.ts";
import { listRepository } from "../../../hub/repository/listing.ts";
import { NameTable } from "../../../hub/repository/name-table.ts";
import {
  newChunkBuffers,
  openIfPresent,
  RottenFileError,
  verifiedChunks,
  verifyFile,
  type ChunkBuffers,
} from "../../../hub/repository/verified-read.ts";

const name = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
// Names that share their first bytes, as names at random hardly ever do.
const crowded = fc
  .tuple(fc.integer({ min: 0, max: 3 }), name)
  .map(([start, rest]) => `0000000${start}${rest.slice(8)}`);

describe("paths", () => {
  it("are parsed back to what they were made of", () => {
    fc.assert(
      fc.property(fc.constantFrom(...HASHED_KINDS), name, (kind, each) => {
        expect(parsePath(pathOf(kind, each))).toEqual({ kind, name: each });
      }),
    );
  });

  it("of anything else are not taken for files of a repository", () => {
    const id = "ab".repeat(32);
    for (const path of [
      "",
      "keys",
      `locks/${id}`,
      `data/${id}`,
      `data/ac/${id}`,
      `data/ab/${id}.rest-server-temp1`,
      `keys/x/${id}`,
      `../keys/${id}`,
      `index/${id.toUpperCase()}`,
    ]) {
      expect(parsePath(path)).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (text) => !isFileName(`${text}g`)));
  });
});

describe("NameTable", () => {
  it("holds what a Map holds, whatever is set in whatever order", () => {
    const entry = fc.tuple(fc.oneof(name, crowded), fc.integer({ min: 0, max: 2 ** 40 }));
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 400 }), name, (entries, other) => {
        const table = new NameTable();
        const map = new Map(entries);
        for (const [each, size] of entries) table.set(each, size);
        expect(table.count).toBe(map.size);
        expect(table.bytes).toBe([...map.values()].reduce((sum, size) => sum + size, 0));
        expect(new Map(table.entries())).toEqual(map);
        for (const [each, size] of map) expect(table.get(each)).toBe(size);
        expect(table.has(other)).toBe(map.has(other));
      }),
    );
  });
});

describe("reading and listing", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "offsite-hub-files-"));
  });

  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it.each([0, 1, 1024 * 1024, 1024 * 1024 + 1, 3_000_000])(
    "passes a good file of %d bytes on and holds the end of a rotten one back",
    async (size) => {
      const content = randomBytes(size);
      const path = join(root, "file");
      writeFileSync(path, content);
      const good = createHash("sha256").update(content).digest("hex");
      const read = async (expected: string, buffers?: ChunkBuffers): Promise<Buffer> => {
        const file = await openIfPresent(path);
        if (file === undefined) throw new Error("gone");
        const chunks: Buffer[] = [];
        try {
          // With memory that is used again, a chunk holds until the next is asked for.
          for await (const chunk of verifiedChunks(file, expected, buffers)) {
            chunks.push(Buffer.from(chunk));
          }
        } catch (error) {
          expect(error).toBeInstanceOf(RottenFileError);
          expect(Buffer.concat(chunks).length).toBeLessThan(Math.max(1, size));
          throw error;
        } finally {
          await file.handle.close();
        }
        return Buffer.concat(chunks);
      };
      for (const buffers of [undefined, newChunkBuffers()]) {
        expect((await read(good, buffers)).equals(content)).toBe(true);
        await expect(read("0".repeat(64), buffers)).rejects.toThrow("does not match its name");
      }
      const file = await openIfPresent(path);
      if (file === undefined) throw new Error("gone");
      await verifyFile(file, good);
      await file.handle.close();
    },
  );

  it("finds no file where there is none", async () => {
    expect(await openIfPresent(join(root, "none"))).toBeUndefined();
  });

  it("lists finished files with their sizes and nothing else", async () => {
    const id = (digit: string): string => digit.repeat(64);
    for (const folder of ["keys", "index", "snapshots", "locks", "data/aa", "data/ab", "data/zz"]) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    writeFileSync(join(root, "config"), "12345");
    writeFileSync(join(root, "keys", id("1")), "1");
    writeFileSync(join(root, "locks", id("2")), "1");
    writeFileSync(join(root, "index", id("3")), "123");
    writeFileSync(join(root, "index", `${id("3")}.rest-server-temp42`), "123");
    writeFileSync(join(root, "data/aa", id("a")), "1234");
    writeFileSync(join(root, "data/zz", id("b")), "1234");
    mkdirSync(join(root, "snapshots", id("c")));
    const listing = await listRepository(root);
    expect(listing.config).toBe(5);
    const found = HASHED_KINDS.map((kind) => [...listing.files[kind].entries()]);
    expect(found).toEqual([[[id("1"), 1]], [[id("a"), 4]], [[id("3"), 3]], []]);
  });

  it("follows a link to a file, and refuses one to nothing, rather than leave a pack out", async () => {
    const id = "ab".repeat(32);
    const pack = join(root, "data", "ab", id);
    mkdirSync(dirname(pack), { recursive: true });
    symlinkSync(join(root, "elsewhere"), pack);
    await expect(listRepository(root)).rejects.toThrow(`"${pack}" is a link to nothing`);
    writeFileSync(join(root, "elsewhere"), "1234");
    expect((await listRepository(root)).files.data.get(id)).toBe(4);
  });

  it("finds nothing in a folder that is not there", async () => {
    const listing = await listRepository(join(root, "none"));
    expect(listing.config).toBeUndefined();
    expect(HASHED_KINDS.every((kind) => listing.files[kind].count === 0)).toBe(true);
  });
});
