import * as pulumi from "@pulumi/pulumi";
import * as inputs from "./types/input";
import * as outputs from "./types/output";
/**
 * A Backblaze B2 bucket. Import it by its id: `pulumi import b2:index/bucket:Bucket NAME BUCKET_ID`.
 */
export declare class Bucket extends pulumi.CustomResource {
    /**
     * Get an existing Bucket resource's state with the given name, ID, and optional extra
     * properties used to qualify the lookup.
     *
     * @param name The _unique_ name of the resulting resource.
     * @param id The _unique_ provider ID of the resource to lookup.
     * @param state Any extra arguments used during the lookup.
     * @param opts Optional settings to control the behavior of the CustomResource.
     */
    static get(name: string, id: pulumi.Input<pulumi.ID>, state?: BucketState, opts?: pulumi.CustomResourceOptions): Bucket;
    /**
     * Returns true if the given object is an instance of Bucket.  This is designed to work even
     * when multiple copies of the Pulumi SDK have been loaded into the same process.
     */
    static isInstance(obj: any): obj is Bucket;
    /**
     * The account that the bucket belongs to.
     */
    readonly accountId: pulumi.Output<string>;
    /**
     * The bucket's id; the same as `bucketId`.
     */
    readonly b2BucketId: pulumi.Output<string>;
    /**
     * The bucket's id.
     */
    readonly bucketId: pulumi.Output<string>;
    /**
     * Information kept with the bucket: at most 10 pairs, keys up to 50 characters that do not start with "b2-".
     */
    readonly bucketInfo: pulumi.Output<{
        [key: string]: string;
    } | undefined>;
    /**
     * The bucket's name: 6 to 63 letters, digits and hyphens, not starting with "b2-", unique in the world. A change replaces the bucket.
     */
    readonly bucketName: pulumi.Output<string>;
    /**
     * "allPrivate" or "allPublic".
     */
    readonly bucketType: pulumi.Output<string>;
    /**
     * At most 100 CORS rules.
     */
    readonly corsRules: pulumi.Output<outputs.BucketCorsRule[] | undefined>;
    /**
     * How new files are encrypted by the server. Leaving it out leaves the bucket's setting as it is.
     */
    readonly defaultServerSideEncryption: pulumi.Output<outputs.BucketDefaultServerSideEncryption | undefined>;
    /**
     * Object lock and its default retention; at most one entry. Lock can be switched on at creation only: a change replaces the bucket.
     */
    readonly fileLockConfigurations: pulumi.Output<outputs.BucketFileLockConfiguration[] | undefined>;
    /**
     * Rules that hide and delete files by age; at most 100, with prefixes that do not overlap.
     */
    readonly lifecycleRules: pulumi.Output<outputs.BucketLifecycleRule[] | undefined>;
    /**
     * Options of the bucket, such as "s3".
     */
    readonly options: pulumi.Output<string[]>;
    /**
     * A counter that the service raises with every change of the bucket.
     */
    readonly revision: pulumi.Output<number>;
    /**
     * Create a Bucket resource with the given unique name, arguments, and options.
     *
     * @param name The _unique_ name of the resource.
     * @param args The arguments to use to populate this resource's properties.
     * @param opts A bag of options that control this resource's behavior.
     */
    constructor(name: string, args: BucketArgs, opts?: pulumi.CustomResourceOptions);
}
export interface BucketState {
    /**
     * The account that the bucket belongs to.
     */
    accountId?: pulumi.Input<string | undefined>;
    /**
     * The bucket's id; the same as `bucketId`.
     */
    b2BucketId?: pulumi.Input<string | undefined>;
    /**
     * The bucket's id.
     */
    bucketId?: pulumi.Input<string | undefined>;
    /**
     * Information kept with the bucket: at most 10 pairs, keys up to 50 characters that do not start with "b2-".
     */
    bucketInfo?: pulumi.Input<{
        [key: string]: pulumi.Input<string>;
    } | undefined>;
    /**
     * The bucket's name: 6 to 63 letters, digits and hyphens, not starting with "b2-", unique in the world. A change replaces the bucket.
     */
    bucketName?: pulumi.Input<string | undefined>;
    /**
     * "allPrivate" or "allPublic".
     */
    bucketType?: pulumi.Input<string | undefined>;
    /**
     * At most 100 CORS rules.
     */
    corsRules?: pulumi.Input<pulumi.Input<inputs.BucketCorsRuleArgs>[] | undefined>;
    /**
     * How new files are encrypted by the server. Leaving it out leaves the bucket's setting as it is.
     */
    defaultServerSideEncryption?: pulumi.Input<inputs.BucketDefaultServerSideEncryptionArgs | undefined>;
    /**
     * Object lock and its default retention; at most one entry. Lock can be switched on at creation only: a change replaces the bucket.
     */
    fileLockConfigurations?: pulumi.Input<pulumi.Input<inputs.BucketFileLockConfigurationArgs>[] | undefined>;
    /**
     * Rules that hide and delete files by age; at most 100, with prefixes that do not overlap.
     */
    lifecycleRules?: pulumi.Input<pulumi.Input<inputs.BucketLifecycleRuleArgs>[] | undefined>;
    /**
     * Options of the bucket, such as "s3".
     */
    options?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * A counter that the service raises with every change of the bucket.
     */
    revision?: pulumi.Input<number | undefined>;
}
/**
 * The set of arguments for constructing a Bucket resource.
 */
export interface BucketArgs {
    /**
     * The bucket's id; the same as `bucketId`.
     */
    b2BucketId?: pulumi.Input<string | undefined>;
    /**
     * Information kept with the bucket: at most 10 pairs, keys up to 50 characters that do not start with "b2-".
     */
    bucketInfo?: pulumi.Input<{
        [key: string]: pulumi.Input<string>;
    } | undefined>;
    /**
     * The bucket's name: 6 to 63 letters, digits and hyphens, not starting with "b2-", unique in the world. A change replaces the bucket.
     */
    bucketName: pulumi.Input<string>;
    /**
     * "allPrivate" or "allPublic".
     */
    bucketType: pulumi.Input<string>;
    /**
     * At most 100 CORS rules.
     */
    corsRules?: pulumi.Input<pulumi.Input<inputs.BucketCorsRuleArgs>[] | undefined>;
    /**
     * How new files are encrypted by the server. Leaving it out leaves the bucket's setting as it is.
     */
    defaultServerSideEncryption?: pulumi.Input<inputs.BucketDefaultServerSideEncryptionArgs | undefined>;
    /**
     * Object lock and its default retention; at most one entry. Lock can be switched on at creation only: a change replaces the bucket.
     */
    fileLockConfigurations?: pulumi.Input<pulumi.Input<inputs.BucketFileLockConfigurationArgs>[] | undefined>;
    /**
     * Rules that hide and delete files by age; at most 100, with prefixes that do not overlap.
     */
    lifecycleRules?: pulumi.Input<pulumi.Input<inputs.BucketLifecycleRuleArgs>[] | undefined>;
}
