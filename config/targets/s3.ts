/** The settings of a bucket that exists already, at any S3. */
import { z } from "zod";
import * as rules from "../rules.ts";
import { everyTarget } from "./common.ts";

/** A bucket at any S3, made by somebody else. Its keys are in `targetSecrets`. */
export const s3TargetSchema = z.strictObject({
  type: z.literal("s3"),
  endpoint: rules.baseUrl.describe("The S3 API, such as https://s3.eu-central-1.wasabisys.com."),
  bucket: rules.s3BucketName,
  prefix: rules.objectPrefix
    .optional()
    .describe("The folder of the bucket that is the target's, without slashes at its ends."),
  region: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,40}$/, { error: 'a region\'s name, such as "eu-central-1"' })
    .default("us-east-1")
    .describe("The region that requests are signed for; a server of your own often has any."),
  provider: z
    .string()
    .regex(/^[A-Za-z0-9]{1,30}$/, { error: 'a name from rclone\'s list, such as "Wasabi"' })
    .default("Other")
    .describe("rclone's name of the service (Wasabi, Minio, AWS, …), for its peculiarities."),
  ...everyTarget,
});

export type S3TargetConfig = z.infer<typeof s3TargetSchema>;
