import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";

import type { Call } from "./call.ts";
import { B2Error, badRequest } from "./errors.ts";
import type { Segment } from "./model.ts";

/** A body that is on disk, and its checksums. */
export interface Received {
  segments: Segment[];
  contentLength: number;
  /** As B2 answers it: with `unverified:` in front when the client gave none to check. */
  contentSha1: string;
  contentMd5: string;
  /** To be called when the body is not kept. */
  discard(): Promise<void>;
}

const shaLength = 40;

/** @returns the bytes of content in a body of the declared length */
export function declaredLength(call: Call): number {
  const header = call.headers["content-length"];
  if (header === undefined) throw badRequest("Missing header: Content-Length");
  const trailer = call.headers["x-bz-content-sha1"] === "hex_digits_at_end" ? shaLength : 0;
  const length = Number(header) - trailer;
  if (length < 0) throw badRequest("Content-Length is too small for the SHA-1 at the end");
  return length;
}

/**
 * Streams a body to the disk and checks its SHA-1 (`X-Bz-Content-Sha1`: 40 hex digits,
 * `hex_digits_at_end` or `do_not_verify`).
 *
 * @throws B2Error 400 `bad_request` when it does not match
 */
export async function receive(call: Call): Promise<Received> {
  const expected = call.headers["x-bz-content-sha1"];
  if (expected === undefined) throw badRequest("Missing header: X-Bz-Content-Sha1");
  const verify = expected !== "do_not_verify";
  const atEnd = expected === "hex_digits_at_end";
  if (verify && !atEnd && !/^[0-9a-fA-F]{40}$/.test(expected)) {
    throw badRequest("X-Bz-Content-Sha1 must be 40 hex digits");
  }
  const { blobs } = call.world.store;
  const { blobId, handle } = await blobs.create();
  const discard = (): Promise<void> => blobs.discard(blobId);
  try {
    const sha1 = createHash("sha1");
    const md5 = createHash("md5");
    let contentLength = 0;
    // With the SHA-1 at the end, the last 40 bytes seen so far may be it: they are held back.
    let held: Buffer = Buffer.alloc(0);
    for await (const raw of call.body) {
      const chunk = raw as Buffer;
      const bytes = atEnd ? Buffer.concat([held, chunk]) : chunk;
      const content = atEnd ? bytes.subarray(0, Math.max(0, bytes.length - shaLength)) : bytes;
      held = bytes.subarray(content.length);
      sha1.update(content);
      md5.update(content);
      contentLength += content.length;
      call.world.counters.addBytesIn(content.length);
      await writeAll(handle, content);
    }
    await handle.close();
    const actual = sha1.digest("hex");
    const wanted = atEnd ? held.toString("latin1") : expected;
    if (verify && wanted.toLowerCase() !== actual) {
      throw badRequest("Sha1 did not match data received");
    }
    // An empty content needs no blob: nothing would ever refer to it.
    if (contentLength === 0) await discard();
    return {
      segments: contentLength === 0 ? [] : [{ blobId, offset: 0, length: contentLength }],
      contentLength,
      contentSha1: verify ? actual : `unverified:${actual}`,
      contentMd5: md5.digest("hex"),
      discard,
    };
  } catch (error) {
    await handle.close().catch(() => undefined);
    await discard();
    // A body that ends early is the client's doing, and it is gone; the answer reaches nobody.
    if (error instanceof Error && "code" in error && error.code === "ECONNRESET") {
      throw new B2Error(408, "request_timeout", "The request's body ended early");
    }
    throw error;
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, written);
    written += bytesWritten;
  }
}
