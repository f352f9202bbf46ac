import { describe, expect, it } from "vitest";
import { accountProblems, hubProblems } from "../../../cli/recover/contradictions.ts";
import { importFile } from "../../../cli/recover/import.ts";
import { COMPONENT, KEY, planOf, type PlanInput } from "../../../cli/recover/plan.ts";
import { secretsOfEnv, secretsOfRclone } from "../../../cli/recover/secrets.ts";
import { planLines } from "../../../cli/recover/words.ts";
import { parseStackConfig } from "../../../config/parse.ts";
import type { HubCredentials } from "../../../config/manifest.ts";
import { derivePassword } from "../../../credentials/derive.ts";
import { envFile } from "../../../credentials/env-file.ts";
import { rcloneConf } from "../../../credentials/rclone-conf.ts";
import type { Key } from "../../../sdks/b2/client/types.ts";
import { raw, SEED, SSH_KEY, validConfig } from "../../config/valid.ts";

const config = parseStackConfig(
  raw({ ...validConfig(), hosts: { ursula: { key: SSH_KEY, sizeGiB: 2, generation: 2 } } }),
  "prod",
);
const urn = (type: string, name: string) => `urn:pulumi:prod::fort-offsite::${type}::${name}`;
const names = ["sync-g1", "sync-g2", "restore-g1", "monitor-g1", "restore-ursula-g2"];

function key(name: string, id = `id-${name}`, bucketId = "bucket-1"): Key {
  const keyName = `fort-offsite-prod-cloud-${name}`;
  return {
    ...{ accountId: "a", applicationKeyId: id, keyName },
    ...{ capabilities: [], bucketIds: [bucketId] },
  };
}

function input(change: Partial<PlanInput> & { keys?: Key[] } = {}): PlanInput {
  const { keys = names.map((name) => key(name)), ...rest } = change;
  return {
    stack: "prod",
    config,
    resources: [],
    account: { buckets: new Map([["cloud", "bucket-1"]]), keys },
    secrets: new Map(names.map((name) => [`id-${name}`, `secret of ${name}`])),
    ...rest,
  };
}

const outcomes = (given: PlanInput) =>
  Object.fromEntries(
    planOf(given).flatMap(({ keys }) => keys.map(({ resource, outcome }) => [resource, outcome])),
  );

describe("the plan of a recovery", () => {
  it("brings every key of the program back under the resource that the program gives it", () => {
    const found = outcomes(input());
    expect(Object.keys(found)).toEqual([
      "cloud-sync-g1",
      "cloud-sync-g2",
      "cloud-hub-restore-g1",
      "cloud-hub-monitor-g1",
      "cloud-restore-ursula-g2",
    ]);
    expect(found["cloud-hub-monitor-g1"]).toEqual({
      kind: "import",
      id: "id-monitor-g1",
      secret: "secret of monitor-g1",
    });
  });

  it("leaves a key that Backblaze no longer has to the next update", () => {
    const keys = names.filter((name) => name !== "monitor-g1").map((name) => key(name));
    expect(outcomes(input({ keys }))["cloud-hub-monitor-g1"]).toEqual({ kind: "new" });
  });

  it("takes of two keys with one name the one whose secret is known", () => {
    const keys = [key("sync-g1", "stranger"), ...names.map((name) => key(name))];
    expect(outcomes(input({ keys }))["cloud-sync-g1"]).toMatchObject({ id: "id-sync-g1" });
  });

  it("takes no key of another bucket, whatever its name", () => {
    const keys = names.map((name) => key(name, `id-${name}`, "bucket-2"));
    expect(new Set(Object.values(outcomes(input({ keys }))).map(({ kind }) => kind))).toEqual(
      new Set(["new"]),
    );
  });

  it("says of a key in the state without its secret how to make room for it", () => {
    const there = urn(`${COMPONENT}$${KEY}`, "cloud-sync-g1");
    const resources = [{ urn: there, type: KEY, id: "id-sync-g1", inputs: {}, outputs: {} }];
    const lines = planLines(planOf(input({ resources })), new Map());
    expect(lines.join("\n")).toContain(`pulumi state delete '${there}'`);
  });

  it("names keys of other generations, which stay", () => {
    const keys = [...names, "sync-g0"].map((name) => key(name));
    const [plan] = planOf(input({ keys }));
    expect(plan?.former).toEqual(["fort-offsite-prod-cloud-sync-g0"]);
  });

  it("shows no secret", () => {
    expect(planLines(planOf(input()), new Map()).join("\n")).not.toContain("secret of");
  });
});

describe("the import file", () => {
  it("holds only what is missing, below the component, and no secret", async () => {
    const component = urn(COMPONENT, "cloud");
    const resources = [
      { urn: component, type: COMPONENT, inputs: {}, outputs: {} },
      {
        urn: urn(KEY, "cloud-sync-g1"),
        type: KEY,
        ...{ id: "id-sync-g1", inputs: {}, outputs: { applicationKey: "known" } },
      },
    ];
    const file = await importFile(planOf(input({ resources })), "0.13.0", (secret) =>
      Promise.resolve(`/private/${secret.length}`),
    );
    expect(file.nameTable).toEqual({ cloud: component });
    expect(file.resources.map(({ name }) => name)).toEqual([
      "cloud-bucket",
      "cloud-sync-g2",
      "cloud-hub-restore-g1",
      "cloud-hub-monitor-g1",
      "cloud-restore-ursula-g2",
    ]);
    expect(file.resources[1]).toMatchObject({ id: "id-sync-g2@/private/17", parent: "cloud" });
    expect(JSON.stringify(file)).not.toContain("secret of");
  });
});

describe("what does not fit", () => {
  it("is settings whose target or host was rotated since", () => {
    const rotated = ["sync-g4", "restore-ursula-g5"].map((name) => key(name));
    expect(accountProblems("prod", config, rotated)).toMatchObject([
      { path: ["targets", "cloud", "generation"], message: /got 1, must be 3/ },
    ]);
    expect(accountProblems("prod", config, [key("restore-ursula-g4")])).toMatchObject([
      { path: ["hosts", "ursula", "generation"], message: /got 2, must be 4/ },
    ]);
    expect(accountProblems("prod", config, input().account.keys as Key[])).toEqual([]);
  });

  it("is another seed than the bundle's", () => {
    const owner = { at: "target", target: "peer", host: "ursula" } as const;
    const hub = (seed: string, generation: number): HubCredentials => ({
      version: 1,
      targets: {
        peer: {
          type: "rest-server",
          users: {
            ursula: {
              generation,
              current: derivePassword(seed, owner, generation),
              ...{ next: "", previous: null },
            },
          },
        },
      },
    });
    expect(hubProblems(config, hub(SEED, 2))).toEqual([]);
    expect(hubProblems(config, hub(SEED, 3))).toMatchObject([
      { path: ["hosts", "ursula", "generation"] },
    ]);
    expect(hubProblems(config, hub("fedcba9876543210".repeat(4), 2))).toMatchObject([
      { path: ["credentialSeed"] },
    ]);
    expect(hubProblems(config, undefined)).toEqual([]);
  });
});

describe("the bundle's files", () => {
  it("give back the keys that they were made of", () => {
    const remote = (name: string) => ({
      name,
      options: { type: "b2", account: `id-${name}`, key: `K005+/=${name}`, endpoint: "http://b2" },
    });
    const rclone = rcloneConf([remote("cloud"), remote("cloud-next")]);
    expect(secretsOfRclone(rclone)).toEqual([
      ["id-cloud", "K005+/=cloud"],
      ["id-cloud-next", "K005+/=cloud-next"],
    ]);
    const env = envFile([
      { comment: "RCLONE_CONFIG_CLOUD_ACCOUNT=none" },
      ["RCLONE_CONFIG_CLOUD_TYPE", "b2"],
      ["RCLONE_CONFIG_CLOUD_ACCOUNT", "id-q"],
      ["RCLONE_CONFIG_CLOUD_KEY", "K005+/=q"],
    ]);
    expect(secretsOfEnv(env)).toEqual([["id-q", "K005+/=q"]]);
    expect([...secretsOfEnv("nonsense"), ...secretsOfRclone("nonsense")]).toEqual([]);
  });
});
