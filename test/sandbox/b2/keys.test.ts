import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { capabilities } from "../../../sandbox/b2/model.ts";
import type { Client } from "./harness.ts";
import { type Answer, type Setup, setUp } from "./harness.ts";

let setup: Setup;
let bucketId: string;
let otherId: string;
beforeAll(async () => {
  setup = await setUp();
  bucketId = await setup.master.createBucket("keys-bucket");
  otherId = await setup.master.createBucket("keys-other");
});
afterAll(async () => setup.stop());

async function create(parameters: object, version = 4): Promise<{ status: number; body: Answer }> {
  const { master } = setup;
  return master.call(
    "create_key",
    { accountId: master.accountId, keyName: "k", capabilities: ["listFiles"], ...parameters },
    version,
  );
}

describe("b2_create_key", () => {
  it("answers a secret once, and buckets in the form of the version", async () => {
    const v4 = await create({ bucketIds: [bucketId, otherId], namePrefix: "p/" });
    expect(v4.body).toMatchObject({
      bucketIds: [bucketId, otherId],
      capabilities: ["listFiles"],
      expirationTimestamp: null,
      namePrefix: "p/",
      options: ["s3"],
    });
    expect(v4.body.applicationKey).toMatch(/^K005.{27}$/);
    const v3 = await create({ bucketId }, 3);
    expect(v3.body.bucketId).toBe(bucketId);
    const { keys } = await setup.master.ok("list_keys", {
      accountId: setup.master.accountId,
      maxKeyCount: 1000,
    });
    expect(keys.map((key: Answer) => key.applicationKey as unknown)).not.toContain(
      expect.anything(),
    );
  });

  it.each([
    ["an empty name", { keyName: "" }, "bad_request"],
    ["a name with a dot", { keyName: "a.b" }, "bad_request"],
    ["a name that is too long", { keyName: "x".repeat(101) }, "bad_request"],
    ["no capability", { capabilities: [] }, "bad_request"],
    ["an unknown capability", { capabilities: ["fly"] }, "bad_request"],
    ["a duration of zero", { validDurationInSeconds: 0 }, "bad_request"],
    ["a duration over 1000 days", { validDurationInSeconds: 86_400_001 }, "bad_request"],
    ["a bucket that is not there", { bucketIds: ["ffffffffffffffffffffffff"] }, "bad_bucket_id"],
    ["a field of another version", { bucketId: "x", bucketIds: [] }, "bad_request"],
    ["a field that does not exist", { colour: "blue" }, "bad_request"],
  ])("refuses %s", async (_case, parameters, code) => {
    const answer = await create(parameters);
    expect([answer.status, answer.body.code]).toEqual([400, code]);
  });

  it.each(["listKeys", "writeKeys", "deleteKeys", "writeBuckets", "deleteBuckets"])(
    "refuses %s for a key of one bucket",
    async (capability) => {
      const answer = await create({ bucketIds: [bucketId], capabilities: [capability] });
      expect(answer.status).toBe(400);
    },
  );
});

describe("b2_list_keys and b2_delete_key", () => {
  it("page by id, and leave keys of several buckets out up to v3", async () => {
    const { master } = setup;
    const names = new Set<string>();
    let start: string | null = null;
    do {
      const page: Answer = await master.ok("list_keys", {
        accountId: master.accountId,
        maxKeyCount: 1,
        startApplicationKeyId: start,
      });
      for (const key of page.keys) names.add(key.applicationKeyId);
      start = page.nextApplicationKeyId;
    } while (start !== null);
    const all = await master.ok("list_keys", { accountId: master.accountId });
    expect(names.size).toBe(all.keys.length);
    const v3 = await master.ok("list_keys", { accountId: master.accountId }, 3);
    expect(v3.keys.length).toBe(all.keys.length - 1);
  });

  it("refuse an unknown key, and up to v3 one of several buckets", async () => {
    const { master } = setup;
    const unknown = await master.call("delete_key", { applicationKeyId: "nobody" });
    expect([unknown.status, unknown.body.code]).toEqual([400, "bad_request"]);
    const { body } = await create({ bucketIds: [bucketId, otherId] });
    const { applicationKeyId } = body;
    expect((await master.call("delete_key", { applicationKeyId }, 3)).status).toBe(400);
    expect((await master.call("delete_key", { applicationKeyId }, 4)).status).toBe(200);
  });
});

describe("a key without a capability", () => {
  const sha = "0".repeat(40);
  // Each call, the capability that it needs, and whether it gets past that check with valid input.
  const calls: [operation: string, capability: string, parameters: () => object][] = [
    ["create_bucket", "writeBuckets", () => ({ bucketName: "keys-new", bucketType: "allPrivate" })],
    ["update_bucket", "writeBuckets", () => ({ bucketId })],
    ["delete_bucket", "deleteBuckets", () => ({ bucketId })],
    ["list_buckets", "listBuckets", () => ({})],
    ["create_key", "writeKeys", () => ({ keyName: "k", capabilities: ["listFiles"] })],
    ["list_keys", "listKeys", () => ({})],
    ["delete_key", "deleteKeys", () => ({ applicationKeyId: "nobody" })],
    ["get_upload_url", "writeFiles", () => ({ bucketId })],
    ["start_large_file", "writeFiles", () => ({ bucketId, fileName: "f", contentType: "a/b" })],
    ["get_upload_part_url", "writeFiles", () => ({ fileId: "x" })],
    ["finish_large_file", "writeFiles", () => ({ fileId: "x", partSha1Array: [sha, sha] })],
    ["cancel_large_file", "writeFiles", () => ({ fileId: "x" })],
    ["list_parts", "writeFiles", () => ({ fileId: "x" })],
    ["list_unfinished_large_files", "listFiles", () => ({ bucketId })],
    ["list_file_names", "listFiles", () => ({ bucketId })],
    ["list_file_versions", "listFiles", () => ({ bucketId })],
    ["hide_file", "writeFiles", () => ({ bucketId, fileName: "f" })],
    ["copy_file", "writeFiles", () => ({ sourceFileId: "x", fileName: "f" })],
    ["copy_part", "writeFiles", () => ({ sourceFileId: "x", largeFileId: "y", partNumber: 1 })],
    ["delete_file_version", "deleteFiles", () => ({ fileId: "x", fileName: "f" })],
    ["get_file_info", "readFiles", () => ({ fileId: "x" })],
    [
      "get_download_authorization",
      "shareFiles",
      () => ({ bucketId, fileNamePrefix: "", validDurationInSeconds: 60 }),
    ],
    ["get_bucket_notification_rules", "readBucketNotifications", () => ({ bucketId })],
    [
      "set_bucket_notification_rules",
      "writeBucketNotifications",
      () => ({ bucketId, eventNotificationRules: [] }),
    ],
  ];
  const withAccount = new Set([
    "create_bucket",
    "update_bucket",
    "delete_bucket",
    "list_buckets",
    "create_key",
    "list_keys",
  ]);

  it.each(calls)("cannot call %s without %s", async (operation, capability, parameters) => {
    const { master } = setup;
    const client = await master.withKey({
      capabilities: capabilities.filter((entry) => entry !== capability),
    });
    const account = withAccount.has(operation) ? { accountId: master.accountId } : {};
    const answer = await client.call(operation, { ...parameters(), ...account });
    expect([answer.status, answer.body.code]).toEqual([401, "unauthorized"]);
    const allowed = await master.call(operation, { ...parameters(), ...account });
    expect(allowed.status).not.toBe(401);
    if (operation === "delete_bucket" || operation === "create_bucket") {
      bucketId =
        operation === "delete_bucket" ? await master.createBucket("keys-bucket") : bucketId;
    }
  });

  it("cannot set encryption or lock on a bucket without their capabilities", async () => {
    const { master } = setup;
    const client = await master.withKey({ capabilities: ["writeBuckets"] });
    for (const setting of [
      { defaultServerSideEncryption: { mode: "SSE-B2", algorithm: "AES256" } },
      { fileLockEnabled: true },
      { defaultRetention: { mode: null } },
    ]) {
      const answer = await client.call("update_bucket", {
        accountId: master.accountId,
        bucketId,
        ...setting,
      });
      expect([answer.status, answer.body.code]).toEqual([401, "unauthorized"]);
    }
  });

  it("is told that it may not read encryption and lock, in place of them", async () => {
    const { master } = setup;
    const client = await master.withKey({ capabilities: ["listBuckets"] });
    const { buckets } = await client.ok("list_buckets", { accountId: master.accountId, bucketId });
    expect(buckets[0]).toMatchObject({
      defaultServerSideEncryption: { isClientAuthorizedToRead: false, value: null },
      fileLockConfiguration: { isClientAuthorizedToRead: false, value: null },
    });
  });
});

describe("a key restricted to a bucket and a prefix", () => {
  let client: Client;
  let inside: Answer;
  let outside: Answer;
  let elsewhere: Answer;
  beforeAll(async () => {
    const { master } = setup;
    inside = await master.put(bucketId, "host/a");
    outside = await master.put(bucketId, "host2/a");
    elsewhere = await master.put(otherId, "host/a");
    client = await master.withKey({
      bucketIds: [bucketId],
      namePrefix: "host/",
      capabilities: [
        "listBuckets",
        "listFiles",
        "readFiles",
        "writeFiles",
        "deleteFiles",
        "shareFiles",
      ],
    });
  });

  it("lists its bucket by id and by name only", async () => {
    const { accountId } = setup.master;
    const list = async (parameters: object): Promise<number> =>
      (await client.call("list_buckets", { accountId, ...parameters })).status;
    expect(await list({ bucketId })).toBe(200);
    expect(await list({ bucketName: "keys-bucket" })).toBe(200);
    expect(await list({})).toBe(401);
    expect(await list({ bucketId: otherId })).toBe(401);
    expect(await list({ bucketName: "keys-other" })).toBe(401);
    expect(await list({ bucketName: "keys-nowhere" })).toBe(401);
  });

  it("lists files under its prefix only", async () => {
    expect(await client.names(bucketId, { prefix: "host/" })).toEqual(["host/a"]);
    for (const parameters of [
      { bucketId },
      { bucketId, prefix: "host" },
      { bucketId: otherId, prefix: "host/" },
    ]) {
      expect((await client.call("list_file_names", parameters)).status).toBe(401);
      expect((await client.call("list_file_versions", parameters)).status).toBe(401);
    }
    const unfinished = await client.call("list_unfinished_large_files", { bucketId });
    expect(unfinished.status).toBe(401);
    await client.ok("list_unfinished_large_files", { bucketId, namePrefix: "host/" });
  });

  it("uploads, hides and starts files under its prefix only", async () => {
    expect((await client.upload(bucketId, "host/b", "x")).status).toBe(200);
    expect((await client.upload(bucketId, "b", "x")).status).toBe(401);
    expect((await client.upload(otherId, "host/b", "x")).status).toBe(401);
    expect((await client.call("hide_file", { bucketId, fileName: "host2/a" })).status).toBe(401);
    const start = { bucketId, fileName: "big", contentType: "a/b" };
    expect((await client.call("start_large_file", start)).status).toBe(401);
  });

  it("reads, copies and deletes files under its prefix only", async () => {
    for (const file of [outside, elsewhere]) {
      const { fileId, fileName } = file;
      expect((await client.call("get_file_info", { fileId })).status).toBe(401);
      expect((await client.call("delete_file_version", { fileId, fileName })).status).toBe(401);
      const copy = { sourceFileId: fileId, fileName: "host/stolen", destinationBucketId: bucketId };
      expect((await client.call("copy_file", copy)).status).toBe(401);
      const byId = `/b2api/v4/b2_download_file_by_id?fileId=${fileId}`;
      expect((await client.download(byId)).status).toBe(401);
    }
    const away = { sourceFileId: inside.fileId, fileName: "host/x", destinationBucketId: otherId };
    expect((await client.call("copy_file", away)).status).toBe(401);
    expect((await client.download("/file/keys-bucket/host2/a")).status).toBe(401);
    expect((await client.download("/file/keys-bucket/host")).status).toBe(401);
    expect((await client.download("/file/keys-bucket/host/none")).status).toBe(404);
    expect(await (await client.download("/file/keys-bucket/host/a")).text()).toBe("host/a");
  });

  it("shares files under its prefix only", async () => {
    const share = async (fileNamePrefix: string): Promise<number> =>
      (
        await client.call("get_download_authorization", {
          bucketId,
          fileNamePrefix,
          validDurationInSeconds: 60,
        })
      ).status;
    expect(await share("host/")).toBe(200);
    expect(await share("ho")).toBe(401);
  });
});
