/** The rules for Cloudflare R2: its buckets, what locks them, and the tokens that open them. */
import { UNFINISHED_DAYS } from "../../config/lifecycle.ts";
import {
  error,
  warning,
  type ResourceFacts,
  type ResourceRule,
  type StackRule,
  type Verdict,
} from "../model.ts";
import { targetOf } from "../names.ts";
import { R2_BUCKET, R2_CUSTOM_DOMAIN, R2_LIFECYCLE, R2_LOCK, R2_MANAGED_DOMAIN } from "../types.ts";
import { asList, isObject, isUnseen, shown } from "../values.ts";
import { LEAST_DAYS } from "./b2-bucket.ts";

const DAY_SECONDS = 86_400;

export const noPublicR2Bucket: ResourceRule = {
  name: "no-public-r2-bucket",
  description: "No address of the internet shows what is in a bucket at R2",
  of: "resource",
  judge: (resource) => {
    const { type, name, inputs } = resource;
    if (type !== R2_MANAGED_DOMAIN && type !== R2_CUSTOM_DOMAIN) return [];
    if (inputs.enabled === false) return [];
    const where = type === R2_MANAGED_DOMAIN ? "at r2.dev" : `at ${shown(inputs.domain)}`;
    const message = `it makes the bucket ${shown(inputs.bucketName)} public ${where}: enabled is ${shown(inputs.enabled)}, must be false. Remove it`;
    return [error(resource, `the domain "${name}"`, message)];
  },
};

export const r2LifecycleKeeps: ResourceRule = {
  name: "r2-lifecycle-keeps",
  description: "No lifecycle rule at R2 deletes backups, or uploads that still go on",
  of: "resource",
  judge: (resource) => {
    if (resource.type !== R2_LIFECYCLE) return [];
    const subject = `the lifecycle of ${targetOf(resource.name)}`;
    const rules = asList(resource.inputs.rules);
    if (rules === undefined || !rules.every(isObject) || rules.some(isUnseen)) {
      const message = `rules is ${shown(resource.inputs.rules)}, must be a list that can be judged`;
      return [warning(resource, subject, message)];
    }
    return rules.flatMap(lifecycleProblems).map((message) => error(resource, subject, message));
  },
};

function lifecycleProblems(rule: Readonly<Record<string, unknown>>): string[] {
  if (rule.enabled === false) return [];
  const id = shown(rule.id);
  const problems: string[] = [];
  if (isObject(rule.deleteObjectsTransition)) {
    problems.push(
      `the rule ${id} deletes objects by their age, backups in use among them. Remove deleteObjectsTransition`,
    );
  }
  const abort = rule.abortMultipartUploadsTransition;
  const condition = isObject(abort) ? abort.condition : undefined;
  const maxAge = isObject(condition) ? condition.maxAge : undefined;
  if (typeof maxAge === "number" && maxAge < UNFINISHED_DAYS * DAY_SECONDS) {
    problems.push(
      `the rule ${id} cancels uploads after ${maxAge} seconds, must be at least ${UNFINISHED_DAYS * DAY_SECONDS}: a first upload over a slow line takes that long`,
    );
  }
  return problems;
}

export const r2Locked: StackRule = {
  name: "r2-lock-kept",
  description: `A lock rule keeps everything in a bucket at R2 for at least ${LEAST_DAYS} days`,
  of: "stack",
  judge: (resources) =>
    resources
      .filter(({ type }) => type === R2_BUCKET)
      .flatMap((bucket) => lockProblems(bucket, resources)),
};

function lockProblems(bucket: ResourceFacts, resources: readonly ResourceFacts[]): Verdict[] {
  const subject = `the bucket of ${targetOf(bucket.name)}`;
  const locks = resources.filter(({ type }) => type === R2_LOCK).filter(isLockOf(bucket));
  const why = "R2 hides nothing, so that without it whoever has the hub's token destroys all";
  if (locks.length === 0) {
    return [error(bucket, subject, `it has no lock (R2BucketLock), and must have one: ${why}`)];
  }
  const problems = locks.map(({ inputs }) => {
    const rules = asList(inputs.rules);
    if (rules === undefined || rules.some(isUnseen)) return [`rules is ${shown(inputs.rules)}`];
    if (rules.length === 0) return ["rules is an empty list"];
    return rules.map(weakness);
  });
  if (problems.flat().some((problem) => problem === undefined)) return [];
  const what = problems.flat().join("; ");
  const message = `no rule of its lock keeps the whole bucket for at least ${LEAST_DAYS} days (${what}): ${why}. Set keepHiddenDays of the target to ${LEAST_DAYS} or more, or to "forever"`;
  return [error(bucket, subject, message)];
}

/** Whether a lock is for a bucket: another jurisdiction has other buckets of the same names. */
function isLockOf(bucket: ResourceFacts): (lock: ResourceFacts) => boolean {
  const place = ({ inputs }: ResourceFacts) =>
    `${shown(inputs.accountId)} ${shown(inputs.jurisdiction ?? "default")}`;
  return (lock) => {
    const { bucketName } = lock.inputs;
    if (isUnseen(bucketName) || isUnseen(bucket.inputs.name)) {
      return targetOf(lock.name) === targetOf(bucket.name);
    }
    return bucketName === bucket.inputs.name && place(lock) === place(bucket);
  };
}

/** Why a lock's rule is not enough; undefined where it is. */
function weakness(rule: unknown): string | undefined {
  if (!isObject(rule)) return `a rule is ${shown(rule)}`;
  const id = `the rule ${shown(rule.id)}`;
  if (rule.enabled !== true) return `${id}: enabled is ${shown(rule.enabled)}`;
  if ((rule.prefix ?? "") !== "") return `${id} is for ${shown(rule.prefix)} alone`;
  const condition = isObject(rule.condition) ? rule.condition : {};
  const { type, maxAgeSeconds } = condition;
  if (type === "Indefinite") return undefined;
  if (type !== "Age") return `${id}: its condition is ${shown(type)}`;
  const enough = typeof maxAgeSeconds === "number" && maxAgeSeconds >= LEAST_DAYS * DAY_SECONDS;
  return enough ? undefined : `${id}: maxAgeSeconds is ${shown(maxAgeSeconds)}`;
}
