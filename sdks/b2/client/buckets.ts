import type { Client } from "./client.ts";
import { hasCode } from "./errors.ts";
import type { Bucket, BucketSettings } from "./types.ts";

/** Finds a bucket of this account by its id or its name; undefined when there is none. */
export async function findBucket(
  client: Client,
  by: { bucketId: string } | { bucketName: string },
): Promise<Bucket | undefined> {
  try {
    const { buckets } = await client.call<{ buckets: Bucket[] }>(
      "b2_list_buckets",
      { accountId: undefined, bucketTypes: ["all"], ...by },
      { needs: ["listBuckets"], reads: true },
    );
    return buckets.find((bucket) =>
      "bucketId" in by
        ? bucket.bucketId === by.bucketId
        : bucket.bucketName.toLowerCase() === by.bucketName.toLowerCase(),
    );
  } catch (error) {
    if (hasCode(error, "bad_bucket_id", "invalid_bucket_id")) return undefined;
    throw error;
  }
}

function needsOf(settings: BucketSettings, first: string): string[] {
  return [
    first,
    ...(settings.defaultServerSideEncryption ? ["writeBucketEncryption"] : []),
    ...(settings.fileLockEnabled || settings.defaultRetention ? ["writeBucketRetentions"] : []),
  ];
}

/**
 * Creates a bucket. When the answer is lost, the bucket is looked for by its name: names are unique,
 * and the name is known not to have been this account's before.
 *
 * @throws OutcomeUnknownError - When it cannot be found out whether the bucket was created.
 */
export function createBucket(
  client: Client,
  bucketName: string,
  settings: BucketSettings,
): Promise<Bucket> {
  return client.call<Bucket>(
    "b2_create_bucket",
    { accountId: undefined, bucketName, ...settings },
    {
      needs: needsOf(settings, "writeBuckets"),
      lookFirst: () => findBucket(client, { bucketName }),
    },
  );
}

/**
 * Changes a bucket if it is still at the given revision.
 *
 * @throws B2Error - 409 `conflict` when it is not; also when a lost attempt was carried out.
 */
export function updateBucket(
  client: Client,
  bucketId: string,
  ifRevisionIs: number,
  settings: BucketSettings,
): Promise<Bucket> {
  return client.call<Bucket>(
    "b2_update_bucket",
    { accountId: undefined, bucketId, ifRevisionIs, ...settings },
    { needs: needsOf(settings, "writeBuckets") },
  );
}

/** Deletes a bucket; one that is already gone is no error. */
export async function deleteBucket(client: Client, bucketId: string): Promise<void> {
  try {
    await client.call(
      "b2_delete_bucket",
      { accountId: undefined, bucketId },
      { needs: ["deleteBuckets"] },
    );
  } catch (error) {
    if (!hasCode(error, "bad_bucket_id", "invalid_bucket_id")) throw error;
  }
}

/**
 * Counts the versions of files in a bucket: visible, hidden and unfinished ones.
 *
 * @returns The count, and whether there are more than were counted.
 */
export async function countFileVersions(
  client: Client,
  bucketId: string,
): Promise<{ count: number; more: boolean }> {
  const { files, nextFileName } = await client.call<{
    files: unknown[];
    nextFileName: string | null;
  }>(
    "b2_list_file_versions",
    { bucketId, maxFileCount: 10_000 },
    { needs: ["listFiles"], reads: true },
  );
  return { count: files.length, more: nextFileName !== null };
}
