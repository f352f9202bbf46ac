/** The settings of a bucket that exists already, at any S3. */
import ipaddr from "ipaddr.js";
import { z } from "zod";
import * as rules from "../rules.ts";
import { everyTarget } from "./common.ts";

/** What a bucket is said to keep. */
export const s3Protection = z.enum(["none", "versions", "lock"]);

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
  protection: s3Protection
    .default("none")
    .describe(
      "What keeps a thief with the hub's key from destroying what is there: versions (the bucket keeps them, and the key cannot delete them), lock (object lock by default), or none. It sets nothing: verify fails where the bucket keeps less than this says.",
    ),
  ...everyTarget,
});

export type S3TargetConfig = z.infer<typeof s3TargetSchema>;

/** Ranges of addresses that no stranger is between, or to which a tunnel leads. */
const NEAR: ReadonlySet<string> = new Set([
  ...["loopback", "private", "linkLocal", "uniqueLocal", "carrierGradeNat"],
]);

/** Whether a URL is neither encrypted nor, as far as it tells, of a network of one's own. */
export function isPlainAndFar(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  if (protocol !== "http:") return false;
  const address = hostname.replace(/^\[(.*)\]$/, "$1");
  if (ipaddr.isValid(address)) return !NEAR.has(ipaddr.process(address).range());
  return !/^(?:[^.]+|.*\.(?:local|lan|internal|localhost|home\.arpa|ts\.net))\.?$/.test(address);
}
