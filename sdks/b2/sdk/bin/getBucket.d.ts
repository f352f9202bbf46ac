import * as pulumi from "@pulumi/pulumi";
import * as outputs from "./types/output";
/**
 * Looks a bucket up by its name.
 */
export declare function getBucket(args: GetBucketArgs, opts?: pulumi.InvokeOptions): Promise<GetBucketResult>;
export interface GetBucketArgs {
    bucketName: string;
    id?: string;
}
export interface GetBucketResult {
    readonly accountId: string;
    readonly bucketId: string;
    readonly bucketInfo: {
        [key: string]: string;
    };
    readonly bucketName: string;
    readonly bucketType: string;
    readonly corsRules: outputs.GetBucketCorsRule[];
    readonly defaultServerSideEncryptions: outputs.GetBucketDefaultServerSideEncryption[];
    readonly fileLockConfigurations: outputs.GetBucketFileLockConfiguration[];
    readonly id: string;
    readonly lifecycleRules: outputs.GetBucketLifecycleRule[];
    readonly options: string[];
    readonly revision: number;
}
/**
 * Looks a bucket up by its name.
 */
export declare function getBucketOutput(args: GetBucketOutputArgs, opts?: pulumi.InvokeOutputOptions): pulumi.Output<GetBucketResult>;
export interface GetBucketOutputArgs {
    bucketName: pulumi.Input<string>;
    id?: pulumi.Input<string | undefined>;
}
