import { warning, type ResourceRule } from "../model.ts";
import { targetTypeOf } from "../types.ts";

/** What was made by somebody else is no resource of the stack: only trying it tells. */
export const madeElsewhere: ResourceRule = {
  name: "made-elsewhere",
  description: "What was made by somebody else is tried, for a preview cannot show it",
  of: "resource",
  judge: (resource) =>
    targetTypeOf(resource.type) === "S3"
      ? [
          warning(
            resource,
            resource.name,
            "its bucket and keys were made elsewhere, so that no preview shows whether the bucket is public, or what the keys may delete. Try it after the update: npx offsite verify",
          ),
        ]
      : [],
};
