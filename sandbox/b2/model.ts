/** The capabilities that Backblaze's `b2_create_key` page lists, in its order. */
export const capabilities = [
  "listKeys",
  "writeKeys",
  "deleteKeys",
  "listAllBucketNames",
  "listBuckets",
  "readBuckets",
  "writeBuckets",
  "deleteBuckets",
  "readBucketRetentions",
  "writeBucketRetentions",
  "readBucketEncryption",
  "writeBucketEncryption",
  "readBucketReplications",
  "writeBucketReplications",
  "readBucketNotifications",
  "writeBucketNotifications",
  "readBucketLogging",
  "writeBucketLogging",
  "readBucketLifecycleRules",
  "writeBucketLifecycleRules",
  "listFiles",
  "readFiles",
  "shareFiles",
  "writeFiles",
  "deleteFiles",
  "readFileLegalHolds",
  "writeFileLegalHolds",
  "readFileRetentions",
  "writeFileRetentions",
  "bypassGovernance",
] as const;

/** One of {@link capabilities}. */
export type Capability = (typeof capabilities)[number];

/** Capabilities that a key restricted to buckets cannot have. */
export const accountCapabilities: ReadonlySet<string> = new Set<Capability>([
  "listKeys",
  "writeKeys",
  "deleteKeys",
  "writeBuckets",
  "deleteBuckets",
]);

/** The native API's versions that are served. */
export type ApiVersion = 1 | 2 | 3 | 4;

/** A JSON object as it came in or goes out. */
export type Json = Record<string, unknown>;

/** Mode and algorithm of server-side encryption; a null mode is none. */
export interface Encryption {
  mode: "SSE-B2" | "SSE-C" | null;
  algorithm: "AES256" | null;
  /** SSE-C only: the MD5 of the customer's key, base64. The key itself is never kept. */
  customerKeyMd5?: string;
}

/** A file's retention; both null when there is none. Time in milliseconds since 1970. */
export interface FileRetention {
  mode: "governance" | "compliance" | null;
  retainUntilTimestamp: number | null;
}

/** A bucket's default retention for new files. */
export interface DefaultRetention {
  mode: "governance" | "compliance" | null;
  period: { duration: number; unit: "days" | "years" } | null;
}

/** One lifecycle rule; null days mean that the part does not apply. */
export interface LifecycleRule {
  fileNamePrefix: string;
  daysFromHidingToDeleting: number | null;
  daysFromUploadingToHiding: number | null;
  daysFromStartingToCancelingUnfinishedLargeFiles?: number | null;
}

/** A bucket's part in replication, as it was given. */
export interface Replication {
  asReplicationSource: Json | null;
  asReplicationDestination: Json | null;
}

/** A bucket as the index keeps it. */
export interface BucketRecord {
  bucketId: string;
  bucketName: string;
  bucketType: "allPrivate" | "allPublic";
  bucketInfo: Record<string, string>;
  corsRules: Json[];
  lifecycleRules: LifecycleRule[];
  encryption: Encryption;
  fileLockEnabled: boolean;
  defaultRetention: DefaultRetention;
  /** Kept and answered as given; nothing is replicated. */
  replication: Replication | null;
  /** Kept and answered as given; nothing is notified. */
  notificationRules: Json[];
  revision: number;
  options: string[];
}

/** An application key as the index keeps it: its secret only as a SHA-256. */
export interface KeyRecord {
  applicationKeyId: string;
  secretSha256: string;
  keyName: string;
  capabilities: string[];
  /** Null: not restricted to buckets. */
  bucketIds: string[] | null;
  namePrefix: string | null;
  /** Milliseconds since 1970, or null. */
  expirationTimestamp: number | null;
  /** The API version of the `b2_create_key` call: decides where it can authorise. */
  createdWithVersion: ApiVersion;
}

/** A stretch of bytes of one blob on disk. */
export interface Segment {
  blobId: string;
  offset: number;
  length: number;
}

/** A version of a file: an upload, a hide marker, or an unfinished large file. */
export interface FileRecord {
  fileId: string;
  bucketId: string;
  fileName: string;
  action: "upload" | "hide" | "start";
  contentLength: number;
  contentSha1: string | null;
  contentMd5: string | null;
  contentType: string | null;
  fileInfo: Record<string, string>;
  /** Milliseconds since 1970; unique among the versions of one name unless chosen by the client. */
  uploadTimestamp: number;
  /** Counts up over the whole account: breaks ties between equal timestamps. */
  sequence: number;
  encryption: Encryption;
  retention: FileRetention;
  legalHold: "on" | "off" | null;
  /** Files that a bucket's replication covers stay pending for ever: nothing is replicated. */
  replicationStatus: "pending" | null;
  segments: Segment[];
}

/** A part of an unfinished large file. */
export interface PartRecord {
  fileId: string;
  partNumber: number;
  contentLength: number;
  contentSha1: string;
  contentMd5: string | null;
  uploadTimestamp: number;
  segments: Segment[];
}

/** No retention, in the form in which B2 answers it. */
export const noRetention: FileRetention = { mode: null, retainUntilTimestamp: null };
