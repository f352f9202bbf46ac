import { Checker, quote, type Problem } from "./check.ts";
import { Unknown, type Properties, type Value } from "./wire.ts";

const inputs = [
  "b2BucketId",
  "bucketInfo",
  "bucketName",
  "bucketType",
  "corsRules",
  "defaultServerSideEncryption",
  "fileLockConfigurations",
  "lifecycleRules",
];
const corsOperations = [
  "b2_download_file_by_id",
  "b2_download_file_by_name",
  "b2_upload_file",
  "b2_upload_part",
  "s3_delete",
  "s3_get",
  "s3_head",
  "s3_post",
  "s3_put",
];
const dayMembers = [
  "daysFromHidingToDeleting",
  "daysFromUploadingToHiding",
  "daysFromStartingToCancelingUnfinishedLargeFiles",
];
const maxRules = 100;

/** All that is wrong with a bucket's inputs, by Backblaze's documented limits. */
export function checkBucket(news: Properties, olds: Properties): Problem[] {
  const c = new Checker();
  c.knownMembers("", news, inputs);
  if (news.b2BucketId !== undefined) c.add("b2BucketId", "is given by the service; leave it out");
  checkName(c, news.bucketName);
  c.oneOf("bucketType", news.bucketType, ["allPrivate", "allPublic"], true);
  checkInfo(c, news.bucketInfo);
  checkCors(c, news.corsRules);
  checkEncryption(c, news.defaultServerSideEncryption, olds.defaultServerSideEncryption);
  checkLock(c, news.fileLockConfigurations);
  checkLifecycle(c, news.lifecycleRules);
  return c.problems;
}

function checkName(c: Checker, value: Value | undefined): void {
  const name = c.string("bucketName", value, true);
  if (name === undefined) return;
  if (!/^[A-Za-z0-9-]{6,63}$/.test(name)) {
    c.add("bucketName", `got ${quote(name)}, must be 6 to 63 letters, digits and hyphens`);
  }
  if (/^b2-/i.test(name)) {
    c.add("bucketName", `got ${quote(name)}, must not start with "b2-", which is Backblaze's own`);
  }
}

function checkInfo(c: Checker, value: Value | undefined): void {
  const info = c.object("bucketInfo", value);
  if (info === undefined) return;
  const entries = Object.entries(info);
  if (entries.length > 10) c.add("bucketInfo", `has ${entries.length} pairs, must be at most 10`);
  let bytes = 0;
  for (const [key, item] of entries) {
    const path = `bucketInfo[${JSON.stringify(key)}]`;
    if (key === "" || Buffer.byteLength(key) > 50) c.add(path, "key must be 1 to 50 bytes long");
    if (/^b2-/i.test(key)) c.add(path, 'key must not start with "b2-", which is Backblaze\'s own');
    bytes += Buffer.byteLength(c.string(path, item, true) ?? "");
  }
  if (bytes > 10_000) {
    c.add("bucketInfo", `values are ${bytes} bytes together, must be at most 10,000`);
  }
}

function checkCors(c: Checker, value: Value | undefined): void {
  const rules = c.list("corsRules", value);
  if (rules === undefined) return;
  if (rules.length > maxRules) {
    c.add("corsRules", `has ${rules.length} rules, must be at most ${maxRules}`);
  }
  const names = new Map<string, number>();
  rules.forEach((item, index) => {
    const path = `corsRules[${index}]`;
    const rule = c.object(path, item, true);
    if (rule === undefined) return;
    c.knownMembers(path, rule, [
      "corsRuleName",
      "allowedOrigins",
      "allowedOperations",
      "allowedHeaders",
      "exposeHeaders",
      "maxAgeSeconds",
    ]);
    const name = c.string(`${path}.corsRuleName`, rule.corsRuleName, true);
    if (name !== undefined) {
      if (!/^[A-Za-z0-9-]{6,63}$/.test(name) || /^b2-/i.test(name)) {
        c.add(
          `${path}.corsRuleName`,
          `got ${quote(name)}, must be 6 to 63 letters, digits and hyphens, not starting with "b2-"`,
        );
      }
      const first = names.get(name);
      if (first === undefined) names.set(name, index);
      else c.add(`${path}.corsRuleName`, `is the name of corsRules[${first}] too: must be unique`);
    }
    for (const member of ["allowedOrigins", "allowedOperations"]) {
      const list = c.strings(`${path}.${member}`, rule[member], true);
      if (list?.length === 0 && Array.isArray(rule[member]) && rule[member].length === 0) {
        c.add(`${path}.${member}`, "is empty, must have at least one entry");
      }
      if (member !== "allowedOperations") continue;
      list?.forEach((operation, at) =>
        c.oneOf(`${path}.${member}[${at}]`, operation, corsOperations),
      );
    }
    c.strings(`${path}.allowedHeaders`, rule.allowedHeaders);
    c.strings(`${path}.exposeHeaders`, rule.exposeHeaders);
    c.integer(`${path}.maxAgeSeconds`, rule.maxAgeSeconds, 0, 86_400, true);
    const bytes = Buffer.byteLength(JSON.stringify(rule));
    if (bytes >= 1_000) c.add(path, `is ${bytes} bytes as JSON, must be under 1,000`);
  });
}

function checkEncryption(c: Checker, value: Value | undefined, old: Value | undefined): void {
  const path = "defaultServerSideEncryption";
  const sse = c.object(path, value);
  if (sse === undefined) return;
  c.knownMembers(path, sse, ["mode", "algorithm"]);
  const mode = c.oneOf(`${path}.mode`, sse.mode, ["SSE-B2", "none"]);
  c.oneOf(`${path}.algorithm`, sse.algorithm, mode === "none" ? ["AES256", ""] : ["AES256"]);
  const oldMode = typeof old === "object" && old !== null ? (old as Properties).mode : undefined;
  if (mode === "none" && oldMode !== "none") {
    c.add(
      `${path}.mode`,
      'got "none", but Backblaze encrypts every bucket by now; leave defaultServerSideEncryption out',
    );
  }
}

function checkLock(c: Checker, value: Value | undefined): void {
  const list = c.list("fileLockConfigurations", value);
  if (list === undefined) return;
  if (list.length > 1) {
    c.add("fileLockConfigurations", `has ${list.length} entries, must be at most one`);
  }
  list.forEach((item, index) => {
    const path = `fileLockConfigurations[${index}]`;
    const lock = c.object(path, item, true);
    if (lock === undefined) return;
    c.knownMembers(path, lock, ["isFileLockEnabled", "defaultRetention"]);
    c.boolean(`${path}.isFileLockEnabled`, lock.isFileLockEnabled);
    const retention = c.object(`${path}.defaultRetention`, lock.defaultRetention);
    if (retention === undefined) return;
    const enabled = lock.isFileLockEnabled;
    if (enabled !== true && !(enabled instanceof Unknown)) {
      c.add(`${path}.defaultRetention`, "needs isFileLockEnabled: true");
    }
    checkRetention(c, `${path}.defaultRetention`, retention);
  });
}

function checkRetention(c: Checker, path: string, retention: Properties): void {
  c.knownMembers(path, retention, ["mode", "period"]);
  const mode = c.oneOf(`${path}.mode`, retention.mode, ["governance", "compliance", "none"], true);
  const needsPeriod = mode === "governance" || mode === "compliance";
  const period = c.object(`${path}.period`, retention.period, needsPeriod);
  if (period === undefined) return;
  if (mode === "none") c.add(`${path}.period`, 'has no meaning with mode "none"; leave it out');
  c.knownMembers(`${path}.period`, period, ["duration", "unit"]);
  c.integer(`${path}.period.duration`, period.duration, 1, Number.MAX_SAFE_INTEGER, true);
  c.oneOf(`${path}.period.unit`, period.unit, ["days", "years"], true);
}

function checkLifecycle(c: Checker, value: Value | undefined): void {
  const rules = c.list("lifecycleRules", value);
  if (rules === undefined) return;
  if (rules.length > maxRules) {
    c.add("lifecycleRules", `has ${rules.length} rules, must be at most ${maxRules}`);
  }
  const prefixes: { prefix: string; index: number }[] = [];
  rules.forEach((item, index) => {
    const path = `lifecycleRules[${index}]`;
    const rule = c.object(path, item, true);
    if (rule === undefined) return;
    c.knownMembers(path, rule, ["fileNamePrefix", ...dayMembers]);
    // 0 means never, as in the Terraform provider.
    const days = dayMembers.map((member) =>
      c.integer(`${path}.${member}`, rule[member], 0, Number.MAX_SAFE_INTEGER),
    );
    const undecided = dayMembers.some(
      (member) => rule[member] instanceof Unknown || isWrong(rule[member]),
    );
    if (!undecided && days.every((day) => day === undefined || day === 0)) {
      c.add(path, `says nothing: set at least one of ${dayMembers.join(", ")}`);
    }
    const prefix = c.string(`${path}.fileNamePrefix`, rule.fileNamePrefix, true);
    if (prefix === undefined) return;
    const other = prefixes.find((p) => p.prefix.startsWith(prefix) || prefix.startsWith(p.prefix));
    if (other) {
      c.add(
        `${path}.fileNamePrefix`,
        `got ${quote(prefix)}, which overlaps with ${quote(other.prefix)} of ` +
          `lifecycleRules[${other.index}]: a file may fall under one rule only`,
      );
    }
    prefixes.push({ prefix, index });
  });
}

// Already reported by its own check.
function isWrong(value: Value | undefined): boolean {
  return (
    value !== undefined && (typeof value !== "number" || !Number.isInteger(value) || value < 0)
  );
}
