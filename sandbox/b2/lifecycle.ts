import { newFileId } from "./ids.ts";
import { isLocked } from "./lock.ts";
import { type BucketRecord, type FileRecord, type LifecycleRule, noRetention } from "./model.ts";
import type { World } from "./world.ts";

const day = 24 * 60 * 60 * 1000;

/**
 * Does what the buckets' lifecycle rules ask for at the emulator's present time: hides, deletes, and
 * cancels (Backblaze, "Lifecycle Rules"). Locked versions stay.
 */
export function applyLifecycleRules(world: World): void {
  for (const bucket of world.store.buckets.values()) {
    for (const rule of bucket.lifecycleRules) applyRule(world, bucket, rule);
  }
}

function applyRule(world: World, bucket: BucketRecord, rule: LifecycleRule): void {
  const names = world.store.names(bucket.bucketId);
  // A copy: the rules change the index.
  const affected: string[] = [];
  for (const name of names.namesFrom(rule.fileNamePrefix)) {
    if (!name.startsWith(rule.fileNamePrefix)) break;
    affected.push(name);
  }
  for (const name of affected) {
    cancelUnfinished(world, names.versionsOf(name), rule);
    hideOld(world, bucket, names.latest(name), rule);
    deleteHidden(world, names.versionsOf(name), rule);
  }
}

function cancelUnfinished(
  world: World,
  versions: readonly FileRecord[],
  rule: LifecycleRule,
): void {
  const days = rule.daysFromStartingToCancelingUnfinishedLargeFiles ?? null;
  for (const file of [...versions]) {
    if (file.action === "start" && isDue(world, file.uploadTimestamp, days)) remove(world, file);
  }
}

function hideOld(
  world: World,
  bucket: BucketRecord,
  latest: FileRecord | undefined,
  rule: LifecycleRule,
): void {
  if (latest?.action !== "upload") return;
  if (!isDue(world, latest.uploadTimestamp, rule.daysFromUploadingToHiding)) return;
  world.store.commit({ type: "file", file: hideMarker(world, bucket, latest.fileName) });
}

function deleteHidden(world: World, versions: readonly FileRecord[], rule: LifecycleRule): void {
  const finished = versions.filter((file) => file.action !== "start");
  for (const [index, file] of finished.entries()) {
    const newer = finished[index - 1];
    if (newer === undefined || isLocked(file, world.now())) continue;
    if (isDue(world, newer.uploadTimestamp, rule.daysFromHidingToDeleting)) remove(world, file);
  }
  const left = versions.filter((file) => file.action !== "start");
  const [marker] = left;
  // A hide marker that hides nothing any more goes too.
  if (left.length === 1 && marker?.action === "hide") {
    if (isDue(world, marker.uploadTimestamp, rule.daysFromHidingToDeleting)) remove(world, marker);
  }
}

function isDue(world: World, since: number, days: number | null): boolean {
  return days !== null && world.now() >= since + days * day;
}

function remove(world: World, file: FileRecord): void {
  world.store.commit({ type: "deleteFile", fileId: file.fileId });
}

/** @returns a new hide marker, not yet stored */
export function hideMarker(world: World, bucket: BucketRecord, fileName: string): FileRecord {
  const uploadTimestamp = world.nextUploadTimestamp(bucket.bucketId, fileName);
  return {
    fileId: newFileId(bucket.bucketId, false, uploadTimestamp),
    bucketId: bucket.bucketId,
    fileName,
    action: "hide",
    contentLength: 0,
    contentSha1: null,
    contentMd5: null,
    contentType: "application/x-bz-hide-marker",
    fileInfo: {},
    uploadTimestamp,
    sequence: world.store.nextSequence(),
    encryption: { mode: null, algorithm: null },
    retention: noRetention,
    legalHold: null,
    replicationStatus: null,
    segments: [],
  };
}
