import { error, warning, type ResourceRule } from "../model.ts";
import { targetOf } from "../names.ts";
import { B2_BUCKET, R2_BUCKET, R2_LOCK } from "../types.ts";

/** What holds data, or keeps it from being destroyed. */
const HOLDS: Readonly<Record<string, string>> = {
  [B2_BUCKET]: "the bucket",
  [R2_BUCKET]: "the bucket",
  [R2_LOCK]: "the lock on the bucket",
};

/**
 * `retainOnDelete` is what keeps the data whatever happens to the stack; `protect` stops whoever is
 * about to forget it. A target's setting `protect: false` lifts the second, never the first.
 */
export const dataProtected: ResourceRule = {
  name: "data-protected",
  description: "Whatever holds backups outlives the stack",
  of: "resource",
  judge: (resource) => {
    const what = HOLDS[resource.type];
    if (what === undefined) return [];
    const target = targetOf(resource.name);
    const subject = `${what} of ${target}`;
    const { protect, retainOnDelete } = resource;
    if (retainOnDelete === false) {
      const message = `retainOnDelete is not set, and must be: without it ${protect ? "one `pulumi state unprotect` is" : "nothing is"} between a \`pulumi destroy\` and the end of the backups. Set it in the component`;
      return [error(resource, subject, message)];
    }
    if (protect) return [];
    const message =
      retainOnDelete === undefined
        ? "protect is not set, and whether it is kept when it leaves the stack (retainOnDelete) is not shown to a policy pack. `offsite report` sees it"
        : `protect is not set, so that the next update may let go of it; the data stays, and goes on costing. If that is not meant, set targets.${target}.protect to true`;
    return [warning(resource, subject, message)];
  },
};
