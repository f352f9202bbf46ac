/**
 * The secret of the operator's application key. Otherwise from the environment variable B2_APPLICATION_KEY.
 */
export declare const applicationKey: string | undefined;
/**
 * The id of the operator's application key. Otherwise from the environment variable B2_APPLICATION_KEY_ID.
 */
export declare const applicationKeyId: string | undefined;
/**
 * The realm to authorise against: "production" or a URL. Otherwise from the environment variable B2_ENDPOINT. Default: "production".
 */
export declare const endpoint: string | undefined;
