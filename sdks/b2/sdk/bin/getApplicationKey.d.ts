import * as pulumi from "@pulumi/pulumi";
/**
 * Looks an application key up by its name. The secret is not part of the answer.
 */
export declare function getApplicationKey(args: GetApplicationKeyArgs, opts?: pulumi.InvokeOptions): Promise<GetApplicationKeyResult>;
export interface GetApplicationKeyArgs {
    id?: string;
    keyName: string;
}
export interface GetApplicationKeyResult {
    readonly applicationKeyId: string;
    readonly bucketId: string;
    readonly bucketIds: string[];
    readonly capabilities: string[];
    readonly expirationTimestamp: number;
    readonly id: string;
    readonly keyName: string;
    readonly namePrefix: string;
    readonly options: string[];
}
/**
 * Looks an application key up by its name. The secret is not part of the answer.
 */
export declare function getApplicationKeyOutput(args: GetApplicationKeyOutputArgs, opts?: pulumi.InvokeOutputOptions): pulumi.Output<GetApplicationKeyResult>;
export interface GetApplicationKeyOutputArgs {
    id?: pulumi.Input<string | undefined>;
    keyName: pulumi.Input<string>;
}
