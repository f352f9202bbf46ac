/** The operator's own public key, where it is in its usual place. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { sealKey } from "../../config/rules.ts";

/** What follows from an empty `seal.operators`. */
export const NO_OPERATORS =
  "after a loss of the state offsite recover brings the bucket back, and none of its keys";

/** What `~/.ssh/id_ed25519.pub` holds, where age can encrypt to it. */
export function ownPublicKey(): string[] {
  try {
    const key = readFileSync(join(homedir(), ".ssh", "id_ed25519.pub"), "utf8").trim();
    return sealKey.safeParse(key).success ? [key] : [];
  } catch {
    return [];
  }
}
