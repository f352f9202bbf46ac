/** What may become of a generation between two updates. */
import { describe, expect, it } from "vitest";
import { generationProblems, stepOf } from "../../config/generations.ts";
import type { StackRecord } from "../../config/record.ts";
import type { StackConfig } from "../../config/stack.ts";

type Generations = Record<string, [generation: number, revoked?: number]>;

const standings = (all: Generations) =>
  Object.fromEntries(
    Object.entries(all).map(([name, [generation, revoked = 0]]) => [name, { generation, revoked }]),
  );

function problems(
  before: { hosts: Generations; targets: Generations },
  now: { hosts: Generations; targets: Generations },
): string[] {
  const record: StackRecord = {
    version: 1,
    hosts: standings(before.hosts),
    targets: standings(before.targets),
    kept: {},
    directory: "bundle",
    hashes: {},
    files: {},
  };
  const targets = Object.entries(standings(now.targets)).map(([name, standing]) => [
    name,
    { ...standing, type: name === "cloud" ? "b2" : "rest-server" },
  ]);
  const config = { hosts: standings(now.hosts), targets: Object.fromEntries(targets) as unknown };
  return generationProblems(config as Pick<StackConfig, "hosts" | "targets">, record).map(
    ({ path, message }) => `${path.join(".")}: ${message}`,
  );
}

describe("a step of a generation", () => {
  it.each([
    ["staying", [3, 0], [3, 0], "none"],
    ["going up by one", [3, 0], [4, 0], "rotation"],
    ["going down", [3, 0], [2, 0], "wrong"],
    ["skipping one", [3, 0], [5, 0], "wrong"],
    ["skipping one that is revoked, with the one after it", [3, 0], [5, 4], "revocation"],
    ["revoking more than was ever made", [3, 0], [9, 8], "revocation"],
    ["revoking too little, so that the next one is still held", [3, 0], [4, 3], "wrong"],
    ["skipping one more than what is revoked", [3, 0], [6, 4], "wrong"],
    ["staying after a revocation", [5, 4], [5, 4], "none"],
    ["going up after a revocation", [5, 4], [6, 4], "rotation"],
    ["taking a revocation back", [5, 4], [5, 0], "wrong"],
    ["revoking again", [5, 4], [7, 6], "revocation"],
  ] as const)("%s is told for what it is", (_, [generation, revoked], [to, revokedTo], step) => {
    expect(stepOf({ generation, revoked }, { generation: to, revoked: revokedTo })).toBe(step);
  });

  it("is anything where nothing is known of before", () => {
    expect(stepOf(undefined, { generation: 7, revoked: 0 })).toBe("none");
  });
});

describe("the generations of a config", () => {
  it("are refused all at once, each with its place and the way out", () => {
    const found = problems(
      { hosts: { q: [3], joker: [2] }, targets: { cloud: [1] } },
      { hosts: { q: [2], joker: [4] }, targets: { cloud: [3] } },
    );
    expect(found).toEqual([
      expect.stringMatching(
        /^hosts\.q\.generation: got 2, which goes down from 3: .*offsite rotate q --revoke$/,
      ),
      expect.stringMatching(
        /^hosts\.joker\.generation: got 4, which skips some after 2: .*must be 2 or 3/i,
      ),
      expect.stringMatching(/^targets\.cloud\.generation: got 3/),
    ]);
  });

  it("remember a host that left and comes back", () => {
    expect(
      problems({ hosts: { q: [5] }, targets: {} }, { hosts: { q: [1] }, targets: {} }),
    ).toEqual([expect.stringContaining("goes down from 5")]);
  });

  it("may be anything for a host that is new", () => {
    expect(problems({ hosts: {}, targets: {} }, { hosts: { q: [8] }, targets: {} })).toEqual([]);
  });

  it("may not turn a password over twice in one update", () => {
    const before = { hosts: { q: [1] }, targets: { cloud: [1], peer: [1] } } satisfies Record<
      string,
      Generations
    >;
    const both = problems(before, { hosts: { q: [2] }, targets: { cloud: [1], peer: [2] } });
    expect(both).toEqual([
      expect.stringMatching(/^targets\.peer\.generation: is raised together with that of q/),
    ]);
    // Keys of a cloud target live side by side.
    expect(problems(before, { hosts: { q: [2] }, targets: { cloud: [2], peer: [1] } })).toEqual([]);
  });

  it("take names for names, whatever JavaScript has under them", () => {
    const hosts: Generations = { ["constructor" as string]: [2] };
    expect(problems({ hosts: {}, targets: {} }, { hosts, targets: {} })).toEqual([]);
  });
});
