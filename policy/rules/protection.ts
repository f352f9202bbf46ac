import { error, warning, type ResourceFacts, type ResourceRule } from "../model.ts";
import { targetOf } from "../names.ts";
import { B2_BUCKET, R2_BUCKET, R2_LOCK, REMOTE_COMMAND } from "../types.ts";

/** What holds data, or keeps it from being destroyed. */
const HOLDS: Readonly<Record<string, string>> = {
  [B2_BUCKET]: "the bucket",
  [R2_BUCKET]: "the bucket",
  [R2_LOCK]: "the lock on the bucket",
};

/** What puts a server or a directory on a peer. To delete it leaves the data where it is. */
function servesData({ type, name }: ResourceFacts): boolean {
  return type === REMOTE_COMMAND && /^[a-z0-9]+-(?:server|directory)$/.test(name);
}

function meant(target: string): string {
  return `If that is not meant, set targets.${target}.protect to true`;
}

/**
 * `retainOnDelete` is what keeps the data whatever happens to the stack; `protect` stops whoever is
 * about to forget it. A target's setting `protect: false` lifts the second, never the first.
 */
export const dataProtected: ResourceRule = {
  name: "data-protected",
  description: "Whatever holds backups outlives the stack",
  of: "resource",
  judge: (resource) => {
    const { protect, retainOnDelete } = resource;
    const target = targetOf(resource.name);
    if (servesData(resource)) {
      if (protect) return [];
      const message = `protect is not set, so that the next update may take the server away; the data stays on the machine. ${meant(target)}`;
      return [warning(resource, target, message)];
    }
    const what = HOLDS[resource.type];
    if (what === undefined) return [];
    const subject = `${what} of ${target}`;
    if (retainOnDelete === false) {
      const message = `retainOnDelete is not set, and must be: without it ${protect ? "one `pulumi state unprotect` is" : "nothing is"} between a \`pulumi destroy\` and the end of the backups. Set it in the component`;
      return [error(resource, subject, message)];
    }
    if (protect) return [];
    const message =
      retainOnDelete === undefined
        ? "protect is not set, and whether it is kept when it leaves the stack (retainOnDelete) is not shown to a policy pack. `offsite report` sees it"
        : `protect is not set, so that the next update may let go of it; the data stays, and goes on costing. ${meant(target)}`;
    return [warning(resource, subject, message)];
  },
};
