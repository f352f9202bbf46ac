/** The settings of a bucket at Cloudflare R2. */
import { z } from "zod";
import * as rules from "../rules.ts";
import { everyTarget, keepDays } from "./common.ts";

/** A bucket at Cloudflare R2. */
export const r2TargetSchema = z.strictObject({
  type: z.literal("r2"),
  accountId: z
    .string()
    .regex(/^[0-9a-f]{32}$/, {
      error: "a Cloudflare account's ID, 32 hex digits: the dashboard shows it under R2",
    })
    .describe("The Cloudflare account that the bucket is in."),
  bucket: rules.s3BucketName,
  location: z
    .enum(["apac", "eeur", "enam", "oc", "weur", "wnam"])
    .optional()
    .describe("Near where R2 keeps the data. It is a hint, and only for a new bucket."),
  jurisdiction: z
    .enum(["default", "eu", "fedramp"])
    .default("default")
    .describe("Where the data must stay by law. It cannot be changed later."),
  endpoint: rules.baseUrl
    .optional()
    .describe("Where the S3 API is, when it is not the account's at Cloudflare."),
  keepHiddenDays: z
    .union([keepDays, z.literal("forever")], { error: 'a whole number of days, or "forever"' })
    .default("forever")
    .describe(
      "R2 hides nothing. Instead a lock rule keeps every object from being deleted or overwritten for so many days after its upload, or for ever: what is older than the days can be deleted for good by whoever has the hub's key.",
    ),
  ...everyTarget,
});

export type R2TargetConfig = z.infer<typeof r2TargetSchema>;
