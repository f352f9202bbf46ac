import * as pulumi from "@pulumi/pulumi";
/**
 * The provider of the b2 package: which Backblaze account to speak to, and as whom.
 */
export declare class Provider extends pulumi.ProviderResource {
    /**
     * Returns true if the given object is an instance of Provider.  This is designed to work even
     * when multiple copies of the Pulumi SDK have been loaded into the same process.
     */
    static isInstance(obj: any): obj is Provider;
    /**
     * The secret of the operator's application key. Otherwise from the environment variable B2_APPLICATION_KEY.
     */
    readonly applicationKey: pulumi.Output<string | undefined>;
    /**
     * The id of the operator's application key. Otherwise from the environment variable B2_APPLICATION_KEY_ID.
     */
    readonly applicationKeyId: pulumi.Output<string | undefined>;
    /**
     * The realm to authorise against: "production" or a URL. Otherwise from the environment variable B2_ENDPOINT. Default: "production".
     */
    readonly endpoint: pulumi.Output<string | undefined>;
    /**
     * Create a Provider resource with the given unique name, arguments, and options.
     *
     * @param name The _unique_ name of the resource.
     * @param args The arguments to use to populate this resource's properties.
     * @param opts A bag of options that control this resource's behavior.
     */
    constructor(name: string, args?: ProviderArgs, opts?: pulumi.ResourceOptions);
}
/**
 * The set of arguments for constructing a Provider resource.
 */
export interface ProviderArgs {
    /**
     * The secret of the operator's application key. Otherwise from the environment variable B2_APPLICATION_KEY.
     */
    applicationKey?: pulumi.Input<string | undefined>;
    /**
     * The id of the operator's application key. Otherwise from the environment variable B2_APPLICATION_KEY_ID.
     */
    applicationKeyId?: pulumi.Input<string | undefined>;
    /**
     * The realm to authorise against: "production" or a URL. Otherwise from the environment variable B2_ENDPOINT. Default: "production".
     */
    endpoint?: pulumi.Input<string | undefined>;
}
