/** What S3's users need: the hub's rclone remotes, and the lines of a host's env file. */
import type { S3Key } from "../config/stack.ts";
import type { EnvLine } from "../credentials/env-file.ts";
import type { RcloneRemote } from "../credentials/rclone-conf.ts";

/** Where an S3 API is. */
export interface S3Place {
  readonly endpoint: string;
  readonly region: string;
  /** The service's name in rclone's list. */
  readonly provider: string;
}

/** An rclone remote for a key. */
export function s3Remote(name: string, place: S3Place, key: S3Key): RcloneRemote {
  return {
    name,
    options: {
      type: "s3",
      provider: place.provider,
      access_key_id: key.accessKeyId,
      secret_access_key: key.secretAccessKey,
      endpoint: place.endpoint,
      region: place.region,
      // The bucket is there, and the keys may not make one.
      no_check_bucket: "true",
    },
  };
}

/**
 * How a host restores: through rclone, as from every cloud, or with restic's own S3 client.
 *
 * @param path - the bucket, and what follows it, down to the host's repository.
 * @param reads - what else the key reads, for the comment.
 */
export function s3RestoreLines(
  target: string,
  place: S3Place,
  { key, path, reads }: { readonly key: S3Key; readonly path: string; readonly reads: string },
): EnvLine[] {
  const upper = target.toUpperCase();
  const { options } = s3Remote(target, place, key);
  return [
    {
      comment: `Restore from ${target}: restic -r $OFFSITE_${upper}_REPOSITORY --no-lock restore … (${reads})`,
    },
    [`OFFSITE_${upper}_REPOSITORY`, `rclone:${target}:${path}`],
    ...Object.entries(options).map(([option, value]): EnvLine => [
      `RCLONE_CONFIG_${upper}_${option.toUpperCase()}`,
      value,
    ]),
    {
      comment: `The same without rclone: AWS_ACCESS_KEY_ID=$RCLONE_CONFIG_${upper}_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=$RCLONE_CONFIG_${upper}_SECRET_ACCESS_KEY AWS_DEFAULT_REGION=$RCLONE_CONFIG_${upper}_REGION restic -r $OFFSITE_${upper}_S3_REPOSITORY --no-lock restore …`,
    },
    [`OFFSITE_${upper}_S3_REPOSITORY`, `s3:${place.endpoint.replace(/\/+$/, "")}/${path}`],
  ];
}
