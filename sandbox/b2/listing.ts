import { demand } from "./auth.ts";
import type { Call, Reply } from "./call.ts";
import { B2Error, badRequest } from "./errors.ts";
import { fileJson, folderJson } from "./file-json.ts";
import { timestampOfFileId } from "./ids.ts";
import type { FileRecord, Json, KeyRecord } from "./model.ts";
import type { NameIndex } from "./name-index.ts";
import { compareNames } from "./names.ts";

interface Listing {
  bucketId: string;
  names: NameIndex;
  prefix: string;
  delimiter: string | null;
  start: string;
  maximum: number;
}

/** `b2_list_file_names`: the newest version of every name that is not hidden. */
export function listFileNames(call: Call, key: KeyRecord): Reply {
  const listing = readListing(call, key);
  const visible = function* (): Generator<FileRecord> {
    for (const name of listing.names.namesFrom(listing.start)) {
      if (!name.startsWith(listing.prefix)) break;
      const latest = listing.names.latest(name);
      if (latest?.action === "upload") yield latest;
    }
  };
  const { files, next } = collect(call, key, listing, visible());
  return { json: { files, nextFileName: next?.fileName ?? null } };
}

/** `b2_list_file_versions`: all versions, hide markers and unfinished large files included. */
export function listFileVersions(call: Call, key: KeyRecord): Reply {
  const { fields } = call;
  const listing = readListing(call, key);
  const startId = fields.optionalString("startFileId");
  if (startId !== null && !fields.has("startFileName")) {
    throw badRequest("startFileId needs a startFileName");
  }
  const all = function* (): Generator<FileRecord> {
    for (const name of listing.names.namesFrom(listing.start)) {
      if (!name.startsWith(listing.prefix)) break;
      const versions = listing.names.versionsOf(name);
      yield* startId !== null && name === fields.string("startFileName")
        ? versionsFrom(versions, startId)
        : versions;
    }
  };
  const { files, next } = collect(call, key, listing, all());
  return {
    json: {
      files,
      nextFileId: next?.fileId ?? null,
      nextFileName: next?.fileName ?? null,
    },
  };
}

function readListing(call: Call, key: KeyRecord): Listing {
  const { fields, world } = call;
  const bucketId = fields.string("bucketId");
  const prefix = fields.optionalString("prefix") ?? "";
  demand(key, "listFiles", { bucketId, name: prefix });
  if (!world.store.buckets.has(bucketId)) {
    throw new B2Error(400, "invalid_bucket_id", `Invalid bucket id: ${bucketId}`);
  }
  const maximum = fields.optionalInteger("maxFileCount") ?? 100;
  if (maximum < 0 || maximum > 10_000) {
    throw new B2Error(400, "out_of_range", "maxFileCount must be from 1 to 10000");
  }
  const delimiter = fields.optionalString("delimiter");
  const start = fields.optionalString("startFileName") ?? "";
  return {
    bucketId,
    names: world.store.names(bucketId),
    prefix,
    delimiter: delimiter === "" ? null : delimiter,
    start: compareNames(start, prefix) < 0 ? prefix : start,
    // A count of 0 asks for the default.
    maximum: maximum === 0 ? 100 : maximum,
  };
}

function collect(
  call: Call,
  key: KeyRecord,
  listing: Listing,
  found: Iterable<FileRecord>,
): { files: Json[]; next: FileRecord | undefined } {
  const files: Json[] = [];
  let folder: string | null = null;
  let next: FileRecord | undefined;
  for (const file of found) {
    if (folder !== null && file.fileName.startsWith(folder)) continue;
    if (files.length === listing.maximum) {
      next = file;
      break;
    }
    folder = folderOf(file.fileName, listing);
    files.push(
      folder === null ? fileJson(call, file, key) : folderJson(call, listing.bucketId, folder),
    );
  }
  const thousands = Math.ceil(files.length / 1000);
  if (thousands > 1) call.world.counters.addTransactions(call.operation, thousands - 1);
  return { files, next };
}

function folderOf(name: string, { prefix, delimiter }: Listing): string | null {
  if (delimiter === null) return null;
  const at = name.indexOf(delimiter, prefix.length);
  return at < 0 ? null : name.slice(0, at + delimiter.length);
}

// The version may have been deleted since: its id still tells its place.
function versionsFrom(versions: readonly FileRecord[], startId: string): readonly FileRecord[] {
  const at = versions.findIndex((file) => file.fileId === startId);
  if (at >= 0) return versions.slice(at);
  const timestamp = timestampOfFileId(startId);
  if (timestamp === null) throw badRequest(`Bad startFileId: ${startId}`);
  return versions.filter((file) => file.uploadTimestamp < timestamp);
}
