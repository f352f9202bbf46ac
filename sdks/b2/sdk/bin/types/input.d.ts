import * as pulumi from "@pulumi/pulumi";
import * as inputs from "../types/input";
/**
 * A CORS rule.
 */
export interface BucketCorsRuleArgs {
    /**
     * Request headers that a preflight may ask for.
     */
    allowedHeaders?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * Operations that the rule allows, such as "b2_download_file_by_id" or "s3_get".
     */
    allowedOperations: pulumi.Input<pulumi.Input<string>[]>;
    /**
     * Origins that the rule covers, or "*".
     */
    allowedOrigins: pulumi.Input<pulumi.Input<string>[]>;
    /**
     * The rule's name: 6 to 63 letters, digits and hyphens.
     */
    corsRuleName: pulumi.Input<string>;
    /**
     * Response headers that a script may see.
     */
    exposeHeaders?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * Seconds for which a browser may keep the answer: 0 to 86,400.
     */
    maxAgeSeconds: pulumi.Input<number>;
}
/**
 * Encryption of new files by the server.
 */
export interface BucketDefaultServerSideEncryptionArgs {
    /**
     * "AES256", the only one.
     */
    algorithm?: pulumi.Input<string | undefined>;
    /**
     * "SSE-B2" or "none".
     */
    mode?: pulumi.Input<string | undefined>;
}
/**
 * Object lock of a bucket.
 */
export interface BucketFileLockConfigurationArgs {
    /**
     * Retention given to new files that bring none.
     */
    defaultRetention?: pulumi.Input<inputs.BucketFileLockConfigurationDefaultRetentionArgs | undefined>;
    /**
     * Whether object lock is on.
     */
    isFileLockEnabled?: pulumi.Input<boolean | undefined>;
}
/**
 * Retention of new files.
 */
export interface BucketFileLockConfigurationDefaultRetentionArgs {
    /**
     * "governance", "compliance" or "none".
     */
    mode: pulumi.Input<string>;
    period?: pulumi.Input<inputs.BucketFileLockConfigurationDefaultRetentionPeriodArgs | undefined>;
}
/**
 * A length of time.
 */
export interface BucketFileLockConfigurationDefaultRetentionPeriodArgs {
    /**
     * How many units: a positive whole number.
     */
    duration: pulumi.Input<number>;
    /**
     * "days" or "years".
     */
    unit: pulumi.Input<string>;
}
/**
 * A lifecycle rule: what happens to files under a prefix as they age.
 */
export interface BucketLifecycleRuleArgs {
    /**
     * Days after which a hidden version is deleted.
     */
    daysFromHidingToDeleting?: pulumi.Input<number | undefined>;
    /**
     * Days after which an unfinished large file is cancelled.
     */
    daysFromStartingToCancelingUnfinishedLargeFiles?: pulumi.Input<number | undefined>;
    /**
     * Days after which an uploaded file is hidden.
     */
    daysFromUploadingToHiding?: pulumi.Input<number | undefined>;
    /**
     * The files that the rule is for; "" for all.
     */
    fileNamePrefix: pulumi.Input<string>;
}
