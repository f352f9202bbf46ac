import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Answer, type Setup, setUp } from "./harness.ts";

let setup: Setup;
let accountId: string;
beforeAll(async () => {
  setup = await setUp();
  accountId = setup.master.accountId;
});
afterAll(async () => setup.stop());

let count = 0;
async function create(more: object = {}): Promise<{ status: number; body: Answer }> {
  count += 1;
  return setup.master.call("create_bucket", {
    accountId,
    bucketName: `bucket-${count}`,
    bucketType: "allPrivate",
    ...more,
  });
}

async function update(bucketId: string, more: object): Promise<{ status: number; body: Answer }> {
  return setup.master.call("update_bucket", { accountId, bucketId, ...more });
}

describe("b2_create_bucket", () => {
  it("starts a bucket at revision 2, encrypted, with the option s3", async () => {
    const { body } = await create();
    expect(body.bucketId).toMatch(/^[0-9a-f]{24}$/);
    expect(body).toEqual({
      accountId,
      bucketId: body.bucketId,
      bucketInfo: {},
      bucketName: `bucket-${count}`,
      bucketType: "allPrivate",
      corsRules: [],
      defaultServerSideEncryption: {
        isClientAuthorizedToRead: true,
        value: { algorithm: "AES256", mode: "SSE-B2" },
      },
      fileLockConfiguration: {
        isClientAuthorizedToRead: true,
        value: { defaultRetention: { mode: null, period: null }, isFileLockEnabled: false },
      },
      lifecycleRules: [],
      options: ["s3"],
      replicationConfiguration: { isClientAuthorizedToRead: true, value: null },
      revision: 2,
    });
  });

  it("takes a name once, whatever its case", async () => {
    await create({ bucketName: "Same-Name" });
    const again = await create({ bucketName: "same-name" });
    expect([again.status, again.body.code]).toEqual([400, "duplicate_bucket_name"]);
  });

  const rule = { fileNamePrefix: "", daysFromHidingToDeleting: 1 };
  const cors = {
    corsRuleName: "rule-one",
    allowedOrigins: ["*"],
    allowedOperations: ["s3_get"],
    maxAgeSeconds: 10,
  };
  it.each<[string, object]>([
    ["a short name", { bucketName: "abcde" }],
    ["a name with a dot", { bucketName: "abc.defg" }],
    ["a name that starts with b2-", { bucketName: "b2-bucket" }],
    ["an unknown type", { bucketType: "snapshot" }],
    ["a rule without days", { lifecycleRules: [{ fileNamePrefix: "" }] }],
    ["a rule of 0 days", { lifecycleRules: [{ ...rule, daysFromHidingToDeleting: 0 }] }],
    ["rules that overlap", { lifecycleRules: [rule, { ...rule, fileNamePrefix: "a" }] }],
    ["too many rules", { lifecycleRules: Array.from({ length: 101 }, () => rule) }],
    ["info named b2-", { bucketInfo: { "b2-x": "1" } }],
    [
      "too much info",
      { bucketInfo: Object.fromEntries("abcdefghijk".split("").map((k) => [k, ""])) },
    ],
    ["long info", { bucketInfo: { a: "x".repeat(10_001) } }],
    ["CORS rules of one name", { corsRules: [cors, cors] }],
    ["a CORS rule too old", { corsRules: [{ ...cors, maxAgeSeconds: 86_401 }] }],
    ["an unknown CORS operation", { corsRules: [{ ...cors, allowedOperations: ["fly"] }] }],
    ["SSE-C by default", { defaultServerSideEncryption: { mode: "SSE-C" } }],
    ["an unknown field", { colour: "blue" }],
    ["default retention", { defaultRetention: { mode: null } }],
  ])("refuses %s", async (_case, parameters) => {
    const answer = await create(parameters);
    expect([answer.status, answer.body.code]).toEqual([400, "bad_request"]);
  });

  it("stops at 100 buckets", async () => {
    const own = await setUp();
    try {
      for (let index = 0; index < 100; index += 1) await own.master.createBucket(`many-${index}`);
      const answer = await own.master.call("create_bucket", {
        accountId: own.master.accountId,
        bucketName: "one-too-many",
        bucketType: "allPrivate",
      });
      expect(answer.body.code).toBe("too_many_buckets");
    } finally {
      await own.stop();
    }
  });
});

describe("b2_update_bucket", () => {
  it("changes what is given, keeps the rest, and counts the revision up", async () => {
    const { body } = await create({ bucketInfo: { a: "1" } });
    const rules = [{ fileNamePrefix: "x", daysFromHidingToDeleting: 3 }];
    const answer = await update(body.bucketId, { lifecycleRules: rules });
    expect(answer.body).toMatchObject({
      bucketInfo: { a: "1" },
      lifecycleRules: [
        { fileNamePrefix: "x", daysFromHidingToDeleting: 3, daysFromUploadingToHiding: null },
      ],
      revision: 3,
    });
    const cleared = await update(body.bucketId, { bucketInfo: {}, lifecycleRules: [] });
    expect(cleared.body).toMatchObject({ bucketInfo: {}, lifecycleRules: [], revision: 4 });
  });

  it("answers 409 when the revision is another, and changes nothing", async () => {
    const { body } = await create();
    const bucketId = body.bucketId;
    const lost = await update(bucketId, { ifRevisionIs: 7, bucketType: "allPublic" });
    expect([lost.status, lost.body.code]).toEqual([409, "conflict"]);
    const won = await update(bucketId, { ifRevisionIs: 2, bucketType: "allPublic" });
    expect(won.body).toMatchObject({ revision: 3, bucketType: "allPublic" });
  });

  it("lets exactly one of many concurrent updates of a revision through", async () => {
    const { body } = await create();
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, index) =>
        update(body.bucketId, { ifRevisionIs: 2, bucketInfo: { n: String(index) } }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(19);
  });

  it("turns the lock on but never off, and wants it for a default retention", async () => {
    const { body } = await create();
    const bucketId = body.bucketId;
    const retention = { mode: "governance", period: { duration: 7, unit: "days" } };
    const early = await update(bucketId, { defaultRetention: retention });
    expect(early.body).toEqual({
      status: 400,
      code: "bucket_missing_file_lock",
      message: "The bucket is not file lock enabled",
    });
    const locked = await update(bucketId, { fileLockEnabled: true, defaultRetention: retention });
    expect(locked.body.fileLockConfiguration.value).toEqual({
      defaultRetention: retention,
      isFileLockEnabled: true,
    });
    const off = await update(bucketId, { fileLockEnabled: false });
    expect([off.status, off.body.code]).toEqual([400, "file_lock_conflict"]);
  });

  it("sets encryption back to the default with mode null", async () => {
    const { body } = await create();
    const answer = await update(body.bucketId, {
      defaultServerSideEncryption: { mode: null },
    });
    expect(answer.body.defaultServerSideEncryption.value.mode).toBe("SSE-B2");
  });

  it("answers bad_bucket_id for a bucket that is not there", async () => {
    const answer = await update("ffffffffffffffffffffffff", { bucketInfo: {} });
    expect([answer.status, answer.body.code]).toEqual([400, "bad_bucket_id"]);
  });
});

describe("b2_list_buckets and b2_delete_bucket", () => {
  it("find by id, by name and by type, and nothing for an unknown one", async () => {
    const { body } = await create({ bucketName: "find-me", bucketType: "allPublic" });
    const { bucketId } = body as { bucketId: string };
    const list = async (parameters: object): Promise<unknown> => {
      const { buckets } = await setup.master.ok("list_buckets", { accountId, ...parameters });
      return (buckets as { bucketId: string }[]).map((bucket) => bucket.bucketId);
    };
    expect(await list({ bucketName: "find-me" })).toEqual([bucketId]);
    expect(await list({ bucketId, bucketTypes: ["allPublic"] })).toEqual([bucketId]);
    expect(await list({ bucketId, bucketTypes: ["allPrivate"] })).toEqual([]);
    expect(await list({ bucketName: "not-there" })).toEqual([]);
    expect(await list({ bucketTypes: ["all"] })).toContain(bucketId);
  });

  it("can be called with GET and a query", async () => {
    const { url, token } = setup.master;
    const query = new URLSearchParams({ accountId, bucketTypes: "allPrivate,allPublic" });
    const response = await fetch(`${url}/b2api/v3/b2_list_buckets?${query.toString()}`, {
      headers: { Authorization: token },
    });
    expect(response.status).toBe(200);
  });

  it("refuse to delete a bucket with any version in it, then delete it and free its name", async () => {
    const { master } = setup;
    const bucketId = await master.createBucket("delete-me");
    const file = await master.put(bucketId, "a");
    const full = await master.call("delete_bucket", { accountId, bucketId });
    expect([full.status, full.body.code]).toEqual([400, "cannot_delete_non_empty_bucket"]);
    await master.ok("delete_file_version", { fileId: file.fileId, fileName: "a" });
    await master.ok("delete_bucket", { accountId, bucketId });
    const gone = await master.call("delete_bucket", { accountId, bucketId });
    expect([gone.status, gone.body.code]).toEqual([400, "bad_bucket_id"]);
    await master.createBucket("delete-me");
  });

  it("refuse another account's id", async () => {
    const answer = await setup.master.call("list_buckets", { accountId: "000000000000" });
    expect(answer.status).toBe(401);
  });
});

describe("paths and methods", () => {
  it.each([
    ["GET", "/b2api/v4/b2_fly", 404, "not_found"],
    ["GET", "/b2api/v9/b2_list_buckets", 400, "bad_request"],
    ["PUT", "/b2api/v4/b2_list_buckets", 405, "method_not_allowed"],
    ["POST", "/file/bucket/name", 405, "method_not_allowed"],
    ["GET", "/", 404, "not_found"],
  ])("answer %s %s with %d", async (method, path, status, code) => {
    const response = await fetch(setup.emulator.url + path, { method });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ status, code });
  });

  it("answer a body that is not JSON with bad_request", async () => {
    const response = await fetch(`${setup.emulator.url}/b2api/v4/b2_list_buckets`, {
      method: "POST",
      headers: { Authorization: setup.master.token },
      body: "{",
    });
    expect(response.status).toBe(400);
  });
});
