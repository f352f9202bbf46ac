import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  compareNames,
  decodeName,
  encodeName,
  fileNameProblem,
} from "../../../sandbox/b2/names.ts";

const text = fc.string({ unit: "grapheme", maxLength: 40 });

describe("file names", () => {
  it("come back unchanged from their encoding", () => {
    fc.assert(fc.property(text, (name) => decodeName(encodeName(name)) === name));
  });

  it("decode a plus sign as a space", () => {
    expect(decodeName("a+b%2Bc")).toBe("a b+c");
  });

  it("keep the characters that B2 leaves as they are", () => {
    expect(encodeName("a/b ~!$'()*;=:@ü%+")).toBe("a/b%20~!$'()*;=:@%C3%BC%25%2B");
  });

  it("are ordered by their UTF-8 bytes", () => {
    const anything = fc.string({ unit: "binary", maxLength: 8 });
    fc.assert(
      fc.property(anything, anything, (a, b) => {
        expect(Math.sign(compareNames(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  it.each(["", "/a", "a/", "a//b", "a\u0001", "a\u007f", "x".repeat(251), "y/".repeat(600) + "z"])(
    "are refused when B2 refuses them: %j",
    (name) => {
      expect(fileNameProblem(name)).not.toBeNull();
    },
  );

  it.each(["a", "a/b", ".", "a b", "ü", "x".repeat(250), ("z".repeat(250) + "/").repeat(4) + "x"])(
    "are accepted when B2 accepts them: %j",
    (name) => {
      expect(fileNameProblem(name)).toBeNull();
    },
  );
});
