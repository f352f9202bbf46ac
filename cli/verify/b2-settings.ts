/** A bucket's settings as they are, against what the stack sets. */
import { UNFINISHED_DAYS } from "../../config/lifecycle.ts";
import type { Bucket, LifecycleRule } from "../../sdks/b2/client/types.ts";
import { bucketProblems } from "../../hub/targets/b2-bucket.ts";
import { excerpt } from "../../hub/format.ts";
import type { Check } from "./checks.ts";

const REMEDY = "Run pulumi up --refresh";

/**
 * Judges them.
 *
 * @param keepHiddenDays - for how long what was hidden stays: the only thing that a rule may say.
 * @returns what was seen, in a few words.
 */
export function judgeSettings(bucket: Bucket, keepHiddenDays: number, check: Check): string {
  const name = `the bucket "${bucket.bucketName}"`;
  const seen = [bucket.bucketType === "allPrivate" ? "private" : bucket.bucketType];
  const problems = bucketProblems(bucket, keepHiddenDays);
  for (const problem of problems) check.error(problem);
  const rules = bucket.lifecycleRules ?? [];
  if (rules.some((rule) => isAsSet(rule, keepHiddenDays))) {
    seen.push(`hidden files stay ${keepHiddenDays} days`);
  } else if (problems.length === 0) {
    check.error(
      `no lifecycle rule of ${name} deletes hidden files after ${keepHiddenDays} days: nothing is ever freed. ${REMEDY}`,
    );
  }
  // What is dangerous has been told.
  const strange = rules.filter((rule) => {
    const alone = { ...bucket, bucketType: "allPrivate", lifecycleRules: [rule] };
    const isTold = bucketProblems(alone, keepHiddenDays).length > 0;
    return !isAsSet(rule, keepHiddenDays) && !isTold;
  });
  for (const rule of strange) {
    check.error(
      `${name} has a lifecycle rule that the stack does not set: ${shown(rule)}. ${REMEDY}`,
    );
  }
  const encryption = bucket.defaultServerSideEncryption;
  if (encryption?.isClientAuthorizedToRead !== true) {
    check.notice("whether new files are encrypted at rest cannot be seen with this key");
  } else if (encryption.value?.mode === "SSE-B2") seen.push("SSE-B2");
  else check.error(`${name} does not encrypt at rest: its default is not SSE-B2. ${REMEDY}`);
  judgeLock(bucket, name, check);
  const replicas = bucket.replicationConfiguration?.value?.asReplicationSource?.replicationRules;
  for (const { destinationBucketId } of replicas ?? []) {
    check.error(
      `${name} is replicated to the bucket ${excerpt(destinationBucketId)}, which the stack does not set: whose is that? Take the rule away at Backblaze, under Cloud Replication`,
    );
  }
  if ((bucket.corsRules ?? []).length > 0) {
    check.notice(`${name} has CORS rules, which the stack does not set`);
  }
  return seen.join(", ");
}

/** The stack sets no object lock. */
function judgeLock({ fileLockConfiguration: lock }: Bucket, name: string, check: Check): void {
  if (lock?.isClientAuthorizedToRead !== true || lock.value?.isFileLockEnabled !== true) return;
  const mode = lock.value.defaultRetention?.mode;
  if (mode == null) {
    check.notice(`${name} has object lock enabled, which the stack does not set`);
  } else {
    check.error(
      `${name} locks new files by default (${mode}), which the stack does not set: they cannot be deleted when their time has come, and are paid for. Take the default retention away at Backblaze`,
    );
  }
}

function isAsSet(rule: LifecycleRule, keepHiddenDays: number): boolean {
  return (
    rule.fileNamePrefix === "" &&
    rule.daysFromHidingToDeleting === keepHiddenDays &&
    !rule.daysFromUploadingToHiding &&
    rule.daysFromStartingToCancelingUnfinishedLargeFiles === UNFINISHED_DAYS
  );
}

function shown(rule: LifecycleRule): string {
  const days = [
    ["hidden after", rule.daysFromUploadingToHiding],
    ["deleted when hidden for", rule.daysFromHidingToDeleting],
    ["unfinished ones cancelled after", rule.daysFromStartingToCancelingUnfinishedLargeFiles],
  ] as const;
  const said = days.flatMap(([what, count]) => (count ? [`${what} ${count} days`] : []));
  const which =
    rule.fileNamePrefix === ""
      ? "all files"
      : `files that begin with "${excerpt(rule.fileNamePrefix)}"`;
  return `${which} ${said.join(", ")}`;
}
