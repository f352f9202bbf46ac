/** The settings of a bucket at Backblaze B2. */
import { z } from "zod";
import * as rules from "../rules.ts";
import { everyTarget, keepDays } from "./common.ts";

/** A bucket at Backblaze B2. */
export const b2TargetSchema = z.strictObject({
  type: z.literal("b2"),
  bucket: rules.bucketName,
  region: z
    .string()
    .regex(/^[a-z]{2}-[a-z]+-[0-9]{3}$/, { error: 'a B2 region such as "eu-central-003"' })
    .optional()
    .describe("The region that the account must be in. B2 chooses it when an account is made."),
  endpoint: rules.baseUrl
    .optional()
    .describe("Where rclone finds the B2 API, when it is not Backblaze's."),
  keepHiddenDays: keepDays
    .default(30)
    .describe("Days for which what was hidden or overwritten can be brought back."),
  keyDays: z
    .int()
    .min(2)
    .max(1_000)
    .optional()
    .describe(
      "Days after which a key ends by itself, counted from when it was made; for keys made from now on. Rotate before.",
    ),
  ...everyTarget,
});

export type B2TargetConfig = z.infer<typeof b2TargetSchema>;
