import { hkdfSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  deriveBytes,
  derivePassword,
  deriveTrio,
  jointGeneration,
  jointStanding,
  type PasswordOwner,
} from "../../credentials/derive.ts";
import { SEED } from "../config/valid.ts";

const owner: PasswordOwner = { at: "target", target: "peer", host: "q" };

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const owners: fc.Arbitrary<PasswordOwner> = fc.oneof(
  fc.record({ at: fc.constant("hub" as const), host: name }),
  fc.record({ at: fc.constant("target" as const), target: name, host: name }),
);

describe("HKDF-SHA-256", () => {
  // RFC 5869, appendix A.1 to A.3: the function on which the derivation stands.
  it.each([
    [
      "0b".repeat(22),
      "000102030405060708090a0b0c",
      "f0f1f2f3f4f5f6f7f8f9",
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ],
    [
      Buffer.from(Array.from({ length: 80 }, (_, i) => i)).toString("hex"),
      Buffer.from(Array.from({ length: 80 }, (_, i) => 0x60 + i)).toString("hex"),
      Buffer.from(Array.from({ length: 80 }, (_, i) => 0xb0 + i)).toString("hex"),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ],
    [
      "0b".repeat(22),
      "",
      "",
      "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ],
  ])("gives the RFC's vectors", (ikm, salt, info, okm) => {
    const bytes = (hex: string) => Buffer.from(hex, "hex");
    const made = hkdfSync("sha256", bytes(ikm), bytes(salt), bytes(info), okm.length / 2);
    expect(Buffer.from(made).toString("hex")).toBe(okm);
  });
});

describe("a derived password", () => {
  it("never changes: the peers and hosts out there hold it", () => {
    expect(derivePassword(SEED, owner, 1)).toBe("4Qw8MG33JFjYxjaf6FeTCLyqgsEoFzOwU3ifj_77L2k");
  });

  it("is extracted without a salt and expanded with an info that names its owner", () => {
    const info = "fort-offsite/1\0password\0target\0peer\0q\x001";
    const expected = hkdfSync("sha256", Buffer.from(SEED, "hex"), "", info, 32);
    expect(derivePassword(SEED, owner, 1)).toBe(Buffer.from(expected).toString("base64url"));
  });

  it("is 43 characters that need quoting nowhere", () => {
    fc.assert(
      fc.property(owners, fc.integer({ min: 1, max: 1e6 }), (each, generation) => {
        expect(derivePassword(SEED, each, generation)).toMatch(/^[A-Za-z0-9_-]{43}$/);
      }),
    );
  });

  it("differs by owner, by generation and by seed", () => {
    const seed = fc.stringMatching(/^[0-9a-f]{64}$/);
    const input = fc.tuple(seed, owners, fc.integer({ min: 1, max: 1000 }));
    fc.assert(
      fc.property(input, input, (a, b) => {
        const same = JSON.stringify(a) === JSON.stringify(b);
        expect(derivePassword(...a) === derivePassword(...b)).toBe(same);
      }),
    );
  });

  it("is no salt", () => {
    const password = deriveBytes(SEED, "password", owner, 1, 16);
    expect(deriveBytes(SEED, "bcrypt-salt", owner, 1, 16)).not.toEqual(password);
  });
});

describe("previous, current and next", () => {
  it("move on by one place with each generation", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (generation) => {
        const now = deriveTrio(SEED, owner, { generation, revoked: 0 });
        const later = deriveTrio(SEED, owner, { generation: generation + 1, revoked: 0 });
        expect(later.current).toBe(now.next);
        expect(later.previous).toBe(now.current);
      }),
    );
  });

  it("have no previous at the first generation", () => {
    expect(deriveTrio(SEED, owner, { generation: 1, revoked: 0 }).previous).toBeNull();
  });

  it("take the same step whichever of host and target is rotated", () => {
    expect(jointGeneration(1, 1)).toBe(1);
    expect(jointGeneration(2, 1)).toBe(2);
    expect(jointGeneration(1, 2)).toBe(2);
  });

  it("have no previous right after a revocation, and one again with the next rotation of either", () => {
    const previous = (host: [number, number], target: [number, number]) => {
      const [h, t] = [host, target].map(([generation, revoked]) => ({ generation, revoked }));
      if (h === undefined || t === undefined) throw new Error("there are two");
      const joint = jointStanding(h, t);
      const { previous: password } = deriveTrio(SEED, owner, joint);
      return password === derivePassword(SEED, owner, joint.generation - 1);
    };
    expect(previous([1, 0], [1, 0])).toBe(false);
    expect(previous([3, 2], [1, 0])).toBe(false);
    expect(previous([3, 2], [3, 2])).toBe(false);
    expect(previous([4, 2], [1, 0])).toBe(true);
    // The hub that is deployed before the server is reached holds what the server still accepts.
    expect(previous([3, 2], [2, 0])).toBe(true);
    expect(previous([4, 2], [3, 2])).toBe(true);
  });
});
