import { sha256 } from "./account.ts";
import { demand, demandAccount } from "./auth.ts";
import type { Call, Reply } from "./call.ts";
import { badBucketId, badRequest } from "./errors.ts";
import { newKeyId, newSecret } from "./ids.ts";
import { accountCapabilities, capabilities, type Json, type KeyRecord } from "./model.ts";

const knownCapabilities: ReadonlySet<string> = new Set(capabilities);

/** `b2_create_key`: v4 takes `bucketIds`, earlier versions `bucketId`. */
export function createKey(call: Call, caller: KeyRecord): Reply {
  const { fields, version, world } = call;
  demandAccount(call);
  demand(caller, "writeKeys");
  const keyName = fields.string("keyName");
  if (!/^[A-Za-z0-9-]{1,100}$/.test(keyName)) {
    throw badRequest("keyName must be 1 to 100 letters, digits and hyphens");
  }
  const bucketIds = requestedBuckets(call);
  const wanted = [...new Set(fields.optionalStrings("capabilities") ?? [])];
  if (wanted.length === 0) throw badRequest("capabilities must name at least one capability");
  for (const capability of wanted) {
    if (!knownCapabilities.has(capability)) {
      throw badRequest(`${capability} is not a valid capability`);
    }
    if (bucketIds !== null && accountCapabilities.has(capability)) {
      throw badRequest(`${capability} is not valid for a key restricted to buckets`);
    }
  }
  const duration = fields.optionalInteger("validDurationInSeconds");
  if (duration !== null && (duration < 1 || duration > 86_400_000)) {
    throw badRequest("validDurationInSeconds must be from 1 to 86400000");
  }
  const applicationKey = newSecret();
  const key: KeyRecord = {
    applicationKeyId: newKeyId(world.account.accountId),
    secretSha256: sha256(applicationKey),
    keyName,
    capabilities: wanted,
    bucketIds,
    namePrefix: fields.optionalString("namePrefix"),
    expirationTimestamp: duration === null ? null : world.now() + duration * 1000,
    createdWithVersion: version,
  };
  world.store.commit({ type: "key", key });
  return { json: { ...keyJson(call, key), applicationKey } };
}

/** `b2_list_keys`: by id; up to v3 without the keys of several buckets. */
export function listKeys(call: Call, caller: KeyRecord): Reply {
  const { fields, version, world } = call;
  demandAccount(call);
  demand(caller, "listKeys");
  const maximum = fields.optionalInteger("maxKeyCount") ?? 100;
  if (maximum < 1 || maximum > 10_000) throw badRequest("maxKeyCount must be from 1 to 10000");
  const start = fields.optionalString("startApplicationKeyId") ?? "";
  const keys = [...world.store.keys.values()]
    .filter((key) => key.applicationKeyId >= start)
    .filter((key) => key.expirationTimestamp === null || key.expirationTimestamp > world.now())
    .filter((key) => version === 4 || (key.bucketIds?.length ?? 0) <= 1)
    .sort((a, b) => (a.applicationKeyId < b.applicationKeyId ? -1 : 1));
  return {
    json: {
      keys: keys.slice(0, maximum).map((key) => keyJson(call, key)),
      nextApplicationKeyId: keys[maximum]?.applicationKeyId ?? null,
    },
  };
}

/** `b2_delete_key`: the key's tokens end with it. */
export function deleteKey(call: Call, caller: KeyRecord): Reply {
  const { fields, version, world } = call;
  demand(caller, "deleteKeys");
  const applicationKeyId = fields.string("applicationKeyId");
  const key = world.store.keys.get(applicationKeyId);
  if (key === undefined) {
    throw badRequest(`application key does not exist: ${applicationKeyId}`);
  }
  if (version < 4 && (key.bucketIds?.length ?? 0) > 1) {
    throw badRequest(`This request is not currently supported on API version number ${version}`);
  }
  world.store.commit({ type: "deleteKey", applicationKeyId });
  return { json: keyJson(call, key) };
}

function requestedBuckets(call: Call): string[] | null {
  const { fields, version, world } = call;
  const one = version === 4 ? null : fields.optionalString("bucketId");
  const bucketIds =
    version === 4 ? fields.optionalStrings("bucketIds") : one === null ? null : [one];
  if (bucketIds === null) return null;
  if (bucketIds.length === 0) throw badRequest("bucketIds must not be empty");
  for (const bucketId of bucketIds) {
    if (!world.store.buckets.has(bucketId)) throw badBucketId(bucketId);
  }
  return [...new Set(bucketIds)];
}

function keyJson(call: Call, key: KeyRecord): Json {
  return {
    accountId: call.world.account.accountId,
    applicationKeyId: key.applicationKeyId,
    ...(call.version === 4
      ? { bucketIds: key.bucketIds }
      : { bucketId: key.bucketIds?.[0] ?? null }),
    capabilities: key.capabilities,
    expirationTimestamp: key.expirationTimestamp,
    keyName: key.keyName,
    namePrefix: key.namePrefix,
    options: ["s3"],
  };
}
