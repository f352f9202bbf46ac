import * as pulumi from "@pulumi/pulumi";
import * as outputs from "./types/output";
/**
 * Tells about the account and the key that the provider uses.
 */
export declare function getAccountInfo(args?: GetAccountInfoArgs, opts?: pulumi.InvokeOptions): Promise<GetAccountInfoResult>;
export interface GetAccountInfoArgs {
    id?: string;
}
export interface GetAccountInfoResult {
    readonly absoluteMinimumPartSize: number;
    readonly accountAuthToken: string;
    readonly accountId: string;
    readonly alloweds: outputs.GetAccountInfoAllowed[];
    readonly apiUrl: string;
    readonly downloadUrl: string;
    readonly id: string;
    readonly recommendedPartSize: number;
    readonly s3ApiUrl: string;
}
/**
 * Tells about the account and the key that the provider uses.
 */
export declare function getAccountInfoOutput(args?: GetAccountInfoOutputArgs, opts?: pulumi.InvokeOutputOptions): pulumi.Output<GetAccountInfoResult>;
export interface GetAccountInfoOutputArgs {
    id?: pulumi.Input<string | undefined>;
}
