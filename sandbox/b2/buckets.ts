import { demand, demandAccount } from "./auth.ts";
import {
  checkBucketInfo,
  checkBucketName,
  parseBucketType,
  parseCorsRules,
  parseLifecycleRules,
  parseReplication,
} from "./bucket-settings.ts";
import type { Call, Reply } from "./call.ts";
import { defaultEncryption, encryptionJson, parseBucketEncryption } from "./encryption.ts";
import { B2Error, badBucketId, missingFileLock, unauthorized } from "./errors.ts";
import { isObject } from "./fields.ts";
import { newBucketId } from "./ids.ts";
import { parseDefaultRetention } from "./lock.ts";
import type { BucketRecord, Json, KeyRecord } from "./model.ts";

/** `b2_create_bucket`. */
export function createBucket(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  demandAccount(call);
  demand(key, "writeBuckets");
  const bucketName = fields.string("bucketName");
  checkBucketName(bucketName);
  const bucketId = newBucketId(world.account.accountId);
  const empty: BucketRecord = {
    bucketId,
    bucketName,
    bucketType: parseBucketType(fields.string("bucketType")),
    bucketInfo: {},
    corsRules: [],
    lifecycleRules: [],
    encryption: defaultEncryption,
    fileLockEnabled: false,
    defaultRetention: { mode: null, period: null },
    replication: null,
    notificationRules: [],
    revision: 2,
    options: ["s3"],
  };
  const bucket = { ...empty, ...requestedSettings(call, key, empty) };
  if (world.store.bucketByName(bucketName) !== undefined) {
    throw new B2Error(400, "duplicate_bucket_name", "Bucket name is already in use.");
  }
  if (world.store.buckets.size >= 100) {
    throw new B2Error(400, "too_many_buckets", "An account can have at most 100 buckets.");
  }
  world.store.commit({ type: "bucket", bucket });
  return { json: bucketJson(call, bucket, key) };
}

/** `b2_update_bucket`: what is not given stays; `ifRevisionIs` guards against a lost update. */
export function updateBucket(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  demandAccount(call);
  const bucketId = fields.string("bucketId");
  demand(key, "writeBuckets", { bucketId });
  const bucket = existingBucket(call, bucketId);
  const expected = fields.optionalInteger("ifRevisionIs");
  if (expected !== null && expected !== bucket.revision) {
    throw new B2Error(
      409,
      "conflict",
      `ifRevisionIs ${expected} does not match the bucket's revision ${bucket.revision}`,
    );
  }
  const type = fields.optionalString("bucketType");
  const updated: BucketRecord = {
    ...bucket,
    ...(type === null ? {} : { bucketType: parseBucketType(type) }),
    ...requestedSettings(call, key, bucket),
    revision: bucket.revision + 1,
  };
  world.store.commit({ type: "bucket", bucket: updated });
  return { json: bucketJson(call, updated, key) };
}

/** `b2_delete_bucket`: only an empty one. */
export function deleteBucket(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  demandAccount(call);
  const bucketId = fields.string("bucketId");
  demand(key, "deleteBuckets", { bucketId });
  const bucket = existingBucket(call, bucketId);
  if (!world.store.names(bucketId).isEmpty) {
    throw new B2Error(400, "cannot_delete_non_empty_bucket", "Cannot delete non-empty bucket");
  }
  world.store.commit({ type: "deleteBucket", bucketId });
  return { json: bucketJson(call, bucket, key) };
}

/** `b2_list_buckets`: a key restricted to buckets must name one of them. */
export function listBuckets(call: Call, key: KeyRecord): Reply {
  const { fields, world } = call;
  demandAccount(call);
  demand(key, "listBuckets");
  const bucketId = fields.optionalString("bucketId");
  const bucketName = fields.optionalString("bucketName");
  const types = fields.optionalStrings("bucketTypes") ?? ["allPrivate", "allPublic"];
  const named =
    bucketId === null && bucketName === null
      ? [...world.store.buckets.values()]
      : [
          bucketId === null
            ? world.store.bucketByName(bucketName ?? "")
            : world.store.buckets.get(bucketId),
        ].filter((bucket) => bucket !== undefined);
  const found = named.filter((bucket) => bucketName === null || bucket.bucketName === bucketName);
  if (key.bucketIds !== null) {
    const allowed = found.length === 1 && key.bucketIds.includes(found[0]?.bucketId ?? "");
    if ((bucketId === null && bucketName === null) || !allowed) throw unauthorized();
  }
  const buckets = found
    .filter((bucket) => types.includes("all") || types.includes(bucket.bucketType))
    .map((bucket) => bucketJson(call, bucket, key));
  return { json: { buckets } };
}

/** `b2_get_bucket_notification_rules`. */
export function getNotificationRules(call: Call, key: KeyRecord): Reply {
  const bucketId = call.fields.string("bucketId");
  demand(key, "readBucketNotifications", { bucketId });
  const bucket = existingBucket(call, bucketId);
  return { json: { bucketId, eventNotificationRules: bucket.notificationRules } };
}

/** `b2_set_bucket_notification_rules`: kept and answered, nothing is notified. */
export function setNotificationRules(call: Call, key: KeyRecord): Reply {
  const bucketId = call.fields.string("bucketId");
  demand(key, "writeBucketNotifications", { bucketId });
  const bucket = existingBucket(call, bucketId);
  const rules = call.fields.optionalObjects("eventNotificationRules") ?? [];
  const notificationRules = rules.map((rule) => ({
    ...rule,
    isSuspended: false,
    suspensionReason: "",
    targetConfiguration: {
      customHeaders: null,
      hmacSha256SigningSecret: null,
      ...(isObject(rule.targetConfiguration) ? rule.targetConfiguration : {}),
    },
  }));
  call.world.store.commit({ type: "bucket", bucket: { ...bucket, notificationRules } });
  return { json: { bucketId, eventNotificationRules: notificationRules } };
}

/** @throws B2Error 400 `bad_bucket_id` */
export function existingBucket(call: Call, bucketId: string): BucketRecord {
  const bucket = call.world.store.buckets.get(bucketId);
  if (bucket === undefined) throw badBucketId(bucketId);
  return bucket;
}

function requestedSettings(
  call: Call,
  key: KeyRecord,
  bucket: BucketRecord,
): Partial<BucketRecord> {
  const { fields } = call;
  const result: Partial<BucketRecord> = {};
  const info = fields.optionalStringMap("bucketInfo");
  if (info !== null) result.bucketInfo = checkBucketInfo(info);
  const cors = fields.optionalObjects("corsRules");
  if (cors !== null) result.corsRules = parseCorsRules(cors);
  const lifecycle = fields.optionalObjects("lifecycleRules");
  if (lifecycle !== null) result.lifecycleRules = parseLifecycleRules(lifecycle);
  const encryption = fields.optionalObject("defaultServerSideEncryption");
  if (encryption !== null) {
    demand(key, "writeBucketEncryption");
    result.encryption = parseBucketEncryption(encryption);
  }
  const replication = fields.optionalObject("replicationConfiguration");
  if (replication !== null) {
    demand(key, "writeBucketReplications");
    result.replication = parseReplication(replication);
  }
  return { ...result, ...requestedLock(call, key, bucket) };
}

function requestedLock(call: Call, key: KeyRecord, bucket: BucketRecord): Partial<BucketRecord> {
  const enabled = call.fields.optionalBoolean("fileLockEnabled");
  const retention = call.fields.optionalObject("defaultRetention");
  if (enabled !== null || retention !== null) {
    if (enabled !== false || bucket.fileLockEnabled) demand(key, "writeBucketRetentions");
  }
  if (enabled === false && bucket.fileLockEnabled) {
    throw new B2Error(
      400,
      "file_lock_conflict",
      "fileLockEnabled value of false is not allowed when bucket is already file lock enabled.",
    );
  }
  if (enabled === true && !bucket.fileLockEnabled && hasReplicationSource(bucket)) {
    throw new B2Error(
      400,
      "source_replication_conflict",
      "Turning on file lock for an existing bucket having source replication configuration is not allowed.",
    );
  }
  const fileLockEnabled = enabled ?? bucket.fileLockEnabled;
  if (retention === null) return { fileLockEnabled };
  const defaultRetention = parseDefaultRetention(retention);
  if (!fileLockEnabled && defaultRetention.mode !== null) {
    throw missingFileLock();
  }
  return { fileLockEnabled, defaultRetention };
}

function hasReplicationSource(bucket: BucketRecord): boolean {
  return (bucket.replication?.asReplicationSource ?? null) !== null;
}

function bucketJson(call: Call, bucket: BucketRecord, key: KeyRecord): Json {
  const readable = (capability: string, value: unknown): Json => {
    const isClientAuthorizedToRead = key.capabilities.includes(capability);
    return { isClientAuthorizedToRead, value: isClientAuthorizedToRead ? value : null };
  };
  return {
    accountId: call.world.account.accountId,
    bucketId: bucket.bucketId,
    bucketInfo: bucket.bucketInfo,
    bucketName: bucket.bucketName,
    bucketType: bucket.bucketType,
    corsRules: bucket.corsRules,
    defaultServerSideEncryption: readable(
      "readBucketEncryption",
      encryptionJson(bucket.encryption),
    ),
    fileLockConfiguration: readable("readBucketRetentions", {
      defaultRetention: bucket.defaultRetention,
      isFileLockEnabled: bucket.fileLockEnabled,
    }),
    lifecycleRules: bucket.lifecycleRules,
    options: bucket.options,
    replicationConfiguration: readable("readBucketReplications", bucket.replication),
    revision: bucket.revision,
  };
}
