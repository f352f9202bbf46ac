import * as outputs from "../types/output";
/**
 * A CORS rule.
 */
export interface BucketCorsRule {
    /**
     * Request headers that a preflight may ask for.
     */
    allowedHeaders?: string[];
    /**
     * Operations that the rule allows, such as "b2_download_file_by_id" or "s3_get".
     */
    allowedOperations: string[];
    /**
     * Origins that the rule covers, or "*".
     */
    allowedOrigins: string[];
    /**
     * The rule's name: 6 to 63 letters, digits and hyphens.
     */
    corsRuleName: string;
    /**
     * Response headers that a script may see.
     */
    exposeHeaders?: string[];
    /**
     * Seconds for which a browser may keep the answer: 0 to 86,400.
     */
    maxAgeSeconds: number;
}
/**
 * Encryption of new files by the server.
 */
export interface BucketDefaultServerSideEncryption {
    /**
     * "AES256", the only one.
     */
    algorithm?: string;
    /**
     * "SSE-B2" or "none".
     */
    mode?: string;
}
/**
 * Object lock of a bucket.
 */
export interface BucketFileLockConfiguration {
    /**
     * Retention given to new files that bring none.
     */
    defaultRetention?: outputs.BucketFileLockConfigurationDefaultRetention;
    /**
     * Whether object lock is on.
     */
    isFileLockEnabled?: boolean;
}
/**
 * Retention of new files.
 */
export interface BucketFileLockConfigurationDefaultRetention {
    /**
     * "governance", "compliance" or "none".
     */
    mode: string;
    period?: outputs.BucketFileLockConfigurationDefaultRetentionPeriod;
}
/**
 * A length of time.
 */
export interface BucketFileLockConfigurationDefaultRetentionPeriod {
    /**
     * How many units: a positive whole number.
     */
    duration: number;
    /**
     * "days" or "years".
     */
    unit: string;
}
/**
 * A lifecycle rule: what happens to files under a prefix as they age.
 */
export interface BucketLifecycleRule {
    /**
     * Days after which a hidden version is deleted.
     */
    daysFromHidingToDeleting?: number;
    /**
     * Days after which an unfinished large file is cancelled.
     */
    daysFromStartingToCancelingUnfinishedLargeFiles?: number;
    /**
     * Days after which an uploaded file is hidden.
     */
    daysFromUploadingToHiding?: number;
    /**
     * The files that the rule is for; "" for all.
     */
    fileNamePrefix: string;
}
export interface GetAccountInfoAllowed {
    bucketId?: string;
    bucketName?: string;
    buckets?: outputs.GetAccountInfoAllowedBucket[];
    capabilities?: string[];
    namePrefix?: string;
}
export interface GetAccountInfoAllowedBucket {
    id?: string;
    name?: string;
}
export interface GetBucketCorsRule {
    /**
     * Request headers that a preflight may ask for.
     */
    allowedHeaders?: string[];
    /**
     * Operations that the rule allows, such as "b2_download_file_by_id" or "s3_get".
     */
    allowedOperations?: string[];
    /**
     * Origins that the rule covers, or "*".
     */
    allowedOrigins?: string[];
    /**
     * The rule's name: 6 to 63 letters, digits and hyphens.
     */
    corsRuleName?: string;
    /**
     * Response headers that a script may see.
     */
    exposeHeaders?: string[];
    /**
     * Seconds for which a browser may keep the answer: 0 to 86,400.
     */
    maxAgeSeconds?: number;
}
export interface GetBucketDefaultServerSideEncryption {
    /**
     * "AES256", the only one.
     */
    algorithm?: string;
    /**
     * "SSE-B2" or "none".
     */
    mode?: string;
}
export interface GetBucketFileLockConfiguration {
    defaultRetentions?: outputs.GetBucketFileLockConfigurationDefaultRetention[];
    /**
     * Whether object lock is on.
     */
    isFileLockEnabled?: boolean;
}
export interface GetBucketFileLockConfigurationDefaultRetention {
    /**
     * "governance", "compliance" or "none".
     */
    mode?: string;
    periods?: outputs.GetBucketFileLockConfigurationDefaultRetentionPeriod[];
}
export interface GetBucketFileLockConfigurationDefaultRetentionPeriod {
    /**
     * How many units: a positive whole number.
     */
    duration?: number;
    /**
     * "days" or "years".
     */
    unit?: string;
}
export interface GetBucketLifecycleRule {
    /**
     * Days after which a hidden version is deleted.
     */
    daysFromHidingToDeleting?: number;
    /**
     * Days after which an unfinished large file is cancelled.
     */
    daysFromStartingToCancelingUnfinishedLargeFiles?: number;
    /**
     * Days after which an uploaded file is hidden.
     */
    daysFromUploadingToHiding?: number;
    /**
     * The files that the rule is for; "" for all.
     */
    fileNamePrefix?: string;
}
