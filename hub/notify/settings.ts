import { z } from "zod";

const file = z
  .string()
  .min(1)
  .describe("A file; without a slash at its beginning one of $CREDENTIALS_DIRECTORY.");

/** Whom the agent tells of its runs. */
export const notifySchema = z.strictObject({
  pingUrlFile: file
    .optional()
    .describe(
      "A file with the URL of a dead man's switch as healthchecks.io has it, in which {check} stands " +
        "for the name of what was run: mirror-cloud, verify, prune, drill, status. The URL is a secret.",
    ),
  pingUrlFiles: z
    .record(z.string(), file)
    .default({})
    .describe("By the name of what was run: a file with a URL for it alone."),
  webhookUrlFile: file
    .optional()
    .describe(
      "A file with a URL that gets a POST of JSON when something begins to fail, while it fails, and when it no longer does.",
    ),
  webhookTokenFile: file
    .optional()
    .describe("A file with the bearer token that the webhook is called with."),
  repeatHours: z
    .number()
    .positive()
    .default(20)
    .describe("Hours after which the webhook is told again of what goes on failing."),
  timeoutSeconds: z
    .number()
    .positive()
    .max(60)
    .default(5)
    .describe("How long one attempt may take; there are three."),
});

export type NotifySettings = z.infer<typeof notifySchema>;
