import { demand } from "./auth.ts";
import type { Call, Headers, Reply } from "./call.ts";
import { accessDenied, B2Error, badRequest, missingFileLock, unauthorized } from "./errors.ts";
import { isObject } from "./fields.ts";
import { fileOfCall } from "./file-of-call.ts";
import {
  type BucketRecord,
  type Capability,
  type DefaultRetention,
  type FileRecord,
  type FileRetention,
  type Json,
  type KeyRecord,
  noRetention,
} from "./model.ts";

const day = 24 * 60 * 60 * 1000;

/** @returns whether a version may not be deleted now without bypassing governance */
export function isLocked(file: FileRecord, now: number): boolean {
  return file.legalHold === "on" || isRetained(file, now);
}

/**
 * Checks that a version may be deleted.
 *
 * @throws B2Error 401 `access_denied` when it is locked (the official tool's own tests show that it is
 *   401 here, and 403 elsewhere), 401 `unauthorized` when governance is to be bypassed without the
 *   capability
 */
export function demandDeletable(
  file: FileRecord,
  now: number,
  key: KeyRecord,
  bypassGovernance: boolean,
): void {
  if (bypassGovernance) demandBypass(key);
  const bypassed = file.retention.mode === "governance" && bypassGovernance;
  if (file.legalHold === "on" || (isRetained(file, now) && !bypassed)) {
    throw new B2Error(401, "access_denied", "Access Denied");
  }
}

/** `b2_update_file_retention`. */
export function updateFileRetention(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  const file = fileOfCall(call, "not_present");
  demandWrite(key, "writeFileRetentions", file);
  const bypass = fields.optionalBoolean("bypassGovernance") ?? false;
  if (bypass && !key.capabilities.includes("bypassGovernance")) throw accessDenied();
  demandLockEnabled(world.bucketOf(file));
  demandUpload(file);
  const wanted = parseFileRetention(fields.optionalObject("fileRetention") ?? {}, world.now());
  demandRetentionChange(file, wanted, world.now(), bypass);
  world.store.commit({ type: "file", file: { ...file, retention: wanted } });
  return { json: { fileId: file.fileId, fileName: file.fileName, fileRetention: wanted } };
}

/** `b2_update_file_legal_hold`. */
export function updateFileLegalHold(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  const file = fileOfCall(call, "not_present");
  demandWrite(key, "writeFileLegalHolds", file);
  demandLockEnabled(world.bucketOf(file));
  demandUpload(file);
  const legalHold = parseLegalHold(fields.string("legalHold"));
  world.store.commit({ type: "file", file: { ...file, legalHold } });
  return { json: { fileId: file.fileId, fileName: file.fileName, legalHold } };
}

/**
 * @returns the lock settings of a new version: those asked for, else the bucket's default
 * @throws B2Error 400 when the bucket has no lock, 401 without the capabilities
 */
export function lockForNewFile(
  wanted: { retention: Json | null; legalHold: string | null },
  bucket: BucketRecord,
  key: KeyRecord,
  now: number,
): Pick<FileRecord, "retention" | "legalHold"> {
  if (wanted.retention !== null) demand(key, "writeFileRetentions");
  if (wanted.legalHold !== null) demand(key, "writeFileLegalHolds");
  if (wanted.retention !== null || wanted.legalHold !== null) demandLockEnabled(bucket);
  return {
    retention:
      wanted.retention === null
        ? defaultFileRetention(bucket, now)
        : parseFileRetention(wanted.retention, now),
    legalHold: wanted.legalHold === null ? null : parseLegalHold(wanted.legalHold),
  };
}

/** @returns the lock settings asked for in an upload's headers */
export function lockHeaders(headers: Headers): {
  retention: Json | null;
  legalHold: string | null;
} {
  const mode = headers["x-bz-file-retention-mode"];
  const until = headers["x-bz-file-retention-retain-until-timestamp"];
  return {
    retention:
      mode === undefined && until === undefined
        ? null
        : {
            mode: mode === "None" ? null : mode,
            retainUntilTimestamp: until === undefined || until === "None" ? null : Number(until),
          },
    legalHold: headers["x-bz-file-legal-hold"] ?? null,
  };
}

/**
 * @returns a bucket's default retention as asked for
 * @throws B2Error 400 `bad_request`
 */
export function parseDefaultRetention(value: Json): DefaultRetention {
  const mode = parseMode(value.mode);
  if (mode === null) return { mode: null, period: null };
  const period = value.period;
  if (!isObject(period)) throw badRequest("defaultRetention.period is required with a mode");
  const { duration, unit } = period;
  if (typeof duration !== "number" || !Number.isSafeInteger(duration) || duration < 1) {
    throw badRequest("defaultRetention.period.duration must be a positive integer");
  }
  if (unit !== "days" && unit !== "years") {
    throw badRequest("defaultRetention.period.unit must be days or years");
  }
  return { mode, period: { duration, unit } };
}

function defaultFileRetention(bucket: BucketRecord, now: number): FileRetention {
  const { mode, period } = bucket.defaultRetention;
  if (mode === null || period === null) return noRetention;
  const days = period.unit === "days" ? period.duration : period.duration * 365;
  return { mode, retainUntilTimestamp: now + days * day };
}

function parseFileRetention(value: Json, now: number): FileRetention {
  const mode = parseMode(value.mode);
  const until = value.retainUntilTimestamp ?? null;
  if (mode === null) {
    if (until !== null) throw badRequest("retainUntilTimestamp needs a retention mode");
    return noRetention;
  }
  if (typeof until !== "number" || !Number.isSafeInteger(until)) {
    throw badRequest("retainUntilTimestamp must be milliseconds since 1970");
  }
  if (until <= now) {
    throw new B2Error(
      400,
      "retain_until_timestamp_must_be_in_future",
      "The retainUntilTimestamp must be in future",
    );
  }
  return { mode, retainUntilTimestamp: until };
}

function demandRetentionChange(
  file: FileRecord,
  wanted: FileRetention,
  now: number,
  bypass: boolean,
): void {
  if (!isRetained(file, now)) return;
  const { mode, retainUntilTimestamp } = file.retention;
  const extends_ =
    wanted.mode !== null && (wanted.retainUntilTimestamp ?? 0) >= (retainUntilTimestamp ?? 0);
  if (mode === "compliance" && !(extends_ && wanted.mode === "compliance")) {
    throw accessDenied("Retention in compliance mode can only be extended");
  }
  if (mode === "governance" && !extends_ && !bypass) {
    throw accessDenied("Retention in governance mode is shortened with bypassGovernance only");
  }
}

function parseMode(mode: unknown): FileRetention["mode"] {
  if (mode === undefined || mode === null) return null;
  if (mode === "governance" || mode === "compliance") return mode;
  throw badRequest("retention mode must be governance, compliance or null");
}

function parseLegalHold(value: string): "on" | "off" {
  if (value === "on" || value === "off") return value;
  throw badRequest("legalHold must be on or off");
}

function isRetained(file: FileRecord, now: number): boolean {
  return file.retention.mode !== null && (file.retention.retainUntilTimestamp ?? 0) > now;
}

// Without the capability, these two calls answer 403, as the official tool's own tests show.
function demandWrite(key: KeyRecord, capability: Capability, file: FileRecord): void {
  if (!key.capabilities.includes(capability)) throw accessDenied();
  demand(key, capability, { bucketId: file.bucketId, name: file.fileName });
}

function demandBypass(key: KeyRecord): void {
  if (!key.capabilities.includes("bypassGovernance")) throw unauthorized();
}

function demandLockEnabled(bucket: BucketRecord): void {
  if (!bucket.fileLockEnabled) throw missingFileLock();
}

function demandUpload(file: FileRecord): void {
  if (file.action === "hide") throw badRequest("A hide marker cannot be locked");
}
