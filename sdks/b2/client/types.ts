/** A bucket's lifecycle rule; null or 0 days mean never. */
export interface LifecycleRule {
  fileNamePrefix: string;
  daysFromHidingToDeleting?: number | null;
  daysFromUploadingToHiding?: number | null;
  daysFromStartingToCancelingUnfinishedLargeFiles?: number | null;
}

export interface CorsRule {
  corsRuleName: string;
  allowedOrigins: string[];
  allowedOperations: string[];
  allowedHeaders?: string[] | null;
  exposeHeaders?: string[] | null;
  maxAgeSeconds: number;
}

export interface ServerSideEncryption {
  mode: string | null;
  algorithm?: string | null;
}

export interface Retention {
  mode: string | null;
  period?: { duration: number; unit: string } | null;
}

/** A setting that is told only to keys with the capability to read it. */
export interface Guarded<T> {
  isClientAuthorizedToRead: boolean;
  value: T | null;
}

/** A bucket as `b2_list_buckets`, `b2_create_bucket` and `b2_update_bucket` answer it. */
export interface Bucket {
  accountId: string;
  bucketId: string;
  bucketName: string;
  bucketType: string;
  bucketInfo?: Record<string, string> | null;
  corsRules?: CorsRule[] | null;
  lifecycleRules?: LifecycleRule[] | null;
  defaultServerSideEncryption?: Guarded<ServerSideEncryption> | null;
  fileLockConfiguration?: Guarded<{
    isFileLockEnabled: boolean;
    defaultRetention?: Retention | null;
  }> | null;
  replicationConfiguration?: Guarded<{
    asReplicationSource?: { replicationRules?: { destinationBucketId: string }[] | null } | null;
  }> | null;
  options?: string[] | null;
  revision: number;
}

/** What a bucket is asked to be. */
export interface BucketSettings {
  bucketType?: string;
  bucketInfo?: Record<string, string>;
  corsRules?: CorsRule[];
  lifecycleRules?: LifecycleRule[];
  defaultServerSideEncryption?: ServerSideEncryption;
  fileLockEnabled?: boolean;
  defaultRetention?: Retention;
}

/** An application key as `b2_list_keys` answers it. */
export interface Key {
  accountId: string;
  applicationKeyId: string;
  keyName: string;
  capabilities: string[];
  /** Up to API version 3. */
  bucketId?: string | null;
  /** From API version 4 on; null when the key reaches every bucket. */
  bucketIds?: string[] | null;
  namePrefix?: string | null;
  /** Milliseconds since 1970. */
  expirationTimestamp?: number | null;
  options?: string[] | null;
}

/** A key as `b2_create_key` answers it: the only time that its secret is told. */
export interface NewKey extends Key {
  applicationKey: string;
}

export interface KeySettings {
  keyName: string;
  capabilities: string[];
  bucketIds: string[];
  namePrefix?: string;
  validDurationInSeconds?: number;
}

/** What `b2_authorize_account`, version 4, answers, as far as it is used here. */
export interface Authorization {
  accountId: string;
  authorizationToken: string;
  /** When the key ends, in milliseconds since 1970; null where it does not. */
  applicationKeyExpirationTimestamp?: number | null;
  apiInfo: {
    storageApi: {
      apiUrl: string;
      downloadUrl: string;
      s3ApiUrl: string;
      absoluteMinimumPartSize: number;
      recommendedPartSize: number;
      allowed: {
        buckets: { id: string; name: string | null }[] | null;
        capabilities: string[];
        namePrefix: string | null;
      };
    };
  };
}
