import * as pulumi from "@pulumi/pulumi";
/**
 * A Backblaze B2 application key. Every change replaces it. Import it by its id: `pulumi import b2:index/applicationKey:ApplicationKey NAME KEY_ID`; the secret is not recovered.
 */
export declare class ApplicationKey extends pulumi.CustomResource {
    /**
     * Get an existing ApplicationKey resource's state with the given name, ID, and optional extra
     * properties used to qualify the lookup.
     *
     * @param name The _unique_ name of the resulting resource.
     * @param id The _unique_ provider ID of the resource to lookup.
     * @param state Any extra arguments used during the lookup.
     * @param opts Optional settings to control the behavior of the CustomResource.
     */
    static get(name: string, id: pulumi.Input<pulumi.ID>, state?: ApplicationKeyState, opts?: pulumi.CustomResourceOptions): ApplicationKey;
    /**
     * Returns true if the given object is an instance of ApplicationKey.  This is designed to work even
     * when multiple copies of the Pulumi SDK have been loaded into the same process.
     */
    static isInstance(obj: any): obj is ApplicationKey;
    /**
     * The key's secret. Known only to the stack that created the key: an import does not recover it.
     */
    readonly applicationKey: pulumi.Output<string>;
    /**
     * The key's id.
     */
    readonly applicationKeyId: pulumi.Output<string>;
    /**
     * The key's id; the same as `applicationKeyId`.
     */
    readonly b2ApplicationKeyId: pulumi.Output<string>;
    /**
     * The bucket that the key is restricted to. Use `bucketIds` instead.
     */
    readonly bucketId: pulumi.Output<string | undefined>;
    /**
     * The buckets that the key is restricted to. Without it the key reaches every bucket of the account.
     */
    readonly bucketIds: pulumi.Output<string[] | undefined>;
    /**
     * What the key may do. Order does not matter.
     */
    readonly capabilities: pulumi.Output<string[]>;
    /**
     * When the key expires, in milliseconds since 1970; 0 when it does not.
     */
    readonly expirationTimestamp: pulumi.Output<number>;
    /**
     * The key's name: 1 to 100 letters, digits and hyphens. Need not be unique.
     */
    readonly keyName: pulumi.Output<string>;
    /**
     * Restricts the key to files whose names start with this.
     */
    readonly namePrefix: pulumi.Output<string | undefined>;
    /**
     * Options of the key, such as "s3".
     */
    readonly options: pulumi.Output<string[]>;
    /**
     * The key expires so many seconds after its creation: 1 to 86,400,000. Without it the key does not expire.
     */
    readonly validDurationInSeconds: pulumi.Output<number | undefined>;
    /**
     * Create a ApplicationKey resource with the given unique name, arguments, and options.
     *
     * @param name The _unique_ name of the resource.
     * @param args The arguments to use to populate this resource's properties.
     * @param opts A bag of options that control this resource's behavior.
     */
    constructor(name: string, args: ApplicationKeyArgs, opts?: pulumi.CustomResourceOptions);
}
export interface ApplicationKeyState {
    /**
     * The key's secret. Known only to the stack that created the key: an import does not recover it.
     */
    applicationKey?: pulumi.Input<string | undefined>;
    /**
     * The key's id.
     */
    applicationKeyId?: pulumi.Input<string | undefined>;
    /**
     * The key's id; the same as `applicationKeyId`.
     */
    b2ApplicationKeyId?: pulumi.Input<string | undefined>;
    /**
     * The bucket that the key is restricted to. Use `bucketIds` instead.
     *
     * @deprecated Use `bucketIds`.
     */
    bucketId?: pulumi.Input<string | undefined>;
    /**
     * The buckets that the key is restricted to. Without it the key reaches every bucket of the account.
     */
    bucketIds?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * What the key may do. Order does not matter.
     */
    capabilities?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * When the key expires, in milliseconds since 1970; 0 when it does not.
     */
    expirationTimestamp?: pulumi.Input<number | undefined>;
    /**
     * The key's name: 1 to 100 letters, digits and hyphens. Need not be unique.
     */
    keyName?: pulumi.Input<string | undefined>;
    /**
     * Restricts the key to files whose names start with this.
     */
    namePrefix?: pulumi.Input<string | undefined>;
    /**
     * Options of the key, such as "s3".
     */
    options?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * The key expires so many seconds after its creation: 1 to 86,400,000. Without it the key does not expire.
     */
    validDurationInSeconds?: pulumi.Input<number | undefined>;
}
/**
 * The set of arguments for constructing a ApplicationKey resource.
 */
export interface ApplicationKeyArgs {
    /**
     * The key's id; the same as `applicationKeyId`.
     */
    b2ApplicationKeyId?: pulumi.Input<string | undefined>;
    /**
     * The bucket that the key is restricted to. Use `bucketIds` instead.
     *
     * @deprecated Use `bucketIds`.
     */
    bucketId?: pulumi.Input<string | undefined>;
    /**
     * The buckets that the key is restricted to. Without it the key reaches every bucket of the account.
     */
    bucketIds?: pulumi.Input<pulumi.Input<string>[] | undefined>;
    /**
     * What the key may do. Order does not matter.
     */
    capabilities: pulumi.Input<pulumi.Input<string>[]>;
    /**
     * The key's name: 1 to 100 letters, digits and hyphens. Need not be unique.
     */
    keyName: pulumi.Input<string>;
    /**
     * Restricts the key to files whose names start with this.
     */
    namePrefix?: pulumi.Input<string | undefined>;
    /**
     * The key expires so many seconds after its creation: 1 to 86,400,000. Without it the key does not expire.
     */
    validDurationInSeconds?: pulumi.Input<number | undefined>;
}
