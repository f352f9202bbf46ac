import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NameTable } from "../../../hub/repository/name-table.ts";
import { readListing, readListingInto } from "../../../hub/targets/rest-listing.ts";

const name = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));

async function* pieces(text: string, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const end = at + (lengths[turn % lengths.length] ?? 1);
    yield await Promise.resolve(bytes.subarray(at, end));
    at = end;
  }
}

describe("readListing", () => {
  it("reads a listing in whatever pieces it arrives", async () => {
    const blob = fc.record({ name, size: fc.nat() });
    const temporary = fc.record({ name: fc.string({ unit: "grapheme" }), size: fc.nat() });
    const lengths = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(blob), fc.array(temporary), lengths, async (blobs, others, cut) => {
        const odd = others.filter(({ name: each }) => !each.includes("}"));
        const table = await readListing(pieces(JSON.stringify([...odd, ...blobs]), cut));
        expect(new Map(table.entries())).toEqual(
          new Map(blobs.map((each) => [each.name, each.size])),
        );
      }),
    );
  });

  it.each([
    "",
    "[",
    '[{"name":"a","size":1}',
    '[{"name":"a","size":1},',
    '["a"]',
    '[{"name":"a"}]',
    '{"name":"a","size":1}',
    "<html></html>",
    "null",
  ])("refuses %j", async (text) => {
    await expect(readListing(pieces(text, [1000]))).rejects.toThrow("the server's listing is");
  });

  it("gives up a listing that does not end, and tries it no more", async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let at = 0; ; at += 1) {
        const name = at.toString(16).padStart(64, "0");
        yield await Promise.resolve(
          Buffer.from(`${at === 0 ? "[" : ","}{"name":"${name}","size":1}`),
        );
      }
    }
    const listed = readListingInto(new NameTable(), endless(), undefined, 1000);
    await expect(listed).rejects.toThrow(
      expect.objectContaining({
        name: "StopError",
        message: "the server's listing does not end after 1000 files",
      }),
    );
  });
});
