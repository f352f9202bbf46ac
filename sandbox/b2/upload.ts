import { demand, keyById, tokenOf } from "./auth.ts";
import { existingBucket } from "./buckets.ts";
import type { Call, Headers, Reply } from "./call.ts";
import { contentTypeOf } from "./content-type.ts";
import { encryptionHeaders, parseFileEncryption } from "./encryption.ts";
import { B2Error, badRequest } from "./errors.ts";
import { fileJson } from "./file-json.ts";
import { newFileId } from "./ids.ts";
import { lockForNewFile, lockHeaders } from "./lock.ts";
import type { FileRecord, KeyRecord } from "./model.ts";
import { checkFileName, decodeName } from "./names.ts";
import { declaredLength, receive } from "./receive.ts";
import { replicationStatus } from "./replication.ts";

const infoPrefix = "x-bz-info-";

/** `b2_get_upload_url`. */
export function getUploadUrl(call: Call, key: KeyRecord): Reply {
  const { fields, version, world } = call;
  const bucketId = fields.string("bucketId");
  demand(key, "writeFiles", { bucketId });
  existingBucket(call, bucketId);
  return {
    json: {
      authorizationToken: world.tokens.issue({
        kind: "upload",
        keyId: key.applicationKeyId,
        bucketId,
      }),
      bucketId,
      uploadUrl: `${world.url}/b2api/v${version}/b2_upload_file/${bucketId}`,
    },
  };
}

/** `b2_upload_file`, at the URL and with the token of `b2_get_upload_url`. */
export async function uploadFile(call: Call): Promise<Reply> {
  const { headers, world } = call;
  const token = tokenOf(call);
  const claims = world.tokens.read(token);
  if (claims.kind !== "upload" || claims.bucketId !== call.target[0]) {
    throw new B2Error(401, "bad_auth_token", "Not the authorization token of this upload URL");
  }
  const key = keyById(world, claims.keyId);
  const { bucketId } = claims;
  const fileName = decodeName(requiredHeader(headers, "X-Bz-File-Name"));
  demand(key, "writeFiles", { bucketId, name: fileName });
  existingBucket(call, bucketId);
  checkFileName(fileName);
  const contentType = contentTypeOf(requiredHeader(headers, "Content-Type"), fileName);
  const fileInfo = checkFileInfo(fileInfoHeaders(headers));
  world.caps.checkStorage(world.store.storedBytes, declaredLength(call));
  const release = world.tokens.acquire(token);
  try {
    const received = await receive(call);
    try {
      // The bucket or the key may have gone while the body came in.
      keyById(world, claims.keyId);
      const bucket = existingBucket(call, bucketId);
      world.caps.checkStorage(world.store.storedBytes, received.contentLength);
      const uploadTimestamp =
        customTimestamp(headers["x-bz-custom-upload-timestamp"]) ??
        world.nextUploadTimestamp(bucketId, fileName);
      const encryption = parseFileEncryption(encryptionHeaders(headers), bucket);
      const file: FileRecord = {
        fileId: newFileId(bucketId, false, uploadTimestamp),
        bucketId,
        fileName,
        action: "upload",
        contentLength: received.contentLength,
        contentSha1: received.contentSha1,
        contentMd5: received.contentMd5,
        contentType,
        fileInfo,
        uploadTimestamp,
        sequence: world.store.nextSequence(),
        encryption,
        replicationStatus: replicationStatus(bucket, fileName, encryption),
        ...lockForNewFile(lockHeaders(headers), bucket, key, world.now()),
        segments: received.segments,
      };
      world.store.commit({ type: "file", file });
      return { json: fileJson(call, file, key) };
    } catch (error) {
      await received.discard();
      throw error;
    }
  } finally {
    release();
  }
}

/**
 * @returns a header that the operation needs
 * @throws B2Error 400 `bad_request`
 */
export function requiredHeader(headers: Headers, name: string): string {
  const value = headers[name.toLowerCase()];
  if (value === undefined) throw badRequest(`Missing header: ${name}`);
  return value;
}

/**
 * Checks custom file information: at most 10 pairs, names of 1 to 50 characters, 7,000 bytes
 * together (Backblaze, "Files").
 *
 * @throws B2Error 400 `bad_request`
 */
export function checkFileInfo(info: Record<string, string>): Record<string, string> {
  const names = Object.keys(info);
  if (names.length > 10) throw badRequest("A file may have at most 10 X-Bz-Info headers");
  let bytes = 0;
  for (const [name, value] of Object.entries(info)) {
    if (!/^[A-Za-z0-9_.`~!#$%^&*'|+-]{1,50}$/.test(name)) {
      throw badRequest(`Bad file info name: ${name}`);
    }
    bytes += name.length + Buffer.byteLength(value);
  }
  if (bytes > 7000) throw badRequest("File info may have at most 7000 bytes");
  const modified = info.src_last_modified_millis;
  if (modified !== undefined && !/^-?\d{1,19}$/.test(modified)) {
    throw badRequest("src_last_modified_millis must be milliseconds since 1970");
  }
  return info;
}

/** @returns a time chosen by the client, in milliseconds since 1970, or null */
export function customTimestamp(value: string | number | null | undefined): number | null {
  if (value === undefined || value === null) return null;
  const timestamp = Number(value);
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw badRequest("The custom upload timestamp must be milliseconds since 1970");
  }
  return timestamp;
}

function fileInfoHeaders(headers: Headers): Record<string, string> {
  const info: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(infoPrefix) && value !== undefined) {
      info[name.slice(infoPrefix.length)] = decodeName(value);
    }
  }
  return info;
}
