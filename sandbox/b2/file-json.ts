import type { Call } from "./call.ts";
import { encryptionJson } from "./encryption.ts";
import type { FileRecord, Json, KeyRecord, PartRecord } from "./model.ts";

/** @returns a file version as calls answer it, with what the key may not read left out */
export function fileJson(call: Call, file: FileRecord, key: KeyRecord): Json {
  return {
    accountId: call.world.account.accountId,
    action: file.action,
    bucketId: file.bucketId,
    contentLength: file.contentLength,
    contentMd5: file.contentMd5,
    contentSha1: file.contentSha1,
    contentType: file.contentType,
    fileId: file.fileId,
    fileInfo: file.fileInfo,
    fileName: file.fileName,
    fileRetention: readable(key, "readFileRetentions", file.retention),
    legalHold: readable(key, "readFileLegalHolds", file.legalHold),
    replicationStatus: file.replicationStatus,
    serverSideEncryption: encryptionJson(file.encryption),
    uploadTimestamp: file.uploadTimestamp,
    ...(call.version === 1 ? { size: file.contentLength } : {}),
  };
}

/** @returns a folder entry of a listing with a delimiter */
export function folderJson(call: Call, bucketId: string, fileName: string): Json {
  return {
    accountId: call.world.account.accountId,
    action: "folder",
    bucketId,
    contentLength: 0,
    contentMd5: null,
    contentSha1: null,
    contentType: null,
    fileId: null,
    fileInfo: {},
    fileName,
    fileRetention: { isClientAuthorizedToRead: false, value: null },
    legalHold: { isClientAuthorizedToRead: false, value: null },
    replicationStatus: null,
    serverSideEncryption: { algorithm: null, mode: null },
    uploadTimestamp: 0,
    ...(call.version === 1 ? { size: 0 } : {}),
  };
}

/** @returns a part of a large file as calls answer it */
export function partJson(part: PartRecord, file: FileRecord): Json {
  return {
    contentLength: part.contentLength,
    contentMd5: part.contentMd5,
    contentSha1: part.contentSha1,
    fileId: part.fileId,
    partNumber: part.partNumber,
    serverSideEncryption: encryptionJson(file.encryption),
    uploadTimestamp: part.uploadTimestamp,
  };
}

function readable(key: KeyRecord, capability: string, value: unknown): Json {
  const isClientAuthorizedToRead = key.capabilities.includes(capability);
  return { isClientAuthorizedToRead, value: isClientAuthorizedToRead ? value : null };
}
