import { demand } from "./auth.ts";
import { existingBucket } from "./buckets.ts";
import type { Call, Reply } from "./call.ts";
import { B2Error } from "./errors.ts";
import { fileJson } from "./file-json.ts";
import { fileOfCall } from "./file-of-call.ts";
import { hideMarker } from "./lifecycle.ts";
import { demandDeletable } from "./lock.ts";
import type { KeyRecord } from "./model.ts";
import { checkFileName } from "./names.ts";

/** `b2_hide_file`. */
export function hideFile(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  const bucketId = fields.string("bucketId");
  const fileName = fields.string("fileName");
  demand(key, "writeFiles", { bucketId, name: fileName });
  const bucket = existingBucket(call, bucketId);
  checkFileName(fileName);
  const latest = world.store.names(bucketId).latest(fileName);
  if (latest === undefined) {
    throw new B2Error(400, "no_such_file", `File not present: ${fileName}`);
  }
  if (latest.action === "hide") {
    throw new B2Error(400, "already_hidden", `File already hidden: ${fileName}`);
  }
  const file = hideMarker(world, bucket, fileName);
  world.store.commit({ type: "file", file });
  return { json: fileJson(call, file, key) };
}

/** `b2_delete_file_version`: of an unfinished large file, cancels it. */
export function deleteFileVersion(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  demand(key, "deleteFiles", { name: fields.string("fileName") });
  const file = fileOfCall(call, "not_present");
  demand(key, "deleteFiles", { bucketId: file.bucketId, name: file.fileName });
  const bypass = fields.optionalBoolean("bypassGovernance") ?? false;
  demandDeletable(file, world.now(), key, bypass);
  world.store.commit({ type: "deleteFile", fileId: file.fileId });
  return { json: { fileId: file.fileId, fileName: file.fileName } };
}

/** `b2_get_file_info`. */
export function getFileInfo(call: Call, key: KeyRecord): Reply {
  demand(key, "readFiles");
  const file = fileOfCall(call, "not_found");
  demand(key, "readFiles", { bucketId: file.bucketId, name: file.fileName });
  return { json: fileJson(call, file, key) };
}
