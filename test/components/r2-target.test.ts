import { createHash } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { R2Target } from "../../components/r2-target.ts";
import { parseStackConfig } from "../../config/parse.ts";
import type { StackRecord } from "../../config/record.ts";
import { envFile } from "../../credentials/env-file.ts";
import { HashMemory } from "../../credentials/htpasswd.ts";
import { KINDS } from "../../sandbox/plugins/cloudflare/inputs.ts";
import { raw, SEED, validConfig } from "../config/valid.ts";
import { named, recordRegistrations, settle, valueOf, type Registration } from "./mocks.ts";
import { typeErrors } from "./sdk-types.ts";

const ACCOUNT = "0123456789abcdef".repeat(2);
const { hosts } = parseStackConfig(raw(validConfig()), "test");
const CLASSES = {
  "cloudflare:index/r2Bucket:R2Bucket": "R2Bucket",
  "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle": "R2BucketLifecycle",
  "cloudflare:index/r2BucketLock:R2BucketLock": "R2BucketLock",
  "cloudflare:index/accountToken:AccountToken": "AccountToken",
} as const;

interface Options {
  readonly generation?: number;
  readonly keepHiddenDays?: number | "forever";
  readonly jurisdiction?: "default" | "eu";
  readonly before?: StackRecord;
}

function newTarget(options: Options = {}): R2Target {
  const { generation = 1, keepHiddenDays = "forever", jurisdiction = "default", before } = options;
  return new R2Target("cloud", {
    stack: "test",
    hosts,
    seed: SEED,
    hashes: new HashMemory(),
    before,
    target: {
      type: "r2",
      accountId: ACCOUNT,
      bucket: "family-fort",
      location: "weur",
      protect: true,
      revoked: 0,
      ...{ generation, keepHiddenDays, jurisdiction },
    },
  });
}

/** What an update at a generation leaves. */
function recordAt(generation: number): StackRecord {
  const standing = { generation, revoked: 0 };
  const turns = Object.keys(hosts).map((host) => {
    const own = hosts[host]?.generation ?? 1;
    return [host, { generation: own + generation - 1 }] as const;
  });
  return {
    version: 1,
    hosts: Object.fromEntries(
      Object.entries(hosts).map(([host, { generation: own }]) => [
        host,
        { generation: own, revoked: 0 },
      ]),
    ),
    targets: { cloud: standing },
    kept: { cloud: { type: "r2", generation, hosts: Object.fromEntries(turns) } },
    hashes: {},
    directory: "bundle",
    files: {},
  };
}

describe("an R2 target", () => {
  let registrations: Registration[];
  beforeEach(async () => {
    registrations = await recordRegistrations();
  });
  const ofCloudflare = () => registrations.filter(({ type }) => type.startsWith("cloudflare:"));
  const tokens = () => registrations.filter(({ type }) => type.endsWith(":AccountToken"));

  it("gives the real plugin what its SDK asks for, and nothing that it does not know", async () => {
    newTarget();
    newTarget({ generation: 2, keepHiddenDays: 30, jurisdiction: "eu", before: recordAt(1) });
    await settle();
    const cases = ofCloudflare().map(
      ({ type, inputs }) => [CLASSES[type as keyof typeof CLASSES], inputs] as const,
    );
    expect(new Set(cases.map(([name]) => name))).toEqual(new Set(Object.values(CLASSES)));
    expect(typeErrors("@pulumi/cloudflare", cases)).toEqual([]);
    const wrong = [
      ["R2Bucket", { name: "a" }],
      ["R2BucketLock", { accountId: "a", bucketName: "b", rules: [{ id: "x", enabled: "yes" }] }],
      ["AccountToken", { accountId: "a", name: "b", policies: [], scope: "all" }],
    ] as const;
    expect(typeErrors("@pulumi/cloudflare", wrong)).toHaveLength(3);
  });

  it("meets the same rules at the sandbox's stand-in for the plugin", async () => {
    newTarget({ keepHiddenDays: 30 });
    await settle();
    for (const { type, inputs } of ofCloudflare()) {
      expect(KINDS[type as keyof typeof KINDS].schema.safeParse(inputs).success).toBe(true);
    }
  });

  it("locks every object for ever, or for the days that are asked for", async () => {
    newTarget();
    await settle();
    const rule = { enabled: true, prefix: "", condition: { type: "Indefinite" } };
    expect(named(registrations, "cloud-lock").inputs).toMatchObject({ rules: [rule] });
    registrations = await recordRegistrations();
    newTarget({ keepHiddenDays: 30 });
    await settle();
    const days = { type: "Age", maxAgeSeconds: 30 * 86_400 };
    expect(named(registrations, "cloud-lock").inputs).toMatchObject({
      rules: [{ condition: days }],
    });
  });

  it("deletes no object by a lifecycle rule", async () => {
    newTarget();
    await settle();
    const { inputs } = named(registrations, "cloud-lifecycle");
    expect(JSON.stringify(inputs)).not.toContain("deleteObjects");
    expect(inputs).toMatchObject({
      rules: [{ abortMultipartUploadsTransition: { condition: { maxAge: 7 * 86_400 } } }],
    });
  });

  it("lets every token reach its one bucket, and only the hub's two write", async () => {
    newTarget({ jurisdiction: "eu" });
    await settle();
    expect(tokens()).toHaveLength(3 + Object.keys(hosts).length);
    const writing = tokens().filter(({ inputs }) =>
      JSON.stringify(inputs).includes("2efd5506f9c8"),
    );
    expect(writing.map(({ name }) => name).sort()).toEqual(["cloud-sync-g1", "cloud-sync-g2"]);
    for (const { inputs } of tokens()) {
      const [policy] = inputs.policies as { resources: string }[];
      expect(JSON.parse(policy?.resources ?? "")).toEqual({
        [`com.cloudflare.edge.r2.bucket.${ACCOUNT}_eu_family-fort`]: "*",
      });
    }
  });

  it("keeps what was in force beside what is, for those who are deployed late", async () => {
    newTarget({ generation: 2, before: recordAt(1) });
    await settle();
    const names = tokens().map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(["cloud-sync-g1", "cloud-sync-g2", "cloud-sync-g3"]),
    );
    expect(names).toEqual(expect.arrayContaining(["cloud-hub-restore-g1", "cloud-hub-restore-g2"]));
    // q's third generation, the target's first and second.
    expect(names).toEqual(expect.arrayContaining(["cloud-restore-q-g3", "cloud-restore-q-g4"]));
  });

  it("derives S3 credentials from a token as Cloudflare documents it", async () => {
    const target = newTarget({ jurisdiction: "eu" });
    const [current, next, restore] = await valueOf(target.rcloneRemotes);
    expect(current).toEqual({
      name: "cloud",
      options: {
        type: "s3",
        provider: "Cloudflare",
        access_key_id: "cloud-sync-g1-id",
        secret_access_key: createHash("sha256").update("cloud-sync-g1-value").digest("hex"),
        endpoint: `https://${ACCOUNT}.eu.r2.cloudflarestorage.com`,
        region: "auto",
        no_check_bucket: "true",
      },
    });
    expect([next?.name, restore?.name]).toEqual(["cloud-next", "cloud-restore"]);
  });

  it("gives a host what restic needs to restore, with rclone and without", async () => {
    const content = envFile(await valueOf(newTarget().restoreEnvironment("q")));
    expect(content).toContain("OFFSITE_CLOUD_REPOSITORY=rclone:cloud:family-fort/q\n");
    expect(content).toContain(
      `OFFSITE_CLOUD_S3_REPOSITORY=s3:https://${ACCOUNT}.r2.cloudflarestorage.com/family-fort/q\n`,
    );
    expect(content).toContain("RCLONE_CONFIG_CLOUD_ACCESS_KEY_ID=cloud-restore-q-g3-id\n");
    expect(() => newTarget().restoreEnvironment("nobody")).toThrow(RangeError);
  });

  it("tells the public nothing of its generation and its keys", () => {
    expect(newTarget().manifest).toEqual(newTarget({ generation: 5 }).manifest);
  });
});
