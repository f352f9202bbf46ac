import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NameTable } from "../repository/name-table.ts";
import { HASHED_KINDS } from "../repository/layout.ts";
import { messageOf } from "../errors.ts";
import type { Inventory } from "../targets/target.ts";
import type { LocalListing } from "../repository/listing.ts";

/**
 * Whether a host's repository may be mirrored over what the target has under its name, judged by
 * `config`, which no two repositories share, and by the keys' names.
 *
 * @returns undefined where it may; else why not and what to do.
 */
export function refusal(
  directory: string,
  listing: LocalListing,
  inventory: Inventory,
): string | undefined {
  if (listing.config === undefined) {
    return isEmpty(inventory)
      ? undefined
      : `the hub has no repository in "${directory}" while the target has one: restore it from there, or take the host out of the config`;
  }
  if (inventory.config === undefined) {
    const { keys } = inventory.files;
    if (keys.count === 0 || shareName(keys, listing.files.keys)) return undefined;
    return "the target holds keys of another repository under this name; move it away there, as the operator";
  }
  let config: Buffer;
  try {
    config = readFileSync(join(directory, "config"));
  } catch (error) {
    return `cannot read the repository's config: ${messageOf(error)}`;
  }
  const theirs = inventory.config;
  const same =
    theirs.size === config.length &&
    (theirs.content?.equals(config) ?? true) &&
    (theirs.sha1 === undefined || theirs.sha1 === createHash("sha1").update(config).digest("hex"));
  if (same) return undefined;
  if (
    theirs.size < config.length &&
    (theirs.content?.equals(config.subarray(0, theirs.size)) ?? false)
  ) {
    return `the target's config was cut short when it was sent (${theirs.size} of ${config.length} bytes); remove that one file there, as the operator, and run again`;
  }
  if (shareName(inventory.files.keys, listing.files.keys)) {
    return "the target has another config for the same keys: was the hub's repository upgraded or put back? Remove config there, as the operator, when the hub's is the right one";
  }
  return "the target holds another repository under this name; move it away there, as the operator, when the hub's is the right one";
}

/** Whether the target has nothing of the host. */
export function isEmpty(inventory: Inventory): boolean {
  return (
    inventory.config === undefined &&
    HASHED_KINDS.every((kind) => inventory.files[kind].count === 0)
  );
}

function shareName(one: NameTable, other: NameTable): boolean {
  for (const [name] of one.entries()) if (other.has(name)) return true;
  return false;
}
