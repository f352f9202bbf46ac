import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Fault } from "../../../sandbox/b2/index.ts";
import { type Answer, type Client, type Setup, setUp } from "./harness.ts";

let setup: Setup;
let master: Client;
beforeEach(async () => {
  setup = await setUp();
  master = setup.master;
  setup.emulator.resetStats();
});
afterEach(async () => setup.stop());

async function listBuckets() {
  return master.call("list_buckets", { accountId: master.accountId });
}

describe("faults", () => {
  it.each<[Fault["kind"], number, string]>([
    ["expired-token", 401, "expired_auth_token"],
    ["request-timeout", 408, "request_timeout"],
    ["too-many-requests", 429, "too_many_requests"],
    ["internal-error", 500, "internal_error"],
    ["service-unavailable", 503, "service_unavailable"],
  ])("answer %s as %d once", async (kind, status, code) => {
    setup.emulator.faults.add({ kind, operation: "list_buckets" });
    const hit = await listBuckets();
    expect([hit.status, hit.body.code]).toEqual([status, code]);
    expect(hit.headers.get("retry-after")).toBeNull();
    expect((await listBuckets()).status).toBe(200);
  });

  it("send Retry-After when asked to", async () => {
    setup.emulator.faults.add({ kind: "too-many-requests", retryAfterSeconds: 7 });
    expect((await listBuckets()).headers.get("retry-after")).toBe("7");
  });

  it("skip the first calls, hit the next ones, and then stop", async () => {
    setup.emulator.faults.add({
      kind: "service-unavailable",
      operation: "b2_list_buckets",
      skip: 1,
      count: 2,
    });
    const statuses: number[] = [];
    for (let call = 0; call < 4; call += 1) statuses.push((await listBuckets()).status);
    expect(statuses).toEqual([200, 503, 503, 200]);
    expect(setup.emulator.faults.list()).toEqual([]);
  });

  it("leave other operations alone", async () => {
    setup.emulator.faults.add({ kind: "internal-error", operation: "create_key", count: null });
    expect((await listBuckets()).status).toBe(200);
    expect(setup.emulator.faults.list()[0]?.hits).toBe(0);
  });

  it.each<["before" | "after", number]>([
    ["before", 0],
    ["after", 1],
  ])("reset the connection %s the server acted", async (when, buckets) => {
    setup.emulator.faults.add({ kind: "reset", operation: "create_bucket", when });
    await expect(master.createBucket("reset-bucket")).rejects.toThrow();
    expect((await listBuckets()).body.buckets).toHaveLength(buckets);
    expect(setup.emulator.stats().statuses).toMatchObject({ reset: 1 });
  });

  it("can fail after the server acted, with a status too", async () => {
    setup.emulator.faults.add({
      kind: "service-unavailable",
      operation: "create_bucket",
      when: "after",
    });
    await expect(master.createBucket("late-bucket")).rejects.toThrow("service_unavailable");
    expect((await listBuckets()).body.buckets).toHaveLength(1);
  });

  it("cut a download short", async () => {
    const bucketId = await master.createBucket("cut-bucket");
    await master.put(bucketId, "a", "x".repeat(1_000_000));
    setup.emulator.faults.add({
      kind: "reset",
      operation: "download_file_by_name",
      when: "after",
    });
    const response = await master.download("/file/cut-bucket/a");
    expect(response.status).toBe(200);
    await expect(response.arrayBuffer()).rejects.toThrow();
  });

  it("delay a call, which succeeds all the same", async () => {
    setup.emulator.faults.add({ kind: "delay", milliseconds: 20 });
    expect((await listBuckets()).status).toBe(200);
  });

  it("are refused with what is allowed when they make no sense", () => {
    expect(() => {
      setup.emulator.faults.add({ kind: "meteor" as Fault["kind"] });
    }).toThrow(/kind/);
  });

  it("are set, listed and cleared over HTTP", async () => {
    const url = `${setup.emulator.url}/emulator/faults`;
    const set = await fetch(url, {
      method: "POST",
      body: JSON.stringify({ faults: [{ kind: "reset" }, { kind: "delay", operation: "x" }] }),
    });
    expect(await set.json()).toMatchObject({
      faults: [
        { kind: "reset", operation: "*", when: "before", skip: 0, count: 1, hits: 0 },
        { kind: "delay" },
      ],
    });
    const bad = await fetch(url, { method: "POST", body: JSON.stringify({ kind: "meteor" }) });
    expect(bad.status).toBe(400);
    await fetch(url, { method: "DELETE" });
    expect(setup.emulator.faults.list()).toEqual([]);
  });
});

describe("test modes", () => {
  it("fail some uploads, and all that stores when caps are forced", async () => {
    const bucketId = await master.createBucket("mode-bucket");
    const statuses: number[] = [];
    for (let upload = 0; upload < 3; upload += 1) {
      const answer = await master.upload(bucketId, "a", "x", {
        "X-Bz-Test-Mode": "fail_some_uploads",
      });
      statuses.push(answer.status);
    }
    expect(statuses).toContain(503);
    expect(statuses).toContain(200);
    const capped = await master.upload(bucketId, "a", "x", {
      "X-Bz-Test-Mode": "force_cap_exceeded",
    });
    expect([capped.status, capped.body.code]).toEqual([403, "cap_exceeded"]);
  });
});

describe("caps", () => {
  it("end uploads, copies and parts at so many bytes", async () => {
    const { caps } = setup.emulator;
    const bucketId = await master.createBucket("cap-bucket");
    const file = await master.put(bucketId, "a", "12345");
    caps.set({ storageBytes: 8 });
    const answers = [
      await master.upload(bucketId, "b", "6789"),
      await master.call("copy_file", { sourceFileId: file.fileId, fileName: "c" }),
    ];
    for (const { status, body } of answers) {
      expect([status, body.code]).toEqual([403, "storage_cap_exceeded"]);
    }
    expect((await master.upload(bucketId, "b", "678")).status).toBe(200);
    caps.set({ storageBytes: null });
    expect((await master.upload(bucketId, "b", "6789")).status).toBe(200);
  });

  it("are refused over HTTP when they make no sense", async () => {
    const response = await fetch(`${setup.emulator.url}/emulator/caps`, {
      method: "POST",
      body: JSON.stringify({ storageBytes: -1 }),
    });
    expect(response.status).toBe(400);
    expect(setup.emulator.caps.get().storageBytes).toBeNull();
  });

  it("end calls of a class at so many", async () => {
    setup.emulator.caps.set({ classC: 2 });
    const codes: unknown[] = [];
    for (let call = 0; call < 3; call += 1) codes.push((await listBuckets()).body.code);
    expect(codes).toEqual([undefined, undefined, "transaction_cap_exceeded"]);
  });
});

describe("the counters", () => {
  it("count operations, classes, answers and bytes of content", async () => {
    const { emulator } = setup;
    const bucketId = await master.createBucket("stats-bucket");
    await master.put(bucketId, "a", "12345");
    await master.names(bucketId);
    await master.call("get_file_info", { fileId: "odd" });
    // Last: its client may have all of it a moment before the emulator is done with it.
    await (await master.download("/file/stats-bucket/a", { range: "bytes=0-1" })).text();
    const stats = async () => (await fetch(`${emulator.url}/emulator/stats`)).json();
    await expect.poll(stats).toEqual({
      operations: {
        b2_create_bucket: 1,
        b2_download_file_by_name: 1,
        b2_get_file_info: 1,
        b2_get_upload_url: 1,
        b2_list_file_names: 1,
        b2_upload_file: 1,
      },
      transactions: { A: 2, B: 2, C: 2 },
      statuses: { 200: 4, 206: 1, 400: 1 },
      bytesIn: 5,
      bytesOut: 2,
      storedBytes: 5,
      maximumConcurrency: 1,
    });
    await fetch(`${emulator.url}/emulator/stats`, { method: "DELETE" });
    expect(emulator.stats().transactions).toEqual({ A: 0, B: 0, C: 0 });
  });

  it("count a listing of more than a thousand entries as several calls", async () => {
    const bucketId = await master.createBucket("stats-many");
    for (let start = 0; start < 1001; start += 91) {
      await Promise.all(
        Array.from({ length: Math.min(91, 1001 - start) }, async (_, index) =>
          master.put(bucketId, `f${start + index}`),
        ),
      );
    }
    setup.emulator.resetStats();
    const { files } = (await master.call("list_file_names", { bucketId, maxFileCount: 10_000 }))
      .body;
    expect(files).toHaveLength(1001);
    expect(setup.emulator.stats().transactions.C).toBe(2);
  });
});

describe("the clock", () => {
  it("is moved over HTTP, forward only", async () => {
    const url = `${setup.emulator.url}/emulator/clock`;
    const before = setup.emulator.clock.now();
    const moved = await fetch(url, {
      method: "POST",
      body: JSON.stringify({ advanceMilliseconds: 3_600_000 }),
    });
    expect(moved.status).toBe(200);
    expect(setup.emulator.clock.now()).toBeGreaterThanOrEqual(before + 3_600_000);
    const back = await fetch(url, {
      method: "POST",
      body: JSON.stringify({ advanceMilliseconds: -1 }),
    });
    expect(((await back.json()) as Answer).code).toBe("bad_request");
  });
});
