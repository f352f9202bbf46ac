/** What `offsite rotate` would do: the edit of the settings, and the plan. */
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { editsOf, planRotation } from "../../cli/rotate/plan.ts";
import { unproven } from "../../cli/rotate/proof.ts";
import { editSettings } from "../../cli/rotate/settings-edit.ts";
import { announcement, deployments, exposure } from "../../cli/rotate/words.ts";
import { generationProblems, stepOf } from "../../config/generations.ts";
import type { StackRecord } from "../../config/record.ts";
import { stackConfigSchema } from "../../config/stack.ts";
import { UsageError } from "../../hub/errors.ts";
import { AGE_KEY, validConfig } from "../config/valid.ts";

const SETTINGS = `# The family's cluster.
encryptionsalt: v1:abc
config:
  fort-offsite:hosts:
    # the big one
    q:
      key:   age1q # its key
      sizeGiB: 10   # and growing
      generation:  3  # turned over in May

    joker: { key: age1j, sizeGiB: 1 } # small
  fort-offsite:targets:
    cloud:
      # at Backblaze
      type: b2
`;

describe("an edit of the settings", () => {
  it("replaces a number where it stands and leaves every other byte", () => {
    const edited = editSettings(SETTINGS, [{ at: "hosts", name: "q", values: { generation: 4 } }]);
    expect(edited).toBe(SETTINGS.replace("generation:  3  #", "generation:  4  #"));
  });

  it("adds what is missing, in a block and in braces, and keeps all comments", () => {
    const edited = editSettings(SETTINGS, [
      { at: "hosts", name: "q", values: { generation: 5, revoked: 4 } },
      { at: "hosts", name: "joker", values: { generation: 2 } },
      { at: "targets", name: "cloud", values: { generation: 2 } },
    ]);
    expect(edited).toContain("    joker: { generation: 2, key: age1j, sizeGiB: 1 } # small\n");
    expect(edited).toContain("      # at Backblaze\n      generation: 2\n      type: b2\n");
    expect(edited.match(/#.*/g)).toEqual(SETTINGS.match(/#.*/g));
    expect(parse(edited)).toMatchObject({
      config: { "fort-offsite:hosts": { q: { generation: 5, revoked: 4, sizeGiB: 10 } } },
    });
  });

  it.each([
    ["an alias", "config:\n  fort-offsite:hosts:\n    p: &one { key: a }\n    q: *one\n"],
    ["a secret", "config:\n  fort-offsite:hosts:\n    secure: v1:abc\n"],
    ["nothing", "config: {}\n"],
  ])("refuses %s, and says what to set by hand", (_, text) => {
    const edit = () => editSettings(text, [{ at: "hosts", name: "q", values: { generation: 2 } }]);
    expect(edit).toThrow(UsageError);
    expect(edit).toThrow(/Set hosts\.q\.generation to 2 by hand/);
  });
});

/** A config with generations, and what the last update left of it. */
function stack(
  now: Record<string, [generation: number, revoked?: number]> = {},
  before: Record<string, [generation: number, revoked?: number]> = {},
) {
  const given = validConfig();
  const config = stackConfigSchema.parse(given);
  const standing = ([generation, revoked = 0]: [number, number?]) => ({ generation, revoked });
  const record: StackRecord = {
    ...{ version: 1, kept: {}, directory: "bundle", hashes: {}, files: {} },
    hosts: Object.fromEntries(Object.keys(config.hosts).map((name) => [name, standing([1])])),
    targets: Object.fromEntries(Object.keys(config.targets).map((name) => [name, standing([1])])),
  };
  for (const all of [config.hosts, config.targets] as Record<string, object>[]) {
    for (const [name, value] of Object.entries(all)) {
      Object.assign(value, standing(now[name] ?? before[name] ?? [1]));
    }
  }
  for (const all of [record.hosts, record.targets]) {
    for (const [name, value] of Object.entries(before)) {
      if (name in all) all[name] = standing(value);
    }
  }
  return { config, record };
}

const ask = (change: Partial<{ names: string[]; all: boolean; revoke: boolean }>) => ({
  ...{ names: [], all: false, revoke: false },
  ...change,
});

describe("the plan of a rotation", () => {
  it("raises what was asked for by one", () => {
    const { config, record } = stack({}, { q: [3] });
    expect(editsOf(planRotation(config, record, ask({ names: ["q"] })))).toEqual([
      { at: "hosts", name: "q", values: { generation: 4 } },
    ]);
  });

  it("skips, for a revocation, what the thief holds for the next time", () => {
    const { config, record } = stack({}, { q: [3] });
    expect(editsOf(planRotation(config, record, ask({ names: ["q"], revoke: true })))).toEqual([
      { at: "hosts", name: "q", values: { generation: 5, revoked: 4 } },
    ]);
  });

  it("of all takes every host and every target with keys, and no server twice", () => {
    const { config, record } = stack();
    const names = planRotation(config, record, ask({ all: true })).map(({ name }) => name);
    expect(names).toEqual([...Object.keys(config.hosts), "cloud"]);
  });

  it("goes on with a rotation that did not come to its end", () => {
    const { config, record } = stack({ q: [2] });
    const plan = planRotation(config, record, ask({ names: ["q"] }));
    expect(plan).toMatchObject([{ name: "q", now: { generation: 2 }, isPending: true }]);
    expect(editsOf(plan)).toEqual([]);
  });

  it("revokes what a rotation that did not come to its end may have handed out", () => {
    const { config, record } = stack({ q: [2] });
    const plan = planRotation(config, record, ask({ names: ["q"], revoke: true }));
    expect(plan).toMatchObject([{ now: { generation: 4, revoked: 3 }, isPending: false }]);
    expect(stepOf({ generation: 1, revoked: 0 }, { generation: 4, revoked: 3 })).toBe("revocation");
  });

  it.each([
    [
      "names that nobody has, all of them",
      ["zz", "yy"],
      /"zz" is neither.*"yy" is neither.*drhorrible, q/,
    ],
    ["a host together with a server", ["q", "peer"], /turns over with the host already/],
  ])("refuses %s", (_, names, message) => {
    const { config, record } = stack();
    expect(() => planRotation(config, record, ask({ names }))).toThrow(message);
  });

  it("refuses while another generation waits in the settings", () => {
    const { config, record } = stack({ drhorrible: [2] });
    const plan = () => planRotation(config, record, ask({ names: ["q"] }));
    expect(plan).toThrow(/hosts\.drhorrible\. Run pulumi up for that first/);
  });

  it("does not let a revocation wait for a rotation that cannot come to its end", () => {
    const { config, record } = stack({ drhorrible: [2] });
    const plan = planRotation(config, record, ask({ names: ["q"], revoke: true }));
    expect(plan).toMatchObject([
      { name: "q", isPending: false },
      { name: "drhorrible", now: { generation: 2, revoked: 0 }, isPending: true },
    ]);
    expect(editsOf(plan).map(({ name }) => name)).toEqual(["q"]);
  });

  it("refuses before the first update", () => {
    const { config } = stack();
    expect(() => planRotation(config, undefined, ask({ names: ["q"] }))).toThrow(/pulumi up/);
  });
});

describe("what is said of a rotation", () => {
  const plan = (change: Parameters<typeof ask>[0]) => {
    const { config, record } = stack();
    return { config, turning: planRotation(config, record, ask(change)) };
  };

  it("names the machines to deploy, in any order", () => {
    const { config, turning } = plan({ names: ["q"] });
    expect(announcement(config, turning, "f")).toEqual([
      expect.stringContaining("generation 1 to 2 (in f)"),
    ]);
    expect(deployments(config, turning).join()).toMatch(/Deploy ursula and q .* in any order/);
  });

  it("tells after a leak what to deploy first, and what the thief could do, by name", () => {
    const { config, turning } = plan({ names: ["q"], revoke: true });
    expect(deployments(config, turning).join("\n")).toMatch(/Deploy ursula NOW[^]*Deploy q before/);
    const text = exposure(config, turning, new Date(0)).join("\n");
    expect(text).toMatch(/read q's snapshots/);
    expect(text).toMatch(/NOT change or delete/);
  });

  it("tells until when what was hidden at a cloud can be brought back", () => {
    const { config, turning } = plan({ names: ["cloud"], revoke: true });
    const text = exposure(config, turning, new Date("2026-01-01T00:00:00Z")).join("\n");
    expect(text).toContain("until 2026-01-31 (keepHiddenDays: 30)");
    expect(text).toContain("24 hours");
  });

  it("warns that a leak of the hub is more than a leak of a host", () => {
    const { config, turning } = plan({ names: ["ursula"], revoke: true });
    expect(exposure(config, turning, new Date(0)).join("\n")).toContain("rotate --all --revoke");
  });
});

describe("a guest's rotation", () => {
  const withGuests = () => {
    const { config, record } = stack();
    const guest = { key: AGE_KEY, maxSizeGiB: 100, generation: 1, revoked: 0 };
    const standing = { generation: 1, revoked: 0 };
    return {
      config: { ...config, guests: { laptop: guest, peer: guest } },
      record: { ...record, guests: { laptop: standing, peer: standing } },
    };
  };

  it("is of the guest alone, and asks for its file to be handed over", () => {
    const { config, record } = withGuests();
    const turning = planRotation(config, record, ask({ names: ["laptop", "guest:peer"] }));
    expect(editsOf(turning)).toEqual([
      { at: "guests", name: "laptop", values: { generation: 2 } },
      { at: "guests", name: "peer", values: { generation: 2 } },
    ]);
    const lines = deployments(config, turning);
    expect(lines[0]).toMatch(/^Deploy ursula with the new bundle/);
    expect(lines[1]).toMatch(/owner of laptop the new guests\/laptop\.env .* works until then/);
  });

  it("refuses at once what a thief holds, and says that hosts are out of his reach", () => {
    const { config, record } = withGuests();
    const turning = planRotation(config, record, ask({ names: ["laptop"], revoke: true }));
    expect(editsOf(turning)).toMatchObject([{ values: { generation: 3, revoked: 2 } }]);
    expect(deployments(config, turning).join("\n")).toMatch(
      /Deploy ursula NOW[^]*laptop.* is refused as soon as the hub is deployed/,
    );
    const text = exposure(config, turning, new Date(0)).join("\n");
    expect(text).toMatch(/fill its 100 GiB up[^]*NOT see what belongs to hosts/);
  });

  it("is part of --all, and asks whom a name means that a target has too", () => {
    const { config, record } = withGuests();
    const all = planRotation(config, record, ask({ all: true })).map(({ at, name }) => [at, name]);
    expect(all).toContainEqual(["guests", "laptop"]);
    const plan = () => planRotation(config, record, ask({ names: ["peer"] }));
    expect(plan).toThrow(/"peer" is a target and a guest: say target:peer or guest:peer/);
  });

  it("may not go down or skip one", () => {
    const { config, record } = withGuests();
    const { laptop } = config.guests;
    const at = (generation: number) => ({
      ...config,
      guests: { laptop: { ...laptop, generation } },
    });
    expect(generationProblems(at(2), record)).toEqual([]);
    expect(generationProblems(at(3), record)).toMatchObject([
      { path: ["guests", "laptop", "generation"] },
    ]);
  });
});

describe("the proof of use", () => {
  const status = (used: Record<string, [host: string, generation: number | null][]>) =>
    JSON.stringify({
      version: 1,
      targets: Object.fromEntries(
        Object.entries(used).map(([target, hosts]) => [
          target,
          {
            hosts: Object.fromEntries(
              hosts.map(([host, generation]) => [
                host,
                { credential: { age: "current", generation, lastUsed: "2026-01-01T00:00:00Z" } },
              ]),
            ),
          },
        ]),
      ),
    });
  const { config, record } = stack({}, { q: [3], cloud: [2] });
  const all = ["drhorrible", "q", "ursula"];
  const cloud = all.map((host): [string, number] => [host, 2]);
  const peer = all.map((host): [string, number] => [host, host === "q" ? 3 : 1]);

  it("is there when the hub used everywhere what is in force", () => {
    expect(unproven(status({ cloud, peer }), config, record)).toEqual([]);
  });

  it("names who used an older one, and who was never seen", () => {
    const late = peer.map(([host, each]): [string, number] => [host, host === "q" ? 2 : each]);
    const found = unproven(status({ cloud: cloud.slice(1), peer: late }), config, record);
    expect(found).toEqual([
      expect.stringContaining("cloud: the hub has not been seen to use drhorrible's yet"),
      expect.stringMatching(/^peer: for q the hub last used generation 2 \(2026.*3 is in force/),
    ]);
  });

  it.each(["", "{}", '{"version":2,"targets":{}}'])("is not %j", (text) => {
    expect(() => unproven(text, config, record)).toThrow(UsageError);
  });
});
