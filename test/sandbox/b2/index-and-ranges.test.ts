import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { sliceSegments } from "../../../sandbox/b2/blobs.ts";
import { B2Error } from "../../../sandbox/b2/errors.ts";
import type { FileRecord } from "../../../sandbox/b2/model.ts";
import { NameIndex } from "../../../sandbox/b2/name-index.ts";
import { compareNames } from "../../../sandbox/b2/names.ts";
import { parseRange } from "../../../sandbox/b2/range.ts";

function file(fileId: number, fileName: string, uploadTimestamp: number): FileRecord {
  return {
    fileId: String(fileId),
    bucketId: "b",
    fileName,
    action: "upload",
    contentLength: 0,
    contentSha1: null,
    contentMd5: null,
    contentType: null,
    fileInfo: {},
    uploadTimestamp,
    sequence: fileId,
    encryption: { mode: null, algorithm: null },
    retention: { mode: null, retainUntilTimestamp: null },
    legalHold: null,
    replicationStatus: null,
    segments: [],
  };
}

describe("the index of names", () => {
  it("lists what a sorted list of all versions would, whatever was added and removed", () => {
    const step = fc.record({
      name: fc.constantFrom("a", "a/b", "a0", "b", "ü", "𝒳", "\ufffd"),
      time: fc.integer({ min: 1, max: 5 }),
      remove: fc.boolean(),
      look: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const index = new NameIndex();
        let model: FileRecord[] = [];
        for (const [id, { name, time, remove, look }] of steps.entries()) {
          const victim = remove ? model.find((entry) => entry.fileName === name) : undefined;
          if (victim === undefined) {
            const added = file(id, name, time);
            index.put(added);
            model.push(added);
          } else {
            index.remove(victim);
            model = model.filter((entry) => entry !== victim);
          }
          if (!look) continue;
          model.sort(
            (a, b) =>
              compareNames(a.fileName, b.fileName) ||
              b.uploadTimestamp - a.uploadTimestamp ||
              b.sequence - a.sequence,
          );
          expect([...index.namesFrom("")].flatMap((entry) => index.versionsOf(entry))).toEqual(
            model,
          );
        }
      }),
    );
  });
});

describe("ranges", () => {
  it("pick the bytes that a slice picks", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(20), fc.nat(20), (bytes, first, more) => {
        fc.pre(first < bytes.length);
        const range = parseRange(`bytes=${first}-${first + more}`, bytes.length);
        expect(bytes.slice(range.offset, range.offset + range.length)).toEqual(
          bytes.slice(first, first + more + 1),
        );
      }),
    );
  });

  it.each([
    ["bytes=-3", { offset: 7, length: 3 }],
    ["bytes=4-", { offset: 4, length: 6 }],
    ["bytes=-30", { offset: 0, length: 10 }],
  ])("understand %s", (header, expected) => {
    expect(parseRange(header, 10)).toEqual(expected);
  });

  it.each(["bytes=10-", "bytes=5-4", "bytes=-", "lines=1-2", "bytes=1-2,4-5", "bytes=-0"])(
    "are refused with 416 when no byte is in them: %s",
    (header) => {
      expect(() => parseRange(header, 10)).toThrow(B2Error);
    },
  );

  it("cut segments like the bytes that they stand for", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 6 }), fc.nat(30), fc.nat(30), (sizes, at, n) => {
        const segments = sizes.map((length, index) => ({
          blobId: `${index}`,
          offset: 100,
          length,
        }));
        const bytes = (list: typeof segments): string[] =>
          list.flatMap(({ blobId, offset, length }) =>
            Array.from({ length }, (_, index) => `${blobId}:${offset + index}`),
          );
        expect(bytes(sliceSegments(segments, at, n))).toEqual(bytes(segments).slice(at, at + n));
      }),
    );
  });
});
