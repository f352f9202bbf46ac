import { demand, keyById, tokenOf } from "./auth.ts";
import { existingBucket } from "./buckets.ts";
import type { Call, Reply } from "./call.ts";
import { contentTypeOf } from "./content-type.ts";
import { encryptionHeaders, parseFileEncryption } from "./encryption.ts";
import { B2Error, badRequest } from "./errors.ts";
import { fileJson, partJson } from "./file-json.ts";
import { fileById } from "./file-of-call.ts";
import { newFileId } from "./ids.ts";
import { lockForNewFile } from "./lock.ts";
import type { FileRecord, KeyRecord, PartRecord } from "./model.ts";
import { isNewer } from "./name-index.ts";
import { checkFileName } from "./names.ts";
import { declaredLength, receive } from "./receive.ts";
import { replicationStatus } from "./replication.ts";
import { checkFileInfo, customTimestamp, requiredHeader } from "./upload.ts";

const minimumPartSize = 5_000_000;
const maximumParts = 10_000;

/** `b2_start_large_file`. */
export function startLargeFile(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  const bucketId = fields.string("bucketId");
  const fileName = fields.string("fileName");
  demand(key, "writeFiles", { bucketId, name: fileName });
  const bucket = existingBucket(call, bucketId);
  checkFileName(fileName);
  const fileInfo = checkFileInfo(fields.optionalStringMap("fileInfo") ?? {});
  const uploadTimestamp =
    // b2sdk 2.13 writes the parameter's name with underscores.
    customTimestamp(
      fields.optionalInteger("customUploadTimestamp") ??
        fields.optionalInteger("custom_upload_timestamp"),
    ) ?? world.nextUploadTimestamp(bucketId, fileName);
  const encryption = parseFileEncryption(fields.optionalObject("serverSideEncryption"), bucket);
  const file: FileRecord = {
    fileId: newFileId(bucketId, true, uploadTimestamp),
    bucketId,
    fileName,
    action: "start",
    contentLength: 0,
    contentSha1: "none",
    contentMd5: null,
    contentType: contentTypeOf(fields.string("contentType"), fileName),
    fileInfo,
    uploadTimestamp,
    sequence: world.store.nextSequence(),
    encryption,
    replicationStatus: replicationStatus(bucket, fileName, encryption),
    ...lockForNewFile(
      {
        retention: fields.optionalObject("fileRetention"),
        legalHold: fields.optionalString("legalHold"),
      },
      bucket,
      key,
      world.now(),
    ),
    segments: [],
  };
  world.store.commit({ type: "file", file });
  return { json: fileJson(call, file, key) };
}

/** `b2_get_upload_part_url`. */
export function getUploadPartUrl(call: Call, key: KeyRecord): Reply {
  const { version, world } = call;
  const file = unfinishedFile(call, key);
  return {
    json: {
      authorizationToken: world.tokens.issue({
        kind: "part",
        keyId: key.applicationKeyId,
        fileId: file.fileId,
      }),
      fileId: file.fileId,
      uploadUrl: `${world.url}/b2api/v${version}/b2_upload_part/${file.fileId}`,
    },
  };
}

/** `b2_upload_part`, at the URL and with the token of `b2_get_upload_part_url`. */
export async function uploadPart(call: Call): Promise<Reply> {
  const { headers, world } = call;
  const token = tokenOf(call);
  const claims = world.tokens.read(token);
  if (claims.kind !== "part" || claims.fileId !== call.target[0]) {
    throw new B2Error(401, "bad_auth_token", "Not the authorization token of this upload URL");
  }
  const key = keyById(world, claims.keyId);
  const partNumber = checkPartNumber(Number(requiredHeader(headers, "X-Bz-Part-Number")));
  startedFile(call, claims.fileId);
  world.caps.checkStorage(world.store.storedBytes, declaredLength(call));
  const release = world.tokens.acquire(token);
  try {
    const received = await receive(call);
    try {
      const file = startedFile(call, claims.fileId);
      demand(key, "writeFiles", { bucketId: file.bucketId, name: file.fileName });
      demandPartEncryption(call, file);
      world.caps.checkStorage(world.store.storedBytes, received.contentLength);
      const part: PartRecord = {
        fileId: file.fileId,
        partNumber,
        contentLength: received.contentLength,
        contentSha1: received.contentSha1,
        contentMd5: received.contentMd5,
        uploadTimestamp: world.now(),
        segments: received.segments,
      };
      world.store.commit({ type: "part", part });
      return { json: partJson(part, file) };
    } catch (error) {
      await received.discard();
      throw error;
    }
  } finally {
    release();
  }
}

/** `b2_finish_large_file`: the parts become the file's content where they lie. */
export function finishLargeFile(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  const file = unfinishedFile(call, key);
  const expected = fields.optionalStrings("partSha1Array") ?? [];
  if (expected.length < 2) throw badRequest("large files must have at least 2 parts");
  const parts = world.store.parts(file.fileId);
  for (const [index, sha1] of expected.entries()) {
    const part = parts[index];
    if (part?.partNumber !== index + 1) {
      throw new B2Error(400, "missing_part", `Part number ${index + 1} has not been uploaded`);
    }
    if (part.contentSha1.replace("unverified:", "") !== sha1.replace("unverified:", "")) {
      throw new B2Error(
        400,
        "part_sha1_mismatch",
        `Sha1 of part ${part.partNumber} does not match`,
      );
    }
  }
  if (parts.length !== expected.length) {
    throw badRequest(
      `${parts.length} parts have been uploaded, but partSha1Array has ${expected.length}`,
    );
  }
  const small = parts.slice(0, -1).find((part) => part.contentLength < minimumPartSize);
  if (small !== undefined) {
    throw badRequest(`Part number ${small.partNumber} is smaller than ${minimumPartSize} bytes`);
  }
  const finished: FileRecord = {
    ...file,
    action: "upload",
    contentLength: parts.reduce((sum, part) => sum + part.contentLength, 0),
    segments: parts.flatMap((part) => part.segments),
  };
  world.store.commit({ type: "file", file: finished });
  return { json: fileJson(call, finished, key) };
}

/** `b2_cancel_large_file`. */
export function cancelLargeFile(call: Call, key: KeyRecord): Reply {
  const { world } = call;
  const file = unfinishedFile(call, key);
  world.store.commit({ type: "deleteFile", fileId: file.fileId });
  return {
    json: {
      accountId: world.account.accountId,
      bucketId: file.bucketId,
      fileId: file.fileId,
      fileName: file.fileName,
    },
  };
}

/** `b2_list_parts`. */
export function listParts(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  const file = unfinishedFile(call, key);
  const maximum = fields.optionalInteger("maxPartCount") ?? 100;
  if (maximum < 1 || maximum > 1000) {
    throw new B2Error(400, "out_of_range", "maxPartCount must be from 1 to 1000");
  }
  const start = fields.optionalInteger("startPartNumber") ?? 1;
  const parts = world.store.parts(file.fileId).filter((part) => part.partNumber >= start);
  return {
    json: {
      parts: parts.slice(0, maximum).map((part) => partJson(part, file)),
      nextPartNumber: parts[maximum]?.partNumber ?? null,
    },
  };
}

/** `b2_list_unfinished_large_files`: newest first. */
export function listUnfinishedLargeFiles(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  const bucketId = fields.string("bucketId");
  const prefix = fields.optionalString("namePrefix") ?? "";
  demand(key, "listFiles", { bucketId, name: prefix });
  existingBucket(call, bucketId);
  const maximum = fields.optionalInteger("maxFileCount") ?? 100;
  if (maximum < 1 || maximum > 100) {
    throw new B2Error(400, "out_of_range", "maxFileCount must be from 1 to 100");
  }
  const startId = fields.optionalString("startFileId");
  const start = startId === null ? undefined : fileById(call, startId);
  const files: FileRecord[] = [];
  for (const name of world.store.names(bucketId).namesFrom(prefix)) {
    if (!name.startsWith(prefix)) break;
    for (const file of world.store.names(bucketId).versionsOf(name)) {
      const reached = start === undefined || file === start || isNewer(start, file);
      if (file.action === "start" && reached) files.push(file);
    }
  }
  files.sort((a, b) => (isNewer(a, b) ? -1 : 1));
  return {
    json: {
      files: files.slice(0, maximum).map((file) => fileJson(call, file, key)),
      nextFileId: files[maximum]?.fileId ?? null,
    },
  };
}

/** @throws B2Error 400 `bad_request` when it is not from 1 to 10,000 */
export function checkPartNumber(partNumber: number): number {
  if (!Number.isSafeInteger(partNumber) || partNumber < 1 || partNumber > maximumParts) {
    throw badRequest(`The part number must be from 1 to ${maximumParts}`);
  }
  return partNumber;
}

/** @throws B2Error 400 `bad_request` when the file is not an unfinished large file */
export function startedFile(call: Call, fileId: string): FileRecord {
  const file = call.world.store.files.get(fileId);
  if (file?.action !== "start") {
    throw badRequest(`No active upload for: ${fileId}`);
  }
  return file;
}

function unfinishedFile(call: Call, key: KeyRecord): FileRecord {
  demand(key, "writeFiles");
  const file = startedFile(call, call.fields.string("fileId"));
  demand(key, "writeFiles", { bucketId: file.bucketId, name: file.fileName });
  return file;
}

function demandPartEncryption(call: Call, file: FileRecord): void {
  const given = encryptionHeaders(call.headers);
  const md5 = given?.mode === "SSE-C" ? given.customerKeyMd5 : undefined;
  if (md5 !== file.encryption.customerKeyMd5) {
    throw badRequest("A part's SSE-C key must be that of its large file");
  }
}
