import { describe, expect, it } from "vitest";
import { guestFarewells } from "../../config/guests.ts";
import { parseStackConfig } from "../../config/parse.ts";
import { InputError } from "../../config/problems.ts";
import type { StackRecord } from "../../config/record.ts";
import { AGE_KEY, raw, SSH_KEY, validConfig } from "./valid.ts";

const LAPTOP = { key: SSH_KEY, maxSizeGiB: 100 };

function withGuests(guests: object, hub: object = { guestsUrl: "https://friends.example" }) {
  const config = validConfig();
  return { ...config, hub: { ...(config.hub as object), ...hub }, guests };
}

function problemsOf(config: Record<string, unknown>): string[] {
  try {
    parseStackConfig(raw(config), "prod");
  } catch (error) {
    if (error instanceof InputError) return error.message.split("\n").slice(1);
    throw error;
  }
  return [];
}

describe("guests in the config", () => {
  it("are none by default, and have a generation where there are some", () => {
    expect(parseStackConfig(raw(validConfig()), "prod").guests).toEqual({});
    const { guests, hub } = parseStackConfig(raw(withGuests({ laptop: LAPTOP })), "prod");
    expect(guests.laptop).toMatchObject({ ...LAPTOP, generation: 1, revoked: 0 });
    expect(hub.guestRepositories).toBe("/var/lib/restic-guests");
  });

  it.each([
    ["a host's name", { q: LAPTOP }, /guests\.q: got the name of a host/],
    ["restic's own", { locks: LAPTOP }, /guests\.locks: got the name "locks", must be/],
    ["a long name", { ["a".repeat(25)]: LAPTOP }, /up to 24 lower-case letters/],
    ["a path", { "../q": LAPTOP }, /got the name "\.\.\/q", must be/],
    ["no limit", { laptop: { key: AGE_KEY } }, /guests\.laptop\.maxSizeGiB: got nothing/],
    ["a limit of nothing", { laptop: { ...LAPTOP, maxSizeGiB: 0 } }, /more than 0/],
    ["a private key", { laptop: { ...LAPTOP, key: "AGE-SECRET-KEY-1" } }, /"age1" public key/],
    [
      "a revoked generation",
      { laptop: { ...LAPTOP, generation: 2, revoked: 2 } },
      /guests\.laptop\.generation: got 2, which is revoked, must be 3/,
    ],
  ])("may not have %s", (_, guests, message) => {
    expect(problemsOf(withGuests(guests))).toEqual([expect.stringMatching(message)]);
  });

  it("need an address, each or all together", () => {
    const none = problemsOf(withGuests({ laptop: LAPTOP, phone: LAPTOP }, {}));
    expect(none).toEqual([
      expect.stringMatching(/guests\.laptop\.url: got nothing.*hub\.guestsUrl/),
      expect.stringMatching(/guests\.phone\.url: got nothing/),
    ]);
    const own = { laptop: { ...LAPTOP, url: "http://10.8.0.1:8101" } };
    expect(problemsOf(withGuests(own, {}))).toEqual([]);
  });

  it.each(["/var/lib/restic-repos", "/var/lib/restic-repos/guests", "/var/lib"])(
    "are not kept in %s, where the hosts' repositories are",
    (guestRepositories) => {
      const url = { guestsUrl: "https://friends.example" };
      const config = withGuests({ laptop: LAPTOP }, { ...url, guestRepositories });
      expect(problemsOf(config)).toEqual([expect.stringMatching(/hub\.guestRepositories: got/)]);
    },
  );

  it("that leave are taken leave of once, with where their data stays", () => {
    const standing = { generation: 1, revoked: 0 };
    const before: StackRecord = {
      ...{ version: 1, hosts: {}, targets: {}, kept: {}, directory: "bundle", hashes: {} },
      guests: { laptop: standing, phone: standing, earlier: standing },
      files: { "guests/laptop.env.age": "", "guests/phone.env.age": "" },
    };
    const config = parseStackConfig(raw(withGuests({ laptop: LAPTOP })), "prod");
    expect(guestFarewells(config, before)).toEqual([
      expect.stringMatching(/guest phone .*stays in \/var\/lib\/restic-guests\/phone/),
    ]);
    expect(guestFarewells(config, undefined)).toEqual([]);
  });
});
