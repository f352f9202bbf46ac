import type { Bucket } from "../../sdks/b2/client/types.ts";

/**
 * What is wrong with a bucket that keeps backups: one line each.
 *
 * @param keepHiddenDays - for how many days a hidden version must stay.
 */
export function bucketProblems(bucket: Bucket, keepHiddenDays: number): string[] {
  const problems: string[] = [];
  const name = `the bucket "${bucket.bucketName}"`;
  if (bucket.bucketType !== "allPrivate") {
    problems.push(
      `${name} is of type ${bucket.bucketType}: it must be private. Run pulumi up --refresh`,
    );
  }
  for (const rule of bucket.lifecycleRules ?? []) {
    const files = `files that begin with "${rule.fileNamePrefix}"`;
    const hiding = rule.daysFromUploadingToHiding ?? 0;
    const deleting = rule.daysFromHidingToDeleting ?? 0;
    if (hiding > 0) {
      problems.push(
        `a lifecycle rule of ${name} hides ${files} ${hiding} days after they were sent, backups or not. Run pulumi up --refresh`,
      );
    }
    if (deleting > 0 && deleting < keepHiddenDays) {
      problems.push(
        `a lifecycle rule of ${name} deletes hidden ${files} after ${deleting} days instead of ${keepHiddenDays}. Run pulumi up --refresh`,
      );
    }
  }
  return problems;
}
