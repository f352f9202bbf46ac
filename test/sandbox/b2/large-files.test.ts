import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { type Answer, post, sha1, type Setup, setUp } from "./harness.ts";

const part = (letter: string): Buffer => Buffer.alloc(5_000_000, letter);
const last = Buffer.from("the end");

let setup: Setup;
let bucketId: string;
beforeAll(async () => {
  setup = await setUp();
  bucketId = await setup.master.createBucket("large-bucket");
});
afterAll(async () => setup.stop());

describe("large files", () => {
  it("come into being when they are finished, with the content of their parts", async () => {
    const { emulator, master } = setup;
    const parts = [part("a"), part("b"), last];
    const fileId = await master.startLarge(bucketId, "big", parts, {
      fileInfo: { large_file_sha1: sha1(Buffer.concat(parts)) },
    });
    expect(await master.names(bucketId)).not.toContain("big");
    expect(await master.versions(bucketId)).toContain("start big");
    const listed = await master.ok("list_parts", { fileId, maxPartCount: 2 });
    expect(listed.parts.map((entry: Answer) => entry.contentSha1 as unknown)).toEqual([
      sha1(part("a")),
      sha1(part("b")),
    ]);
    expect(listed.nextPartNumber).toBe(3);
    const file = await master.ok("finish_large_file", { fileId, partSha1Array: parts.map(sha1) });
    expect(file).toMatchObject({
      action: "upload",
      contentLength: 10_000_007,
      contentSha1: "none",
      fileId,
    });
    const response = await master.download("/file/large-bucket/big");
    expect(sha1(Buffer.from(await response.arrayBuffer()))).toBe(sha1(Buffer.concat(parts)));
    const across = await master.download("/file/large-bucket/big", {
      range: "bytes=4999999-5000000",
    });
    expect(await across.text()).toBe("ab");
    expect(emulator.stats().storedBytes).toBe(10_000_007);
  });

  it("are not finished with a part missing, wrong, too small, or alone", async () => {
    const { master } = setup;
    const finish = async (fileId: string, partSha1Array: string[]): Promise<Answer> =>
      (await master.call("finish_large_file", { fileId, partSha1Array })).body;
    const fileId = await master.startLarge(bucketId, "bad", [part("a"), last]);
    const good = [sha1(part("a")), sha1(last)];
    expect(await finish(fileId, [...good, sha1(last)])).toMatchObject({ code: "missing_part" });
    expect(await finish(fileId, [sha1("x"), sha1(last)])).toMatchObject({
      code: "part_sha1_mismatch",
    });
    expect(await finish(fileId, good.slice(0, 1))).toMatchObject({
      code: "bad_request",
      message: "large files must have at least 2 parts",
    });
    const small = await master.startLarge(bucketId, "small", [last, last]);
    expect(await finish(small, [sha1(last), sha1(last)])).toMatchObject({ code: "bad_request" });
    expect(await finish(fileId, good)).toMatchObject({ action: "upload" });
    expect(await finish(fileId, good)).toMatchObject({ code: "bad_request" });
  });

  it("keep the last upload of a part", async () => {
    const { master } = setup;
    const fileId = await master.startLarge(bucketId, "again", [part("a"), last]);
    const target = await master.ok("get_upload_part_url", { fileId });
    await post(target.uploadUrl, "another end", {
      Authorization: target.authorizationToken,
      "X-Bz-Part-Number": "2",
      "X-Bz-Content-Sha1": sha1("another end"),
    });
    await master.ok("finish_large_file", {
      fileId,
      partSha1Array: [sha1(part("a")), sha1("another end")],
    });
    const end = await master.download("/file/large-bucket/again", { range: "bytes=-11" });
    expect(await end.text()).toBe("another end");
  });

  it("are listed while unfinished, newest first, and go when cancelled or deleted", async () => {
    const { emulator, master } = setup;
    const own = await master.createBucket("large-unfinished");
    const before = emulator.stats().storedBytes;
    const ids: string[] = [];
    for (const name of ["p/1", "p/2", "q/3"]) ids.push(await master.startLarge(own, name, [last]));
    const list = async (parameters: object): Promise<unknown[]> => {
      const answer = await master.ok("list_unfinished_large_files", {
        bucketId: own,
        ...parameters,
      });
      return [answer.files.map((file: Answer) => file.fileName as unknown), answer.nextFileId];
    };
    expect(await list({})).toEqual([["q/3", "p/2", "p/1"], null]);
    expect(await list({ namePrefix: "p/" })).toEqual([["p/2", "p/1"], null]);
    expect(await list({ maxFileCount: 2 })).toEqual([["q/3", "p/2"], ids[0]]);
    expect(await list({ startFileId: ids[1] })).toEqual([["p/2", "p/1"], null]);
    await master.ok("cancel_large_file", { fileId: ids[0] });
    await master.ok("delete_file_version", { fileId: ids[1], fileName: "p/2" });
    expect(await list({})).toEqual([["q/3"], null]);
    const late = await master.call("get_upload_part_url", { fileId: ids[0] });
    expect(late.status).toBe(400);
    await master.ok("cancel_large_file", { fileId: ids[2] });
    expect(emulator.stats().storedBytes).toBe(before);
  });
});

describe("copies", () => {
  it("share content, with the metadata copied or replaced", async () => {
    const { master } = setup;
    const other = await master.createBucket("large-other");
    const source = await master.put(bucketId, "source.txt", "0123456789", {
      "X-Bz-Info-colour": "blue",
    });
    const copy = await master.ok("copy_file", {
      sourceFileId: source.fileId,
      fileName: "copy",
      destinationBucketId: other,
    });
    expect(copy).toMatchObject({
      action: "copy",
      bucketId: other,
      contentSha1: sha1("0123456789"),
      contentType: "text/plain",
      fileInfo: { colour: "blue" },
    });
    const replaced = await master.ok("copy_file", {
      sourceFileId: source.fileId,
      fileName: "part",
      range: "bytes=2-4",
      metadataDirective: "REPLACE",
      contentType: "a/b",
      fileInfo: { shape: "round" },
    });
    expect(replaced).toMatchObject({
      contentLength: 3,
      contentSha1: sha1("234"),
      contentType: "a/b",
      fileInfo: { shape: "round" },
    });
    await master.ok("delete_file_version", { fileId: source.fileId, fileName: "source.txt" });
    expect(await (await master.download("/file/large-other/copy")).text()).toBe("0123456789");
    expect(await (await master.download("/file/large-bucket/part")).text()).toBe("234");
  });

  it("make parts of large files", async () => {
    const { master } = setup;
    const source = await master.put(bucketId, "parts", part("s"));
    const { fileId } = await master.ok("start_large_file", {
      bucketId,
      fileName: "assembled",
      contentType: "a/b",
    });
    const copyPart = async (partNumber: number, range: string | null): Promise<Answer> =>
      master.ok("copy_part", {
        sourceFileId: source.fileId,
        largeFileId: fileId,
        partNumber,
        range,
      });
    const first = await copyPart(1, null);
    const second = await copyPart(2, "bytes=0-9");
    expect(second).toMatchObject({ contentLength: 10, contentSha1: sha1("s".repeat(10)) });
    const file = await master.ok("finish_large_file", {
      fileId,
      partSha1Array: [first.contentSha1, second.contentSha1],
    });
    expect(file.contentLength).toBe(5_000_010);
  });

  it("are refused with wrong metadata, a wrong source, or a wrong range", async () => {
    const { master } = setup;
    const source = await master.put(bucketId, "refused", "0123456789");
    const { fileId: hidden } = await master.ok("hide_file", { bucketId, fileName: "refused" });
    const copy = async (parameters: object): Promise<unknown[]> => {
      const { status, body } = await master.call("copy_file", {
        sourceFileId: source.fileId,
        fileName: "x",
        ...parameters,
      });
      return [status, body.code];
    };
    expect(await copy({ fileInfo: {} })).toEqual([400, "bad_request"]);
    expect(await copy({ metadataDirective: "REPLACE" })).toEqual([400, "bad_request"]);
    expect(await copy({ sourceFileId: hidden })).toEqual([400, "bad_request"]);
    expect(await copy({ range: "bytes=10-" })).toEqual([416, "range_not_satisfiable"]);
    expect(await copy({ destinationBucketId: "nowhere" })).toEqual([400, "bad_bucket_id"]);
  });
});
