import { createHash } from "node:crypto";

import { demand } from "./auth.ts";
import { sliceSegments } from "./blobs.ts";
import { existingBucket } from "./buckets.ts";
import type { Call, Reply } from "./call.ts";
import { contentTypeOf } from "./content-type.ts";
import { demandReadable, parseFileEncryption } from "./encryption.ts";
import { B2Error, badRequest } from "./errors.ts";
import { fileJson, partJson } from "./file-json.ts";
import { fileById } from "./file-of-call.ts";
import { newFileId } from "./ids.ts";
import { checkPartNumber, startedFile } from "./large-files.ts";
import { lockForNewFile } from "./lock.ts";
import type { FileRecord, KeyRecord, PartRecord, Segment } from "./model.ts";
import { checkFileName } from "./names.ts";
import { parseRange } from "./range.ts";
import { replicationStatus } from "./replication.ts";
import { checkFileInfo } from "./upload.ts";

const maximumCopySize = 5_000_000_000;

/** `b2_copy_file`: within the account, a range too; no bytes move. */
export async function copyFile(call: Call, key: KeyRecord): Promise<Reply> {
  const { fields, world } = call;
  const source = readableSource(call, key);
  const fileName = fields.string("fileName");
  const bucketId = fields.optionalString("destinationBucketId") ?? source.bucketId;
  demand(key, "writeFiles", { bucketId, name: fileName });
  const bucket = existingBucket(call, bucketId);
  checkFileName(fileName);
  const metadata = copiedMetadata(call, source, fileName);
  const content = await copiedContent(call, source);
  // From here on nothing is awaited: the source must still be there.
  fileById(call, source.fileId);
  world.caps.checkStorage(world.store.storedBytes, content.contentLength);
  const uploadTimestamp = world.nextUploadTimestamp(bucketId, fileName);
  const encryption = parseFileEncryption(
    fields.optionalObject("destinationServerSideEncryption"),
    bucket,
  );
  const file: FileRecord = {
    ...content,
    ...metadata,
    fileId: newFileId(bucketId, false, uploadTimestamp),
    bucketId,
    fileName,
    action: "upload",
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
  };
  world.store.commit({ type: "file", file });
  return { json: { ...fileJson(call, file, key), action: "copy" } };
}

/** `b2_copy_part`. */
export async function copyPart(call: Call, key: KeyRecord): Promise<Reply> {
  const { fields, world } = call;
  const source = readableSource(call, key);
  const target = startedFile(call, fields.string("largeFileId"));
  demand(key, "writeFiles", { bucketId: target.bucketId, name: target.fileName });
  const partNumber = checkPartNumber(fields.integer("partNumber"));
  const content = await copiedContent(call, source);
  fileById(call, source.fileId);
  const file = startedFile(call, target.fileId);
  world.caps.checkStorage(world.store.storedBytes, content.contentLength);
  const part: PartRecord = {
    contentLength: content.contentLength,
    contentMd5: content.contentMd5,
    contentSha1: content.contentSha1,
    segments: content.segments,
    fileId: file.fileId,
    partNumber,
    uploadTimestamp: world.now(),
  };
  world.store.commit({ type: "part", part });
  return { json: partJson(part, file) };
}

function readableSource(call: Call, key: KeyRecord): FileRecord {
  const { fields, world } = call;
  demand(key, "writeFiles");
  const source = fileById(call, fields.string("sourceFileId"));
  if (source.action !== "upload") throw badRequest("The source is not an uploaded file");
  if (world.bucketOf(source).bucketType === "allPrivate") {
    demand(key, "readFiles", { bucketId: source.bucketId, name: source.fileName });
  }
  demandReadable(source.encryption, fields.optionalObject("sourceServerSideEncryption"));
  return source;
}

function copiedMetadata(
  call: Call,
  source: FileRecord,
  fileName: string,
): Pick<FileRecord, "contentType" | "fileInfo"> {
  const { fields } = call;
  const directive = fields.optionalString("metadataDirective") ?? "COPY";
  const contentType = fields.optionalString("contentType");
  const fileInfo = fields.optionalStringMap("fileInfo");
  if (directive === "COPY") {
    if (contentType !== null || fileInfo !== null) {
      throw badRequest("contentType and fileInfo must not be given when copying the metadata");
    }
    return { contentType: source.contentType, fileInfo: source.fileInfo };
  }
  if (directive !== "REPLACE") throw badRequest("metadataDirective must be COPY or REPLACE");
  if (contentType === null) throw badRequest("contentType is required to replace the metadata");
  return {
    contentType: contentTypeOf(contentType, fileName),
    fileInfo: checkFileInfo(fileInfo ?? {}),
  };
}

async function copiedContent(
  call: Call,
  source: FileRecord,
): Promise<{
  segments: Segment[];
  contentLength: number;
  contentSha1: string;
  contentMd5: string | null;
}> {
  const range = call.fields.optionalString("range");
  const { offset, length } =
    range === null
      ? { offset: 0, length: source.contentLength }
      : parseRange(range, source.contentLength);
  if (length > maximumCopySize) {
    throw new B2Error(400, "source_too_large", `Copy source too big: ${length}`);
  }
  const segments = sliceSegments(source.segments, offset, length);
  const whole = length === source.contentLength;
  if (whole && source.contentSha1 !== null && source.contentSha1 !== "none") {
    return {
      segments,
      contentLength: length,
      contentSha1: source.contentSha1,
      contentMd5: source.contentMd5,
    };
  }
  const sha1 = createHash("sha1");
  const md5 = createHash("md5");
  for await (const chunk of call.world.store.blobs.read(segments)) {
    sha1.update(chunk);
    md5.update(chunk);
  }
  return {
    segments,
    contentLength: length,
    contentSha1: sha1.digest("hex"),
    contentMd5: md5.digest("hex"),
  };
}
