/** The rules for a bucket at Backblaze B2. */
import { UNFINISHED_DAYS } from "../../config/lifecycle.ts";
import { error, warning, type ResourceFacts, type ResourceRule, type Verdict } from "../model.ts";
import { targetOf } from "../names.ts";
import { B2_BUCKET } from "../types.ts";
import { asList, isObject, isUnseen, shown } from "../values.ts";

/** Days for which what was hidden must at least be recoverable: a week's absence. */
export const LEAST_DAYS = 7;

/** The bucket in the user's words. */
function subjectOf({ name }: ResourceFacts): string {
  return `the bucket of ${targetOf(name)}`;
}

/** Applies a judgement to buckets at B2 and to nothing else. */
const ofBuckets =
  (judge: (bucket: ResourceFacts, subject: string) => Verdict[]) =>
  (resource: ResourceFacts): Verdict[] =>
    resource.type === B2_BUCKET ? judge(resource, subjectOf(resource)) : [];

export const noPublicB2Bucket: ResourceRule = {
  name: "no-public-bucket",
  description: "Nobody reads a bucket without a key",
  of: "resource",
  judge: ofBuckets((bucket, subject) => {
    const { bucketType } = bucket.inputs;
    if (bucketType === "allPrivate") return [];
    return [
      error(
        bucket,
        subject,
        `bucketType is ${shown(bucketType)}, must be "allPrivate": names and sizes alone tell a thief much. Set it back`,
      ),
    ];
  }),
};

export const b2Encrypted: ResourceRule = {
  name: "encryption-on",
  description: "A bucket encrypts what is put into it",
  of: "resource",
  judge: ofBuckets((bucket, subject) => {
    const encryption = bucket.inputs.defaultServerSideEncryption;
    const mode = isObject(encryption) ? encryption.mode : encryption;
    if (mode === "SSE-B2") return [];
    return [
      error(
        bucket,
        subject,
        `defaultServerSideEncryption is ${shown(mode)}, must be { mode: "SSE-B2", algorithm: "AES256" }. Set it`,
      ),
    ];
  }),
};

export const b2HiddenVersionsKept: ResourceRule = {
  name: "hidden-versions-kept",
  description: `What is hidden or overwritten at B2 can be brought back for at least ${LEAST_DAYS} days`,
  of: "resource",
  judge: ofBuckets((bucket, subject) => {
    const { lifecycleRules } = bucket.inputs;
    const rules = asList(lifecycleRules) ?? [];
    if (rules.length === 0 || rules.some((rule) => !isObject(rule) || isUnseen(rule))) {
      return [
        error(
          bucket,
          subject,
          `lifecycleRules is ${shown(lifecycleRules)}, must have a rule for the whole bucket with daysFromHidingToDeleting of at least ${LEAST_DAYS}. Set keepHiddenDays of the target`,
        ),
      ];
    }
    return ruleProblems(rules.filter(isObject)).map(({ severity, message }) =>
      (severity === "error" ? error : warning)(bucket, subject, message),
    );
  }),
};

type LifecycleRule = Readonly<Record<string, unknown>>;

/** Days as B2 takes them: 0 and nothing are the same. */
function days(value: unknown): number | undefined {
  return typeof value === "number" && value > 0 ? value : undefined;
}

function ruleProblems(rules: readonly LifecycleRule[]): Pick<Verdict, "severity" | "message">[] {
  const problems = rules.flatMap(shortRule);
  const whole = rules.filter(({ fileNamePrefix }) => (fileNamePrefix ?? "") === "");
  if (whole.length === 0) {
    const prefixes = rules.map(({ fileNamePrefix }) => shown(fileNamePrefix)).join(", ");
    problems.push({
      severity: "error",
      message: `lifecycleRules are for ${prefixes} alone, and must have one for the whole bucket: fileNamePrefix ""`,
    });
  } else if (whole.every((rule) => isAbsent(rule.daysFromHidingToDeleting))) {
    problems.push({
      severity: "error",
      message: `no lifecycle rule says when hidden versions go, so that nothing ever goes and the costs grow without end. Set daysFromHidingToDeleting to at least ${LEAST_DAYS} (keepHiddenDays of the target)`,
    });
  }
  if (
    whole.length > 0 &&
    whole.every((rule) => isAbsent(rule.daysFromStartingToCancelingUnfinishedLargeFiles))
  ) {
    problems.push({
      severity: "warning",
      message: `no lifecycle rule frees what cut off uploads leave: it costs for ever. Set daysFromStartingToCancelingUnfinishedLargeFiles to ${UNFINISHED_DAYS}`,
    });
  }
  return problems;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === 0;
}

/** What one rule does too early, whatever the prefix. */
function shortRule(rule: LifecycleRule): Pick<Verdict, "severity" | "message">[] {
  const at = `the lifecycle rule for ${shown(rule.fileNamePrefix ?? "")}`;
  const problems: string[] = [];
  const hidden = rule.daysFromHidingToDeleting;
  if (!isAbsent(hidden) && (days(hidden) ?? 0) < LEAST_DAYS) {
    problems.push(
      `${at} deletes hidden versions after ${shown(hidden)} days, must be at least ${LEAST_DAYS}: so long a theft can be undone. Raise keepHiddenDays of the target`,
    );
  }
  if (!isAbsent(rule.daysFromUploadingToHiding)) {
    problems.push(
      `${at} hides files ${shown(rule.daysFromUploadingToHiding)} days after their upload, backups in use among them. Remove daysFromUploadingToHiding`,
    );
  }
  const unfinished = rule.daysFromStartingToCancelingUnfinishedLargeFiles;
  if (!isAbsent(unfinished) && (days(unfinished) ?? 0) < UNFINISHED_DAYS) {
    problems.push(
      `${at} cancels uploads after ${shown(unfinished)} days, must be at least ${UNFINISHED_DAYS}: a first upload over a slow line takes that long`,
    );
  }
  return problems.map((message) => ({ severity: "error", message }));
}
