import { describe, expect, it } from "vitest";
import { parseStackConfig } from "../../config/parse.ts";
import { InputError } from "../../config/problems.ts";
import { parseRecord, type StackRecord } from "../../config/record.ts";
import { dataOf, farewells } from "../../config/removal.ts";
import { raw, validConfig } from "./valid.ts";

type Targets = Record<string, Record<string, unknown>>;

/** The valid config with other targets. */
function withTargets(change: (targets: Targets) => void) {
  const values = structuredClone(validConfig());
  change(values.targets as Targets);
  return values;
}

/** What an update with a config leaves. */
function recordOf(values: ReturnType<typeof validConfig>): StackRecord {
  const { targets } = parseStackConfig(raw(values), "test");
  const kept = Object.fromEntries(
    Object.entries(targets).map(([name, target]) => [
      name,
      {
        ...(target.type === "b2"
          ? { type: "b2", generation: 1, hosts: {} }
          : { type: target.type, compose: "0".repeat(64), htpasswd: "0".repeat(64) }),
        data: dataOf(target),
      },
    ]),
  );
  const record = { version: 1, hosts: {}, targets: {}, kept, directory: "bundle", files: {} };
  const parsed = parseRecord(record);
  if (parsed === undefined) throw new Error("no record");
  return parsed;
}

function problems(values: ReturnType<typeof validConfig>, before: StackRecord): string[] {
  try {
    parseStackConfig(raw(values), "test", before);
    return [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.problems.map(({ path, message }) => `${path.join(".")}: ${message}`);
  }
}

describe("a target that leaves", () => {
  const before = recordOf(validConfig());

  it("is held back while it is protected, and told what will become of its data", () => {
    const [found, ...others] = problems(
      withTargets((targets) => delete targets.cloud),
      before,
    );
    expect(others).toEqual([]);
    expect(found).toMatch(/^targets\.cloud: is gone from the config, and protected\. Put it back/);
    expect(found).toContain("stays with all that is in it, and goes on costing");
  });

  it("may go once an update has left it without protection, and says what stays", () => {
    const unprotected = recordOf(
      withTargets((targets) => {
        for (const target of Object.values(targets)) target.protect = false;
      }),
    );
    const without = withTargets((targets) => delete targets.peer);
    expect(problems(without, unprotected)).toEqual([]);
    expect(farewells(parseStackConfig(raw(without), "test"), unprotected)).toEqual([
      expect.stringMatching(/^peer is no longer in the config: .*stay in \/\S+\/repositories/),
    ]);
  });

  it("says nothing where nothing leaves", () => {
    expect(farewells(parseStackConfig(raw(validConfig()), "test"), before)).toEqual([]);
    expect(problems(validConfig(), before)).toEqual([]);
  });
});

describe("a target whose data would begin empty elsewhere", () => {
  const before = recordOf(validConfig());

  it.each([
    ["cloud", "bucket", "another-bucket-of-ours"],
    ["peer", "dataDir", "/srv/elsewhere"],
  ])("is held back while it is protected: %s.%s", (name, field, value) => {
    const moved = withTargets((targets) => {
      targets[name] = { ...targets[name], [field]: value };
    });
    const [found, ...others] = problems(moved, before);
    expect(others).toEqual([]);
    expect(found).toContain(
      `targets.${name}.${field}: got "${value}", but the target is protected`,
    );
  });

  it("is held back when another type takes its name", () => {
    const swapped = withTargets((targets) => {
      targets.cloud = { ...targets.peer, listen: "100.64.0.9:8001", dataDir: "/srv/another" };
    });
    expect(problems(swapped, before)).toEqual([
      expect.stringContaining(
        'targets.cloud.type: got "rest-server", but the target is protected and keeps its data in "b2"',
      ),
    ]);
  });
});

describe("a memory of before there was protection", () => {
  it("holds nothing back", () => {
    const { kept, ...rest } = recordOf(validConfig());
    const old = Object.fromEntries(
      Object.entries(kept).map(([name, each]) => [name, { ...each, data: undefined }]),
    );
    const before = parseRecord({ ...rest, kept: old });
    if (before === undefined) throw new Error("no record");
    expect(
      problems(
        withTargets((targets) => delete targets.cloud),
        before,
      ),
    ).toEqual([]);
  });
});
