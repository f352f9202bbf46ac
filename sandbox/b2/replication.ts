import { isObject } from "./fields.ts";
import type { BucketRecord, Encryption, FileRecord } from "./model.ts";

/**
 * @returns `pending` for a new file that a replication rule of its bucket covers; SSE-C files are not
 *   replicated
 */
export function replicationStatus(
  bucket: BucketRecord,
  fileName: string,
  encryption: Encryption,
): FileRecord["replicationStatus"] {
  const rules = bucket.replication?.asReplicationSource?.replicationRules;
  if (!Array.isArray(rules) || encryption.mode === "SSE-C") return null;
  const covered = rules.some((rule: unknown) => {
    if (!isObject(rule) || rule.isEnabled === false) return false;
    const prefix = rule.fileNamePrefix;
    return fileName.startsWith(typeof prefix === "string" ? prefix : "");
  });
  return covered ? "pending" : null;
}
