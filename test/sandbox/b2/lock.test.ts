import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Answer, Client, type Result, type Setup, setUp } from "./harness.ts";

const day = 24 * 60 * 60 * 1000;

let setup: Setup;
let master: Client;
let bucketId: string;
let openId: string;
beforeAll(async () => {
  setup = await setUp();
  master = setup.master;
  bucketId = await master.createBucket("lock-bucket", { fileLockEnabled: true });
  openId = await master.createBucket("lock-none");
});
afterAll(async () => setup.stop());

function until(days: number): number {
  return setup.emulator.clock.now() + days * day;
}

async function putRetained(name: string, mode: string, days: number): Promise<Answer> {
  return master.put(bucketId, name, name, {
    "X-Bz-File-Retention-Mode": mode,
    "X-Bz-File-Retention-Retain-Until-Timestamp": String(until(days)),
  });
}

async function remove(client: Client, file: Answer, bypassGovernance = false): Promise<Result> {
  const { fileId, fileName } = file;
  return client.call("delete_file_version", { fileId, fileName, bypassGovernance });
}

async function retain(file: Answer, mode: string | null, days: number | null, more: object = {}) {
  const { fileId, fileName } = file;
  return master.call("update_file_retention", {
    fileId,
    fileName,
    fileRetention: { mode, retainUntilTimestamp: days === null ? null : until(days) },
    ...more,
  });
}

describe("retention in governance mode", () => {
  it("refuses a deletion unless it is bypassed with the capability", async () => {
    const file = await putRetained("g1", "governance", 1);
    expect(file.fileRetention.value.mode).toBe("governance");
    const plain = await remove(master, file);
    expect(plain.body).toEqual({ status: 401, code: "access_denied", message: "Access Denied" });
    const weak = await master.withKey({ capabilities: ["deleteFiles"] });
    const unable = await remove(weak, file, true);
    expect([unable.status, unable.body.code]).toEqual([401, "unauthorized"]);
    expect((await remove(master, file, true)).status).toBe(200);
  });

  it("is over when its time has come", async () => {
    const file = await putRetained("g2", "governance", 1);
    expect((await remove(master, file)).status).toBe(401);
    setup.emulator.clock.advance(day);
    await reauthorize();
    expect((await remove(master, file)).status).toBe(200);
  });

  it("is extended freely, shortened and removed with a bypass only", async () => {
    const file = await putRetained("g3", "governance", 2);
    expect((await retain(file, "governance", 3)).status).toBe(200);
    const shorter = await retain(file, "governance", 1);
    expect([shorter.status, shorter.body.code]).toEqual([403, "access_denied"]);
    expect((await retain(file, null, null)).status).toBe(403);
    expect((await retain(file, null, null, { bypassGovernance: true })).status).toBe(200);
    expect((await remove(master, file)).status).toBe(200);
  });
});

describe("retention in compliance mode", () => {
  it("lets nobody delete, shorten or weaken, but extend", async () => {
    const file = await putRetained("c1", "compliance", 2);
    expect((await remove(master, file, true)).status).toBe(401);
    for (const attempt of [
      retain(file, "compliance", 1, { bypassGovernance: true }),
      retain(file, "governance", 3, { bypassGovernance: true }),
      retain(file, null, null, { bypassGovernance: true }),
    ]) {
      expect((await attempt).status).toBe(403);
    }
    expect((await retain(file, "compliance", 4)).status).toBe(200);
    setup.emulator.clock.advance(3 * day);
    await reauthorize();
    expect((await remove(master, file)).status).toBe(401);
    setup.emulator.clock.advance(day);
    await reauthorize();
    expect((await remove(master, file)).status).toBe(200);
  });

  it("does not hinder hiding, nor a new version", async () => {
    await putRetained("c2", "compliance", 2);
    await master.ok("hide_file", { bucketId, fileName: "c2" });
    await master.put(bucketId, "c2", "new");
    expect(await master.names(bucketId)).toContain("c2");
  });
});

describe("legal hold", () => {
  it("refuses a deletion until it is off, with a bypass too", async () => {
    const file = await master.put(bucketId, "held", "held", { "X-Bz-File-Legal-Hold": "on" });
    expect(file.legalHold.value).toBe("on");
    expect((await remove(master, file, true)).status).toBe(401);
    const { fileId } = file;
    await master.ok("update_file_legal_hold", { fileId, fileName: "held", legalHold: "off" });
    expect((await remove(master, file)).status).toBe(200);
  });
});

describe("lock settings", () => {
  it("are those of the bucket's default unless given", async () => {
    const own = await master.createBucket("lock-default", { fileLockEnabled: true });
    await master.ok("update_bucket", {
      accountId: master.accountId,
      bucketId: own,
      defaultRetention: { mode: "governance", period: { duration: 2, unit: "years" } },
    });
    const file = await master.put(own, "a");
    const { mode, retainUntilTimestamp } = file.fileRetention.value;
    expect(mode).toBe("governance");
    expect(Math.abs((retainUntilTimestamp ?? 0) - until(730))).toBeLessThan(60_000);
  });

  it("need a bucket with a lock, on uploads, copies, large files and updates", async () => {
    const plain = await master.put(openId, "plain");
    const { fileId, fileName } = plain;
    const answers = [
      await master.upload(openId, "x", "x", { "X-Bz-File-Legal-Hold": "on" }),
      await retain(plain, "governance", 1),
      await master.call("update_file_legal_hold", { fileId, fileName, legalHold: "on" }),
      await master.call("copy_file", { sourceFileId: fileId, fileName: "y", legalHold: "on" }),
      await master.call("start_large_file", {
        bucketId: openId,
        fileName: "z",
        contentType: "a/b",
        legalHold: "on",
      }),
    ];
    for (const { status, body } of answers) {
      expect([status, body.code]).toEqual([400, "bucket_missing_file_lock"]);
    }
  });

  it("must lie in the future", async () => {
    const answer = await master.upload(bucketId, "past", "x", {
      "X-Bz-File-Retention-Mode": "governance",
      "X-Bz-File-Retention-Retain-Until-Timestamp": String(until(-1)),
    });
    expect([answer.status, answer.body.code]).toEqual([
      400,
      "retain_until_timestamp_must_be_in_future",
    ]);
  });

  it("cannot be set nor read without the capabilities", async () => {
    const file = await putRetained("unread", "governance", 1);
    const client = await master.withKey({
      capabilities: ["listFiles", "readFiles", "writeFiles"],
    });
    const info = await client.ok("get_file_info", { fileId: file.fileId });
    expect(info.fileRetention).toEqual({ isClientAuthorizedToRead: false, value: null });
    expect(info.legalHold).toEqual({ isClientAuthorizedToRead: false, value: null });
    const response = await client.download("/file/lock-bucket/unread");
    expect(response.headers.get("x-bz-client-unauthorized-to-read")).toContain(
      "X-Bz-File-Legal-Hold",
    );
    const upload = await client.upload(bucketId, "x", "x", { "X-Bz-File-Legal-Hold": "on" });
    expect([upload.status, upload.body.code]).toEqual([401, "unauthorized"]);
    const { fileId, fileName } = file;
    const update = await client.call("update_file_legal_hold", {
      fileId,
      fileName,
      legalHold: "on",
    });
    expect([update.status, update.body.code]).toEqual([403, "access_denied"]);
  });

  it("are told in a download's headers", async () => {
    await putRetained("told", "governance", 1);
    const { headers } = await master.download("/file/lock-bucket/told");
    expect(headers.get("x-bz-file-retention-mode")).toBe("governance");
    expect(headers.get("x-bz-file-retention-retain-until-timestamp")).toMatch(/^\d+$/);
  });
});

// The clock that ends retention ends tokens too.
async function reauthorize(): Promise<void> {
  const { emulator } = setup;
  const fresh = await Client.authorize(
    emulator,
    emulator.applicationKeyId,
    emulator.applicationKey,
  );
  master.token = fresh.token;
}
