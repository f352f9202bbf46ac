import { createHash } from "node:crypto";

import type { Headers } from "./call.ts";
import { accessDenied, badRequest } from "./errors.ts";
import type { BucketRecord, Encryption, Json } from "./model.ts";

/** What a new bucket has, and what mode null sets a bucket back to. */
export const defaultEncryption: Encryption = { mode: "SSE-B2", algorithm: "AES256" };

/**
 * @returns a bucket's default encryption as asked for; null sets it back to the default
 * @throws B2Error 400 `bad_request`
 */
export function parseBucketEncryption(value: Json): Encryption {
  const mode = value.mode ?? null;
  if (mode === null || mode === "none") return defaultEncryption;
  if (mode !== "SSE-B2") throw badRequest("Default encryption mode must be SSE-B2 or null");
  demandAlgorithm(value.algorithm);
  return defaultEncryption;
}

/** @returns the encryption of a new file as asked for in JSON, else the bucket's default */
export function parseFileEncryption(value: Json | null, bucket: BucketRecord): Encryption {
  const mode = value?.mode ?? null;
  if (value === null || mode === null || mode === "none") return bucket.encryption;
  demandAlgorithm(value.algorithm);
  if (mode === "SSE-B2") return defaultEncryption;
  if (mode !== "SSE-C") throw badRequest("Encryption mode must be SSE-B2 or SSE-C");
  return customerEncryption(value.customerKey, value.customerKeyMd5);
}

/** @returns the encryption asked for in an upload's headers, as JSON, or null */
export function encryptionHeaders(headers: Headers): Json | null {
  const algorithm = headers["x-bz-server-side-encryption"];
  if (algorithm?.toLowerCase() === "none") return { mode: "none" };
  if (algorithm !== undefined) return { mode: "SSE-B2", algorithm };
  if (headers["x-bz-server-side-encryption-customer-algorithm"] === undefined) return null;
  return {
    mode: "SSE-C",
    algorithm: headers["x-bz-server-side-encryption-customer-algorithm"],
    customerKey: headers["x-bz-server-side-encryption-customer-key"],
    customerKeyMd5: headers["x-bz-server-side-encryption-customer-key-md5"],
  };
}

/**
 * Checks that whoever reads an SSE-C file brings its key.
 *
 * @throws B2Error 403 `access_denied` on a wrong key, 400 `bad_request` without one
 */
export function demandReadable(encryption: Encryption, given: Json | null): void {
  if (encryption.mode !== "SSE-C") {
    if (given?.mode === "SSE-C") throw badRequest("The file is not encrypted with SSE-C");
    return;
  }
  if (given?.mode !== "SSE-C") {
    throw badRequest(
      "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
    );
  }
  const { customerKeyMd5 } = customerEncryption(given.customerKey, given.customerKeyMd5);
  if (customerKeyMd5 !== encryption.customerKeyMd5) throw accessDenied("Wrong SSE-C key");
}

/** @returns the encryption as answered: never a key */
export function encryptionJson({ mode, algorithm, customerKeyMd5 }: Encryption): Json {
  return { algorithm, mode, ...(customerKeyMd5 === undefined ? {} : { customerKeyMd5 }) };
}

/** @returns the encryption as a download's headers */
export function encryptionReplyHeaders(encryption: Encryption): Record<string, string> {
  if (encryption.mode === "SSE-B2") return { "X-Bz-Server-Side-Encryption": "AES256" };
  if (encryption.mode !== "SSE-C") return {};
  return {
    "X-Bz-Server-Side-Encryption-Customer-Algorithm": "AES256",
    "X-Bz-Server-Side-Encryption-Customer-Key-Md5": encryption.customerKeyMd5 ?? "",
  };
}

function customerEncryption(key: unknown, md5: unknown): Encryption {
  if (typeof key !== "string" || Buffer.from(key, "base64").length !== 32) {
    throw badRequest("customerKey must be 32 bytes in base64");
  }
  const actual = createHash("md5").update(Buffer.from(key, "base64")).digest("base64");
  if (md5 !== actual) throw badRequest("customerKeyMd5 does not match customerKey");
  return { mode: "SSE-C", algorithm: "AES256", customerKeyMd5: actual };
}

function demandAlgorithm(algorithm: unknown): void {
  if (algorithm !== "AES256") throw badRequest("Encryption algorithm must be AES256");
}
