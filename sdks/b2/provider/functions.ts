import { findBucket } from "../client/buckets.ts";
import type { Client } from "../client/client.ts";
import { UserError } from "../client/errors.ts";
import { bucketIdsOf, listKeys } from "../client/keys.ts";
import { toOutputs } from "./bucketModel.ts";
import { Checker, type Problem } from "./check.ts";
import type { Properties } from "./wire.ts";

/** A function that a program may call. */
export interface Invocable {
  readonly secretOutputs: readonly string[];
  check(args: Properties): Problem[];
  invoke(client: Client, args: Properties): Promise<Properties>;
}

/** `b2:index/getBucket:getBucket`: a bucket by its name. */
export const getBucket: Invocable = {
  secretOutputs: [],
  check: (args) => checkName(args, "bucketName"),
  async invoke(client, args) {
    const bucketName = args.bucketName as string;
    const bucket = await findBucket(client, { bucketName });
    if (!bucket) throw new UserError(`There is no bucket "${bucketName}" in this account.`);
    const { b2BucketId, defaultServerSideEncryption, ...outputs } = toOutputs(bucket, {
      bucketInfo: {},
    });
    const lock = outputs.fileLockConfigurations as Properties[] | undefined;
    return {
      ...outputs,
      id: b2BucketId ?? null,
      defaultServerSideEncryptions: defaultServerSideEncryption
        ? [defaultServerSideEncryption]
        : [],
      fileLockConfigurations: (lock ?? []).map(({ isFileLockEnabled, defaultRetention }) => ({
        isFileLockEnabled: isFileLockEnabled ?? false,
        defaultRetentions: defaultRetention ? [asLists(defaultRetention as Properties)] : [],
      })),
    };
  },
};

function asLists({ mode, period }: Properties): Properties {
  return { mode: mode ?? null, periods: period ? [period] : [] };
}

/** `b2:index/getApplicationKey:getApplicationKey`: a key by its name; of several, the first. */
export const getApplicationKey: Invocable = {
  secretOutputs: [],
  check: (args) => checkName(args, "keyName"),
  async invoke(client, args) {
    const keyName = args.keyName as string;
    const key = (await listKeys(client)).find((other) => other.keyName === keyName);
    if (!key) throw new UserError(`There is no application key "${keyName}" in this account.`);
    const bucketIds = bucketIdsOf(key);
    return {
      id: key.applicationKeyId,
      applicationKeyId: key.applicationKeyId,
      bucketId: bucketIds[0] ?? "",
      bucketIds,
      capabilities: [...key.capabilities].sort(),
      expirationTimestamp: key.expirationTimestamp ?? 0,
      keyName: key.keyName,
      namePrefix: key.namePrefix ?? "",
      options: [...(key.options ?? [])].sort(),
    };
  },
};

/** `b2:index/getAccountInfo:getAccountInfo`: the account, and what the provider's key may do. */
export const getAccountInfo: Invocable = {
  secretOutputs: ["accountAuthToken"],
  check: () => [],
  async invoke(client) {
    const { accountId, authorizationToken, apiInfo } = await client.authorize();
    const { allowed, ...storage } = apiInfo.storageApi;
    const buckets = allowed.buckets ?? [];
    return {
      id: accountId,
      accountId,
      accountAuthToken: authorizationToken,
      alloweds: [
        {
          bucketId: buckets[0]?.id ?? "",
          bucketName: buckets[0]?.name ?? "",
          buckets: buckets.map(({ id, name }) => ({ id, name: name ?? "" })),
          capabilities: [...allowed.capabilities].sort(),
          namePrefix: allowed.namePrefix ?? "",
        },
      ],
      apiUrl: storage.apiUrl,
      downloadUrl: storage.downloadUrl,
      s3ApiUrl: storage.s3ApiUrl,
      absoluteMinimumPartSize: storage.absoluteMinimumPartSize,
      recommendedPartSize: storage.recommendedPartSize,
    };
  },
};

function checkName(args: Properties, name: string): Problem[] {
  const c = new Checker();
  if (c.string(name, args[name], true) === "") c.add(name, "is empty");
  return c.problems;
}
