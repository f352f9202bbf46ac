import type { Call } from "./call.ts";
import { B2Error, badRequest, notFound } from "./errors.ts";
import { timestampOfFileId } from "./ids.ts";
import type { FileRecord } from "./model.ts";

/**
 * @returns the file version of the parameters `fileId` and, when given, `fileName`
 * @throws B2Error 400 `bad_request` on an id of the wrong shape; when there is no such version, 404
 *   `not_found` or 400 `file_not_present`, whichever the operation answers
 */
export function fileOfCall(call: Call, absent: "not_found" | "not_present"): FileRecord {
  const file = fileById(call, call.fields.string("fileId"), absent);
  if (absent === "not_present" && call.fields.string("fileName") !== file.fileName) {
    throw notPresent(file.fileId);
  }
  return file;
}

/** As {@link fileOfCall}, by an id. */
export function fileById(
  call: Call,
  fileId: string,
  absent: "not_found" | "not_present" = "not_found",
): FileRecord {
  if (timestampOfFileId(fileId) === null) throw badRequest(`Bad fileId: ${fileId}`);
  const file = call.world.store.files.get(fileId);
  if (file !== undefined) return file;
  throw absent === "not_found" ? notFound(`File not present: ${fileId}`) : notPresent(fileId);
}

function notPresent(fileId: string): B2Error {
  return new B2Error(400, "file_not_present", `File not present: ${fileId}`);
}
