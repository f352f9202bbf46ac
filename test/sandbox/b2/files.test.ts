import { createHash } from "node:crypto";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { setImmediate } from "node:timers/promises";

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fileNameProblem } from "../../../sandbox/b2/names.ts";
import { type Answer, post, sha1, type Setup, setUp } from "./harness.ts";

let setup: Setup;
let bucketId: string;
beforeAll(async () => {
  setup = await setUp();
  bucketId = await setup.master.createBucket("files-bucket");
});
afterAll(async () => setup.stop());

describe("uploads", () => {
  it("answer everything about the new version", async () => {
    const file = await setup.master.put(bucketId, "dir/a.txt", "hello", {
      "X-Bz-Info-Colour": "blue%20sky",
      "X-Bz-Info-src_last_modified_millis": "123",
    });
    expect(file).toMatchObject({
      action: "upload",
      bucketId,
      contentLength: 5,
      contentMd5: "5d41402abc4b2a76b9719d911017c592",
      contentSha1: sha1("hello"),
      contentType: "text/plain",
      fileInfo: { colour: "blue sky", src_last_modified_millis: "123" },
      fileName: "dir/a.txt",
      fileRetention: {
        isClientAuthorizedToRead: true,
        value: { mode: null, retainUntilTimestamp: null },
      },
      legalHold: { isClientAuthorizedToRead: true, value: null },
      serverSideEncryption: { algorithm: "AES256", mode: "SSE-B2" },
    });
    expect(file.fileId).toMatch(new RegExp(`^4_z${bucketId}_f1`));
  });

  it("take the SHA-1 at the end, or none to check", async () => {
    const { master } = setup;
    const content = "x".repeat(100_000);
    const atEnd = await master.put(bucketId, "at-end", content + sha1(content), {
      "X-Bz-Content-Sha1": "hex_digits_at_end",
    });
    expect(atEnd).toMatchObject({ contentLength: 100_000, contentSha1: sha1(content) });
    const response = await master.download("/file/files-bucket/at-end");
    expect(await response.text()).toBe(content);
    const unverified = await master.put(bucketId, "unverified", "x", {
      "X-Bz-Content-Sha1": "do_not_verify",
    });
    expect(unverified.contentSha1).toBe(`unverified:${sha1("x")}`);
  });

  it("leave nothing behind when the SHA-1 does not match", async () => {
    const { emulator, master } = setup;
    const before = emulator.stats().storedBytes;
    const bad = await master.upload(bucketId, "bad", "x", { "X-Bz-Content-Sha1": sha1("y") });
    expect([bad.status, bad.body.code]).toEqual([400, "bad_request"]);
    expect(bad.body.message).toBe("Sha1 did not match data received");
    expect(await master.names(bucketId)).not.toContain("bad");
    expect(emulator.stats().storedBytes).toBe(before);
  });

  it.each([
    ["a bad name", "a//b", {}],
    ["no SHA-1 at all", "a", { "X-Bz-Content-Sha1": "none" }],
    ["bad file information", "a", { "X-Bz-Info-src_last_modified_millis": "soon" }],
    [
      "more than ten pieces of information",
      "a",
      Object.fromEntries("abcdefghijk".split("").map((name) => [`X-Bz-Info-${name}`, "1"])),
    ],
    ["lock settings in a bucket without lock", "a", { "X-Bz-File-Legal-Hold": "on" }],
  ])("are refused with %s", async (_case, name, headers) => {
    expect((await setup.master.upload(bucketId, name, "x", headers)).status).toBe(400);
  });

  it("take one upload at a time with a token", async () => {
    const { master } = setup;
    const target = await master.ok("get_upload_url", { bucketId });
    const send = async (name: string) =>
      post(target.uploadUrl, "x".repeat(5_000_000), {
        Authorization: target.authorizationToken,
        "X-Bz-File-Name": name,
        "Content-Type": "b2/x-auto",
        "X-Bz-Content-Sha1": "do_not_verify",
      });
    const answers = await Promise.all([send("one"), send("two")]);
    const codes = answers.map(({ status, body }) => (status === 200 ? 200 : body.code));
    expect(codes.toSorted()).toEqual([200, "auth_token_limit"]);
    expect((await send("three")).status).toBe(200);
  });

  it("refuse an account's token and another bucket's", async () => {
    const { master } = setup;
    const other = await master.createBucket("files-other");
    const here = await master.ok("get_upload_url", { bucketId });
    const there = await master.ok("get_upload_url", { bucketId: other });
    for (const token of [master.token, there.authorizationToken]) {
      const answer = await post(here.uploadUrl, "x", {
        Authorization: token,
        "X-Bz-File-Name": "x",
        "Content-Type": "b2/x-auto",
        "X-Bz-Content-Sha1": sha1("x"),
      });
      expect([answer.status, answer.body.code]).toEqual([401, "bad_auth_token"]);
    }
  });

  it("are safe side by side: every one is listed once, with its own content", async () => {
    const { master } = setup;
    const own = await master.createBucket("files-many");
    const names = Array.from({ length: 100 }, (_, index) => `f${String(index).padStart(3, "0")}`);
    await Promise.all(names.map(async (name) => master.put(own, name)));
    expect(await master.names(own, { maxFileCount: 1000 })).toEqual(names);
    const contents = await Promise.all(
      names.map(async (name) => (await master.download(`/file/files-many/${name}`)).text()),
    );
    expect(contents).toEqual(names);
  });

  it("leave nothing behind when the client goes away in the middle", async () => {
    const { emulator, master } = setup;
    const before = emulator.stats().storedBytes;
    const target = await master.ok("get_upload_url", { bucketId });
    const upload = request(target.uploadUrl, {
      method: "POST",
      headers: {
        Authorization: target.authorizationToken,
        "Content-Length": 1_000_000,
        "Content-Type": "b2/x-auto",
        "X-Bz-Content-Sha1": "do_not_verify",
        "X-Bz-File-Name": "half",
      },
    });
    const failed = once(upload, "error");
    emulator.resetStats();
    upload.write(Buffer.alloc(500_000));
    while (emulator.stats().bytesIn < 500_000) await setImmediate();
    upload.destroy(new Error("gone"));
    await failed;
    while (Object.keys(emulator.stats().statuses).length === 0) await setImmediate();
    expect(await master.names(bucketId)).not.toContain("half");
    expect(emulator.stats().storedBytes).toBe(before);
    // The token is free again.
    const again = await post(target.uploadUrl, "whole", {
      Authorization: target.authorizationToken,
      "Content-Type": "b2/x-auto",
      "X-Bz-Content-Sha1": "do_not_verify",
      "X-Bz-File-Name": "whole",
    });
    expect(again.status).toBe(200);
  });

  it("keep dots in a name that a URL would take away", async () => {
    const { emulator, master } = setup;
    await master.put(bucketId, "dots/../name", "dotted");
    const { hostname, port } = new URL(emulator.url);
    const download = request({
      hostname,
      port,
      path: "/file/files-bucket/dots/../name",
      headers: { Authorization: master.token },
    }).end();
    const [response] = (await once(download, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
  });

  it("keep any name and content that B2 allows", async () => {
    const { master } = setup;
    const own = await master.createBucket("files-any");
    const name = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 30 })
      .filter((candidate) => fileNameProblem(candidate) === null);
    await fc.assert(
      fc.asyncProperty(name, fc.uint8Array({ maxLength: 50 }), async (fileName, content) => {
        const { fileId } = await master.put(own, fileName, content);
        const path = fileName.split("/").map(encodeURIComponent).join("/");
        // A lone dot in a path would be taken away on the client's side.
        if (!/(^|\/)\.{1,2}(\/|$)/.test(fileName)) {
          const response = await master.download(`/file/files-any/${path}`);
          expect(new Uint8Array(await response.arrayBuffer())).toEqual(content);
          expect(decodeURIComponent(response.headers.get("x-bz-file-name") ?? "")).toBe(fileName);
        }
        expect((await master.ok("get_file_info", { fileId })).fileName).toBe(fileName);
      }),
      { numRuns: 40 },
    );
  });
});

describe("listings", () => {
  let own: string;
  beforeAll(async () => {
    const { master } = setup;
    own = await master.createBucket("files-listed");
    for (const name of ["a", "b/1", "b/2", "b0", "c/x/y", "d"]) await master.put(own, name);
    await master.put(own, "a", "second");
    await master.ok("hide_file", { bucketId: own, fileName: "d" });
  });

  it("show names that are not hidden, in order, with their newest version", async () => {
    const { master } = setup;
    expect(await master.names(own)).toEqual(["a", "b/1", "b/2", "b0", "c/x/y"]);
    const { files } = await master.ok("list_file_names", { bucketId: own, maxFileCount: 1 });
    expect(files[0]?.contentLength).toBe(6);
  });

  it("fold folders at the delimiter, under the prefix", async () => {
    const { master } = setup;
    expect(await master.names(own, { delimiter: "/" })).toEqual(["a", "b/", "b0", "c/"]);
    expect(await master.names(own, { delimiter: "/", prefix: "b/" })).toEqual(["b/1", "b/2"]);
    expect(await master.names(own, { delimiter: "/", prefix: "c/" })).toEqual(["c/x/"]);
    const { files } = await master.ok("list_file_names", { bucketId: own, delimiter: "/" });
    expect(files[1]).toMatchObject({ action: "folder", fileId: null, fileName: "b/" });
  });

  it("show all versions, newest first", async () => {
    expect(await setup.master.versions(own)).toEqual([
      "upload a",
      "upload a",
      "upload b/1",
      "upload b/2",
      "upload b0",
      "upload c/x/y",
      "hide d",
      "upload d",
    ]);
  });

  it.each([1, 2, 3])("give the same in pages of %d as in one", async (maxFileCount) => {
    const { master } = setup;
    for (const operation of ["list_file_names", "list_file_versions"]) {
      for (const delimiter of [null, "/"]) {
        const whole = await master.ok(operation, { bucketId: own, delimiter });
        const paged: unknown[] = [];
        let next: { startFileName: string | null; startFileId: string | null } = {
          startFileName: null,
          startFileId: null,
        };
        do {
          const page: Answer = await master.ok(operation, {
            bucketId: own,
            delimiter,
            maxFileCount,
            ...next,
          });
          paged.push(...page.files);
          next = {
            startFileName: page.nextFileName,
            startFileId: operation === "list_file_versions" ? page.nextFileId : null,
          };
        } while (next.startFileName !== null);
        expect(paged).toEqual(whole.files);
      }
    }
  });

  it("go on from a version that was deleted meanwhile", async () => {
    const { master } = setup;
    const again = await master.createBucket("files-paged");
    for (const content of ["1", "2", "3"]) await master.put(again, "a", content);
    const page = await master.ok("list_file_versions", { bucketId: again, maxFileCount: 1 });
    const start = { startFileName: page.nextFileName, startFileId: page.nextFileId };
    await master.ok("delete_file_version", { fileId: start.startFileId, fileName: "a" });
    const rest = await master.ok("list_file_versions", { bucketId: again, ...start });
    expect(rest.files).toHaveLength(1);
  });

  it("carry `size` in v1 and contentLength later", async () => {
    const v1 = await setup.master.ok("list_file_names", { bucketId: own, maxFileCount: 1 }, 1);
    expect(v1.files[0]?.size).toBe(6);
    const v4 = await setup.master.ok("list_file_names", { bucketId: own, maxFileCount: 1 });
    expect(v4.files[0]).not.toHaveProperty("size");
  });

  it("refuse a count over 10,000, an unknown bucket, and an id without a name", async () => {
    const { master } = setup;
    const code = async (operation: string, parameters: object): Promise<unknown> =>
      (await master.call(operation, { bucketId: own, ...parameters })).body.code;
    expect(await code("list_file_names", { maxFileCount: 10_001 })).toBe("out_of_range");
    expect(await code("list_file_names", { bucketId: "nowhere" })).toBe("invalid_bucket_id");
    expect(await code("list_file_versions", { startFileId: "x" })).toBe("bad_request");
  });
});

describe("hiding and deleting", () => {
  it("hide a file until the marker is deleted", async () => {
    const { master } = setup;
    const own = await master.createBucket("files-hidden");
    await master.put(own, "a", "kept");
    const marker = await master.ok("hide_file", { bucketId: own, fileName: "a" });
    expect(marker).toMatchObject({ action: "hide", contentLength: 0 });
    expect((await master.download("/file/files-hidden/a")).status).toBe(404);
    const again = await master.call("hide_file", { bucketId: own, fileName: "a" });
    expect([again.status, again.body.code]).toEqual([400, "already_hidden"]);
    await master.ok("delete_file_version", { fileId: marker.fileId, fileName: "a" });
    expect(await (await master.download("/file/files-hidden/a")).text()).toBe("kept");
  });

  it("answer for files that are not there", async () => {
    const { master } = setup;
    const file = await master.put(bucketId, "once");
    const { fileId } = file;
    const hide = await master.call("hide_file", { bucketId, fileName: "never" });
    expect([hide.status, hide.body.code]).toEqual([400, "no_such_file"]);
    const wrong = await master.call("delete_file_version", { fileId, fileName: "other" });
    expect([wrong.status, wrong.body.code]).toEqual([400, "file_not_present"]);
    await master.ok("delete_file_version", { fileId, fileName: "once" });
    const twice = await master.call("delete_file_version", { fileId, fileName: "once" });
    expect([twice.status, twice.body.code]).toEqual([400, "file_not_present"]);
    const info = await master.call("get_file_info", { fileId });
    expect([info.status, info.body.code]).toEqual([404, "not_found"]);
    const odd = await master.call("get_file_info", { fileId: "odd" });
    expect([odd.status, odd.body.code]).toEqual([400, "bad_request"]);
  });
});

describe("downloads", () => {
  it("answer headers that tell the whole version, for GET and HEAD", async () => {
    const { master } = setup;
    const file = await master.put(bucketId, "d/ä b", "content", {
      "X-Bz-Info-colour": "blue",
      "X-Bz-Info-b2-content-language": "de",
    });
    const byId = `/b2api/v4/b2_download_file_by_id?fileId=${file.fileId}`;
    for (const path of [byId, "/file/files-bucket/d/%C3%A4%20b"]) {
      const response = await fetch(setup.emulator.url + path, {
        method: "HEAD",
        headers: { Authorization: master.token },
      });
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "accept-ranges": "bytes",
        "content-language": "de",
        "content-length": "7",
        "content-type": "application/octet-stream",
        "x-bz-content-sha1": sha1("content"),
        "x-bz-file-id": file.fileId,
        "x-bz-file-name": "d/%C3%A4%20b",
        "x-bz-info-colour": "blue",
        "x-bz-server-side-encryption": "AES256",
        "x-bz-upload-timestamp": String(file.uploadTimestamp),
      });
      expect(await (await master.download(path)).text()).toBe("content");
    }
  });

  it("serve ranges with 206 and refuse those past the end with 416", async () => {
    const { master } = setup;
    await master.put(bucketId, "range", "0123456789");
    const get = async (range: string) => master.download("/file/files-bucket/range", { range });
    const part = await get("bytes=2-4");
    expect([part.status, await part.text()]).toEqual([206, "234"]);
    expect(part.headers.get("content-range")).toBe("bytes 2-4/10");
    expect(await (await get("bytes=8-100")).text()).toBe("89");
    const past = await get("bytes=10-");
    expect(past.status).toBe(416);
    expect(((await past.json()) as Answer).code).toBe("range_not_satisfiable");
  });

  it("need a token in a private bucket and none in a public one", async () => {
    const { emulator, master } = setup;
    const open = await master.createBucket("files-public", { bucketType: "allPublic" });
    await master.put(open, "a", "free");
    await master.put(bucketId, "closed", "paid");
    const anonymous = await fetch(`${emulator.url}/file/files-bucket/closed`);
    expect(anonymous.status).toBe(401);
    expect(await (await fetch(`${emulator.url}/file/files-public/a`)).text()).toBe("free");
    expect((await fetch(`${emulator.url}/file/no-such-bucket/a`)).status).toBe(404);
  });

  it("accept a download authorization for its prefix, its headers and its time", async () => {
    const { emulator, master } = setup;
    await master.put(bucketId, "share/a", "shared");
    await master.put(bucketId, "secret", "secret");
    const { authorizationToken } = await master.ok("get_download_authorization", {
      bucketId,
      fileNamePrefix: "share/",
      validDurationInSeconds: 60,
      b2ContentDisposition: "attachment",
    });
    const get = async (path: string) =>
      fetch(`${emulator.url}/file/files-bucket/${path}`, {
        headers: { Authorization: authorizationToken },
      });
    const good = await get("share/a?b2ContentDisposition=attachment");
    expect(good.headers.get("content-disposition")).toBe("attachment");
    expect(await good.text()).toBe("shared");
    expect((await get("share/a")).status).toBe(401);
    expect((await get("secret?b2ContentDisposition=attachment")).status).toBe(401);
    emulator.clock.advance(60_000);
    const late = await get("share/a?b2ContentDisposition=attachment");
    expect(((await late.json()) as Answer).code).toBe("expired_auth_token");
    for (const validDurationInSeconds of [0, 604_801]) {
      const answer = await master.call("get_download_authorization", {
        bucketId,
        fileNamePrefix: "",
        validDurationInSeconds,
      });
      expect(answer.status).toBe(400);
    }
  });
});

describe("encryption with the customer's key", () => {
  const key = Buffer.alloc(32, 7).toString("base64");
  const keyMd5 = "Es4eq4aS6y3gc2ZKYKhZaQ==";
  const headers = (customerKey: string, md5: string): Record<string, string> => ({
    "X-Bz-Server-Side-Encryption-Customer-Algorithm": "AES256",
    "X-Bz-Server-Side-Encryption-Customer-Key": customerKey,
    "X-Bz-Server-Side-Encryption-Customer-Key-Md5": md5,
  });

  it("gives the file back to whoever brings the key, and never tells it", async () => {
    const md5 = createHash("md5").update(Buffer.from(key, "base64")).digest("base64");
    const { master } = setup;
    const file = await master.put(bucketId, "sse-c", "secret", headers(key, md5));
    expect(file.serverSideEncryption).toEqual({
      algorithm: "AES256",
      customerKeyMd5: md5,
      mode: "SSE-C",
    });
    const path = "/file/files-bucket/sse-c";
    expect(await (await master.download(path, headers(key, md5))).text()).toBe("secret");
    const without = await master.download(path);
    expect([without.status, ((await without.json()) as Answer).code]).toEqual([400, "bad_request"]);
    const other = Buffer.alloc(32, 8);
    const otherMd5 = createHash("md5").update(other).digest("base64");
    const wrong = await master.download(path, headers(other.toString("base64"), otherMd5));
    expect([wrong.status, ((await wrong.json()) as Answer).code]).toEqual([403, "access_denied"]);
  });

  it("refuses a key whose MD5 does not match", async () => {
    const answer = await setup.master.upload(bucketId, "sse-c", "x", headers(key, keyMd5));
    expect(answer.status).toBe(400);
  });
});
