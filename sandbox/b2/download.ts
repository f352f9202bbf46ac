import { demand, keyById } from "./auth.ts";
import { sliceSegments } from "./blobs.ts";
import { existingBucket } from "./buckets.ts";
import type { Call, Reply } from "./call.ts";
import { demandReadable, encryptionHeaders, encryptionReplyHeaders } from "./encryption.ts";
import { badRequest, notFound, unauthorized } from "./errors.ts";
import { fileById } from "./file-of-call.ts";
import type { BucketRecord, FileRecord, KeyRecord } from "./model.ts";
import { encodeName } from "./names.ts";
import { parseRange } from "./range.ts";

/** File info and query parameters that stand for a header of the answer. */
const overridable: Record<string, string> = {
  "b2-cache-control": "Cache-Control",
  "b2-content-disposition": "Content-Disposition",
  "b2-content-encoding": "Content-Encoding",
  "b2-content-language": "Content-Language",
  "b2-expires": "Expires",
};
const overrideParameters: Record<string, string> = {
  b2CacheControl: "Cache-Control",
  b2ContentDisposition: "Content-Disposition",
  b2ContentEncoding: "Content-Encoding",
  b2ContentLanguage: "Content-Language",
  b2ContentType: "Content-Type",
  b2Expires: "Expires",
};

/** `b2_get_download_authorization`: a token for the names with a prefix, for 1 s to a week. */
export function getDownloadAuthorization(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  const bucketId = fields.string("bucketId");
  const fileNamePrefix = fields.string("fileNamePrefix");
  demand(key, "shareFiles", { bucketId, name: fileNamePrefix });
  existingBucket(call, bucketId);
  const seconds = fields.integer("validDurationInSeconds");
  if (seconds < 1 || seconds > 604_800) {
    throw badRequest("validDurationInSeconds must be from 1 to 604800");
  }
  const overrides: Record<string, string> = {};
  for (const name of Object.keys(overrideParameters)) {
    const value = fields.optionalString(name);
    if (value !== null) overrides[name] = value;
  }
  const claims = {
    kind: "download" as const,
    keyId: key.applicationKeyId,
    bucketId,
    fileNamePrefix,
    overrides,
  };
  return {
    json: {
      authorizationToken: world.tokens.issue(claims, seconds * 1000),
      bucketId,
      fileNamePrefix,
    },
  };
}

/** `b2_download_file_by_id`, GET and HEAD. */
export function downloadById(call: Call): Reply {
  const fileId = call.query.get("fileId") ?? call.fields.string("fileId");
  const file = fileById(call, fileId);
  const key = demandDownload(call, call.world.bucketOf(file), file.fileName);
  return content(call, file, key);
}

/** `b2_download_file_by_name`: `/file/<bucket>/<name>`, GET and HEAD. */
export function downloadByName(call: Call): Reply {
  const [bucketName = "", fileName = ""] = call.target;
  const bucket = call.world.store.bucketByName(bucketName);
  if (bucket?.bucketName !== bucketName) {
    throw notFound(`Bucket ${bucketName} does not exist`);
  }
  const key = demandDownload(call, bucket, fileName);
  const file = call.world.store.names(bucket.bucketId).latest(fileName);
  if (file === undefined) throw notFound("File with such name does not exist.");
  return content(call, file, key);
}

// Null: whoever asks is nobody in particular (a public bucket, or a shared file).
function demandDownload(call: Call, bucket: BucketRecord, fileName: string): KeyRecord | null {
  const { world } = call;
  const token = call.headers.authorization ?? call.query.get("Authorization");
  if (token === null || token === "") {
    if (bucket.bucketType === "allPublic") return null;
    throw unauthorized();
  }
  const claims = world.tokens.read(token);
  const key = keyById(world, claims.keyId);
  if (claims.kind === "account") {
    if (bucket.bucketType === "allPrivate") {
      demand(key, "readFiles", { bucketId: bucket.bucketId, name: fileName });
    }
    return key;
  }
  if (claims.kind !== "download") throw unauthorized();
  const covered = claims.bucketId === bucket.bucketId && fileName.startsWith(claims.fileNamePrefix);
  const sameOverrides = Object.entries(claims.overrides).every(
    ([name, value]) => call.query.get(name) === value,
  );
  if (!covered || !sameOverrides) throw unauthorized();
  return null;
}

function content(call: Call, file: FileRecord, key: KeyRecord | null): Reply {
  if (file.action !== "upload") throw notFound("File with such name does not exist.");
  demandReadable(file.encryption, encryptionHeaders(call.headers));
  const rangeHeader = call.headers.range;
  const range = rangeHeader === undefined ? null : parseRange(rangeHeader, file.contentLength);
  const { offset, length } = range ?? { offset: 0, length: file.contentLength };
  const { counters, store } = call.world;
  return {
    status: range === null ? 200 : 206,
    headers: {
      ...fileHeaders(call, file, key),
      "Content-Length": length.toString(),
      ...(range === null
        ? {}
        : { "Content-Range": `bytes ${offset}-${offset + length - 1}/${file.contentLength}` }),
    },
    stream: async function* () {
      for await (const chunk of store.blobs.read(sliceSegments(file.segments, offset, length))) {
        counters.addBytesOut(chunk.length);
        yield chunk;
      }
    },
  };
}

function fileHeaders(call: Call, file: FileRecord, key: KeyRecord | null): Record<string, string> {
  const headers: Record<string, string> = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "max-age=0, no-cache, no-store",
    "Content-Type": file.contentType ?? "application/octet-stream",
    "X-Bz-Content-Sha1": file.contentSha1 ?? "none",
    "X-Bz-File-Id": file.fileId,
    "X-Bz-File-Name": encodeName(file.fileName),
    "X-Bz-Upload-Timestamp": file.uploadTimestamp.toString(),
    ...encryptionReplyHeaders(file.encryption),
    ...lockReplyHeaders(file, key),
  };
  for (const [name, value] of Object.entries(file.fileInfo)) {
    const header = overridable[name.toLowerCase()];
    if (header === undefined) headers[`X-Bz-Info-${name}`] = encodeName(value);
    else headers[header] = value;
  }
  for (const [parameter, header] of Object.entries(overrideParameters)) {
    const value = call.query.get(parameter);
    if (value !== null) headers[header] = value;
  }
  return headers;
}

function lockReplyHeaders(file: FileRecord, key: KeyRecord | null): Record<string, string> {
  const headers: Record<string, string> = {};
  const hidden: string[] = [];
  const { mode, retainUntilTimestamp } = file.retention;
  if (key?.capabilities.includes("readFileRetentions") !== true) {
    hidden.push("X-Bz-File-Retention-Mode", "X-Bz-File-Retention-Retain-Until-Timestamp");
  } else if (mode !== null) {
    headers["X-Bz-File-Retention-Mode"] = mode;
    headers["X-Bz-File-Retention-Retain-Until-Timestamp"] = String(retainUntilTimestamp);
  }
  if (key?.capabilities.includes("readFileLegalHolds") !== true) {
    hidden.push("X-Bz-File-Legal-Hold");
  } else if (file.legalHold !== null) {
    headers["X-Bz-File-Legal-Hold"] = file.legalHold;
  }
  if (hidden.length > 0) headers["X-Bz-Client-Unauthorized-To-Read"] = hidden.join(",");
  return headers;
}
