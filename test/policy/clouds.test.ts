/** The rules for buckets and keys at Backblaze and Cloudflare. */
import { describe, expect, it } from "vitest";
import { judge } from "../../policy/judge.ts";
import type { ResourceFacts } from "../../policy/model.ts";
import * as types from "../../policy/types.ts";
import { MASKED, SECRET_MARK, SIGNATURE, UNKNOWN } from "../../policy/values.ts";
import {
  ACCOUNT,
  b2Bucket,
  b2Key,
  fact,
  goodStack,
  r2Lock,
  r2Target,
  r2Token,
  READ,
  told,
  toldOf,
  urnOf,
  withResources,
  WRITE,
} from "./facts.ts";

/** A bucket with one change to its lifecycle rule. */
const lifecycle = (...rules: object[]) =>
  b2Bucket({
    lifecycleRules: rules.map((rule) => ({
      fileNamePrefix: "",
      daysFromHidingToDeleting: 30,
      daysFromStartingToCancelingUnfinishedLargeFiles: 7,
      ...rule,
    })),
  });

describe("a stack as the program makes it", () => {
  it("has nothing told of it", () => {
    expect(judge(goodStack())).toEqual([]);
    expect(judge(withResources(...r2Target()))).toEqual([]);
  });
});

describe("a bucket at B2", () => {
  it.each([
    ["public", { bucketType: "allPublic" }],
    ["of another type", { bucketType: "share" }],
    ["of a type in other letters", { bucketType: "allprivate" }],
    ["without a type", { bucketType: undefined }],
    ["of a secret type", { bucketType: MASKED }],
    ["of a type that is not known yet", { bucketType: UNKNOWN }],
  ])("that is %s is an error", (_, change) => {
    expect(toldOf(b2Bucket(change))).toEqual(["error no-public-bucket the bucket of cloud"]);
  });

  it.each([
    ["none", { defaultServerSideEncryption: undefined }],
    ["mode null", { defaultServerSideEncryption: { mode: null } }],
    ["mode none", { defaultServerSideEncryption: { mode: "none" } }],
    ["a secret", { defaultServerSideEncryption: MASKED }],
  ])("with %s as its encryption is an error", (_, change) => {
    expect(toldOf(b2Bucket(change))).toEqual(["error encryption-on the bucket of cloud"]);
  });

  it.each([
    ["no lifecycle rules", b2Bucket({ lifecycleRules: undefined })],
    ["an empty list", b2Bucket({ lifecycleRules: [] })],
    ["rules that cannot be seen", b2Bucket({ lifecycleRules: UNKNOWN })],
    ["a rule that cannot be seen", b2Bucket({ lifecycleRules: [MASKED] })],
    ["days that are a secret", lifecycle({ daysFromHidingToDeleting: MASKED })],
    ["6 days", lifecycle({ daysFromHidingToDeleting: 6 })],
    ["0 days, which is none", lifecycle({ daysFromHidingToDeleting: 0 })],
    ["days as text", lifecycle({ daysFromHidingToDeleting: "30" })],
    ["a rule for one host alone", lifecycle({ fileNamePrefix: "q/" })],
    [
      "a rule for every host and none for the rest",
      lifecycle({ fileNamePrefix: "q/" }, { fileNamePrefix: "ursula/" }),
    ],
    [
      "a second rule that is shorter",
      lifecycle({}, { fileNamePrefix: "q/", daysFromHidingToDeleting: 1 }),
    ],
    ["a rule that hides what is in use", lifecycle({ daysFromUploadingToHiding: 90 })],
    [
      "uploads cancelled after a day",
      lifecycle({ daysFromStartingToCancelingUnfinishedLargeFiles: 1 }),
    ],
  ])("with %s is an error", (_, bucket) => {
    expect(toldOf(bucket)).toEqual(["error hidden-versions-kept the bucket of cloud"]);
  });

  it("with exactly 7 days is well, and one that never frees cut off uploads is a warning", () => {
    expect(toldOf(lifecycle({ daysFromHidingToDeleting: 7 }))).toEqual([]);
    expect(
      toldOf(lifecycle({ daysFromStartingToCancelingUnfinishedLargeFiles: undefined })),
    ).toEqual(["warning hidden-versions-kept the bucket of cloud"]);
  });

  it("that goes with the stack is an error, and one that is not protected a warning", () => {
    const bucket = b2Bucket();
    const has = (change: Partial<ResourceFacts>) => toldOf({ ...bucket, ...change });
    const at = "data-protected the bucket of cloud";
    expect(has({ retainOnDelete: false })).toEqual([`error ${at}`]);
    expect(has({ retainOnDelete: false, protect: false })).toEqual([`error ${at}`]);
    expect(has({ protect: false })).toEqual([`warning ${at}`]);
    // What a policy pack sees: it cannot tell, and says so where nothing else protects.
    expect(has({ retainOnDelete: undefined })).toEqual([]);
    expect(has({ retainOnDelete: undefined, protect: false })).toEqual([`warning ${at}`]);
  });
});

describe("a key at B2", () => {
  const sync = "the hub's sync key of cloud, generation 1";
  const withMore = (rest: string, ...more: string[]) => {
    const key = b2Key(rest);
    const capabilities = [...(key.inputs.capabilities as string[]), ...more];
    return toldOf({ ...key, inputs: { ...key.inputs, capabilities } });
  };

  it.each(["deleteFiles", "bypassGovernance", "writeKeys", "writeBuckets", "all"])(
    "with %s is an error, whatever it is for",
    (capability) => {
      const at = "error no-key-that-deletes";
      expect(withMore("sync-g1", capability)).toEqual([`${at} ${sync}`]);
      expect(withMore("hub-monitor-g1", capability)).toEqual([
        `${at} the hub's monitor key of cloud, generation 1`,
      ]);
      expect(withMore("admin", capability)[0]).toBe(`${at} the key "cloud-admin"`);
    },
  );

  it("that does more than it is for is an error, with what nobody knows yet too", () => {
    const at = "error keys-do-no-more";
    expect(withMore("sync-g1", "shareFiles")).toEqual([`${at} ${sync}`]);
    expect(withMore("sync-g1", "inventedTomorrow")).toEqual([`${at} ${sync}`]);
    expect(withMore("hub-monitor-g1", "readFiles")).toEqual([
      `${at} the hub's monitor key of cloud, generation 1`,
    ]);
    expect(withMore("admin", "listAllBucketNames")).toEqual([`${at} the key "cloud-admin"`]);
  });

  it("for restoring that does more than read is an error", () => {
    const at = "error restore-keys-read-only";
    const q = "q's restore key of cloud, generation 1";
    expect(withMore("restore-q-g1", "writeFiles")).toEqual([`${at} ${q}`]);
    expect(withMore("hub-restore-g1", "writeFiles")).toEqual([
      `${at} the hub's restore key of cloud, generation 1`,
    ]);
    expect(withMore("restore-q-g1", "deleteFiles")).toEqual([
      `error no-key-that-deletes ${q}`,
      `${at} ${q}`,
    ]);
  });

  it("of a host that is called like a purpose is judged as a restore key", () => {
    const key = b2Key("restore-sync-g1", { capabilities: ["writeFiles"], namePrefix: "sync/" });
    expect(toldOf(key)).toEqual([
      "error restore-keys-read-only sync's restore key of cloud, generation 1",
    ]);
  });

  it("whose purpose is unknown is a warning as long as it is harmless", () => {
    expect(toldOf(b2Key("extra"))).toEqual(['warning keys-do-no-more the key "cloud-extra"']);
  });

  it.each([
    ["a secret", MASKED],
    ["not known", UNKNOWN],
    ["missing", undefined],
    ["a text", "deleteFiles"],
    ["a list with a secret in it", ["listFiles", { [SIGNATURE]: SECRET_MARK }]],
  ])("whose capabilities are %s is an error", (_, capabilities) => {
    expect(toldOf(b2Key("sync-g1", { capabilities }))).toEqual([
      `error no-key-that-deletes ${sync}`,
    ]);
  });

  const rule = "error keys-restricted-to-their-bucket";
  it.each([
    ["every bucket: no list", { bucketIds: undefined }],
    ["every bucket: an empty list", { bucketIds: [] }],
    ["every bucket: the list is not known", { bucketIds: UNKNOWN }],
    ["every bucket: the list is a secret", { bucketIds: MASKED }],
    ["an empty ID", { bucketIds: [""] }],
    ["two buckets", { bucketIds: ["4a48fe8875c6214145260818", "e2f44ead9ebb2ee2d7f6f9ef"] }],
    ["two buckets, one by the old name", { bucketIds: ["a"], bucketId: "b" }],
  ])("that opens %s is an error", (_, change) => {
    expect(toldOf(b2Key("sync-g1", change))).toEqual([`${rule} ${sync}`]);
  });

  it("for another bucket than the target's is an error", () => {
    const from = (bucket?: string) => ({
      bucketIds: bucket === undefined ? [] : [urnOf(types.B2_BUCKET, bucket)],
    });
    expect(toldOf(b2Key("sync-g1", {}, { dependencies: from("second-bucket") }))).toEqual([
      `${rule} ${sync}`,
    ]);
    const literal = { bucketIds: ["4a48fe8875c6214145260818"] };
    expect(toldOf(b2Key("sync-g1", literal, { dependencies: from() }))).toEqual([
      `${rule} ${sync}`,
    ]);
    // A policy pack is not told where the value comes from.
    expect(toldOf(b2Key("sync-g1", literal, { dependencies: undefined }))).toEqual([]);
    const old = { bucketIds: undefined, bucketId: "4a48fe8875c6214145260818" };
    const dependencies = { bucketId: [urnOf(types.B2_BUCKET, "cloud-bucket")] };
    expect(toldOf(b2Key("sync-g1", old, { dependencies }))).toEqual([]);
  });

  it("of one host that opens another's part is an error", () => {
    const q = "q's restore key of cloud, generation 1";
    for (const namePrefix of [undefined, "", "ursula/", "q", UNKNOWN]) {
      expect(toldOf(b2Key("restore-q-g1", { namePrefix }))).toEqual([`${rule} ${q}`]);
    }
  });
});

describe("a bucket at R2", () => {
  const domain = (type: string, change: object) =>
    fact(type, "second-domain", { bucketName: "fort-second", domain: "a.example", ...change });

  it("with an address that is not off is an error", () => {
    const at = 'error no-public-r2-bucket the domain "second-domain"';
    for (const type of [types.R2_MANAGED_DOMAIN, types.R2_CUSTOM_DOMAIN]) {
      for (const enabled of [true, undefined, UNKNOWN]) {
        expect(toldOf(domain(type, { enabled }))).toEqual([at]);
      }
      expect(toldOf(domain(type, { enabled: false }))).toEqual([]);
    }
  });

  const week = 7 * 86_400;
  it.each([
    ["is off", r2Lock({ enabled: false })],
    ["is for one host", r2Lock({ prefix: "q/" })],
    ["is a second too short", r2Lock({ condition: { type: "Age", maxAgeSeconds: week - 1 } })],
    ["ends on a day", r2Lock({ condition: { type: "Date", date: "2099-01-01T00:00:00Z" } })],
    ["has no rule", r2Lock({}, { rules: [] })],
    ["cannot be seen", r2Lock({}, { rules: UNKNOWN })],
    ["is on another bucket", r2Lock({}, { bucketName: "fort-third" })],
    ["is on the bucket of its name in another jurisdiction", r2Lock({}, { jurisdiction: "eu" })],
    ["is in another account", r2Lock({}, { accountId: "f".repeat(32) })],
  ])("whose lock %s is an error", (_, lock) => {
    const others = r2Target().filter(({ type }) => type !== types.R2_LOCK);
    expect(toldOf(...others, lock)).toEqual(["error r2-lock-kept the bucket of second"]);
    expect(toldOf(...others)).toEqual(["error r2-lock-kept the bucket of second"]);
  });

  it("with a lock of a week, or one good rule among others, is well", () => {
    const others = r2Target().filter(({ type }) => type !== types.R2_LOCK);
    const good = { id: "b", enabled: true, condition: { type: "Age", maxAgeSeconds: week } };
    const short = { ...good, id: "a", prefix: "q/", condition: { type: "Age", maxAgeSeconds: 1 } };
    expect(toldOf(...others, r2Lock(good))).toEqual([]);
    expect(toldOf(...others, r2Lock({}, { rules: [short, good] }))).toEqual([]);
    // As before the bucket is made: its name is an output of it.
    expect(toldOf(...others, r2Lock({}, { bucketName: UNKNOWN }))).toEqual([]);
  });

  it("whose lifecycle deletes backups, or uploads under way, is an error", () => {
    const withRule = (rule: object) =>
      toldOf(
        fact(types.R2_LIFECYCLE, "second-lifecycle", {
          rules: [{ id: "x", enabled: true, conditions: { prefix: "" }, ...rule }],
        }),
      );
    const age = (maxAge: number) => ({ condition: { type: "Age", maxAge } });
    const at = "error r2-lifecycle-keeps the lifecycle of second";
    expect(withRule({ deleteObjectsTransition: age(365 * 86_400) })).toEqual([at]);
    expect(withRule({ abortMultipartUploadsTransition: age(86_400) })).toEqual([at]);
    expect(withRule({ abortMultipartUploadsTransition: age(week) })).toEqual([]);
    expect(withRule({ enabled: false, deleteObjectsTransition: age(1) })).toEqual([]);
  });
});

describe("a token at Cloudflare", () => {
  const stack = (...changed: ResourceFacts[]) => {
    const names = changed.map(({ name }) => name);
    return toldOf(...r2Target().filter(({ name }) => !names.includes(name)), ...changed);
  };
  const q = "q's restore key of second, generation 1";
  const sync = "the hub's sync key of second, generation 1";

  it("that writes and is not for syncing is an error", () => {
    const at = "error r2-tokens-do-no-more";
    const both = [{ id: READ }, { id: WRITE }];
    expect(stack(r2Token("restore-q-g1", { permissionGroups: both }))).toEqual([`${at} ${q}`]);
    expect(stack(r2Token("sync-g1", { permissionGroups: both }))).toEqual([]);
    // The whole storage, by its permission group.
    const storage = [{ id: "bf7481a1826f439697cb59a20b22293e" }];
    expect(stack(r2Token("sync-g1", { permissionGroups: storage }))).toEqual([`${at} ${sync}`]);
    expect(stack(r2Token("sync-g1", { permissionGroups: UNKNOWN }))).toEqual([
      `warning r2-tokens-do-no-more ${sync}`,
    ]);
  });

  it("that opens another bucket, several, or the account is an error", () => {
    const at = "error r2-tokens-restricted-to-their-bucket";
    const bucket = (name: string) => `com.cloudflare.edge.r2.bucket.${ACCOUNT}_default_${name}`;
    const opens = (...scopes: string[]) =>
      stack(
        r2Token("sync-g1", {
          resources: JSON.stringify(Object.fromEntries(scopes.map((scope) => [scope, "*"]))),
        }),
      );
    expect(opens(bucket("fort-second"))).toEqual([]);
    for (const scopes of [
      [],
      [bucket("fort-third")],
      [bucket("*")],
      [bucket("fort-second"), bucket("fort-third")],
      [`com.cloudflare.api.account.${ACCOUNT}`],
      [`com.cloudflare.edge.r2.bucket.${ACCOUNT}_eu_fort-second`],
    ]) {
      expect(opens(...scopes)).toEqual([`${at} ${sync}`]);
    }
    expect(stack(r2Token("sync-g1", { resources: "{" }))).toEqual([`${at} ${sync}`]);
    expect(stack(r2Token("sync-g1", { resources: UNKNOWN }))).toEqual([
      `warning r2-tokens-restricted-to-their-bucket ${sync}`,
    ]);
  });

  it("with a policy beside the good one, or none that can be seen, is an error", () => {
    const good = r2Token("sync-g1");
    const [policy] = good.inputs.policies as object[];
    const account = { ...policy, resources: `{"com.cloudflare.api.account.${ACCOUNT}":"*"}` };
    const withPolicies = (policies: unknown) =>
      stack({ ...good, inputs: { ...good.inputs, policies } });
    expect(withPolicies([policy, account])).toEqual([
      `error r2-tokens-restricted-to-their-bucket ${sync}`,
    ]);
    expect(withPolicies([policy, { ...account, effect: "deny" }])).toEqual([]);
    expect(withPolicies(MASKED)[0]).toBe(`error r2-tokens-do-no-more ${sync}`);
  });
});

describe("every finding", () => {
  it("says what is, what must be and the way out, and shows no secret", () => {
    const secret = { [SIGNATURE]: SECRET_MARK, ciphertext: "v1:sesame" };
    const findings = judge(
      withResources(
        b2Bucket({ bucketType: "a\u001b[2J".repeat(40), lifecycleRules: secret }),
        b2Key("sync-g1", { capabilities: secret, bucketIds: secret }),
      ),
    );
    expect(told(findings)).toHaveLength(4);
    for (const { message } of findings) {
      expect(message).not.toContain("sesame");
      expect(message).not.toMatch(/\p{C}/u);
      expect(message).not.toMatch(/\.$|undefined|\[object/);
      expect(message.length).toBeLessThan(400);
    }
  });
});
