import { Checker, quote, type Problem } from "./check.ts";
import type { Properties } from "./wire.ts";

const inputs = [
  "b2ApplicationKeyId",
  "bucketId",
  "bucketIds",
  "capabilities",
  "keyName",
  "namePrefix",
  "validDurationInSeconds",
];

// Backblaze's page "Application key capabilities".
const accountCapabilities = [
  "listKeys",
  "writeKeys",
  "deleteKeys",
  "writeBuckets",
  "deleteBuckets",
];
const bucketCapabilities = [
  "listAllBucketNames",
  "listBuckets",
  "readBuckets",
  "readBucketEncryption",
  "writeBucketEncryption",
  "readBucketRetentions",
  "writeBucketRetentions",
  "readBucketLifecycleRules",
  "writeBucketLifecycleRules",
  "readBucketLogging",
  "writeBucketLogging",
  "readBucketNotifications",
  "writeBucketNotifications",
  "readBucketReplications",
  "writeBucketReplications",
  "listFiles",
  "readFiles",
  "shareFiles",
  "writeFiles",
  "deleteFiles",
  "readFileLegalHolds",
  "writeFileLegalHolds",
  "readFileRetentions",
  "writeFileRetentions",
  "bypassGovernance",
];
const known = [...accountCapabilities, ...bucketCapabilities];

/** All that is wrong with a key's inputs, by Backblaze's documented limits. */
export function checkApplicationKey(news: Properties): Problem[] {
  const c = new Checker();
  c.knownMembers("", news, inputs);
  if (news.b2ApplicationKeyId !== undefined) {
    c.add("b2ApplicationKeyId", "is given by the service; leave it out");
  }
  const name = c.string("keyName", news.keyName, true);
  if (name !== undefined && !/^[A-Za-z0-9-]{1,100}$/.test(name)) {
    c.add("keyName", `got ${quote(name)}, must be 1 to 100 letters, digits and hyphens`);
  }
  const restricted = checkBuckets(c, news);
  checkCapabilities(c, news, restricted);
  const prefix = c.string("namePrefix", news.namePrefix);
  if (prefix && !restricted) {
    c.add("namePrefix", "needs bucketIds: only a key of named buckets can be held to a prefix");
  }
  c.integer("validDurationInSeconds", news.validDurationInSeconds, 1, 86_400_000);
  return c.problems;
}

// Whether the key is restricted to buckets, which it is when that is only to be known later.
function checkBuckets(c: Checker, news: Properties): boolean {
  const { bucketId, bucketIds } = news;
  if (bucketId !== undefined && bucketIds !== undefined) {
    c.add("bucketId", "excludes bucketIds: use bucketIds alone");
  }
  if (c.string("bucketId", bucketId) === "") {
    c.add("bucketId", "is empty: leave it out for a key that reaches every bucket");
  }
  const ids = c.strings("bucketIds", bucketIds);
  // To the service an empty list means every bucket; hardly what an empty list was meant to say.
  if (Array.isArray(bucketIds) && bucketIds.length === 0) {
    c.add("bucketIds", "is empty: leave it out for a key that reaches every bucket");
  }
  ids?.forEach((id, index) => {
    if (id === "") c.add(`bucketIds[${index}]`, "is empty, must be a bucket's id");
  });
  return bucketId !== undefined || bucketIds !== undefined;
}

function checkCapabilities(c: Checker, news: Properties, restricted: boolean): void {
  const list = c.list("capabilities", news.capabilities, true);
  if (list?.length === 0) c.add("capabilities", "is empty, must have at least one entry");
  list?.forEach((item, index) => {
    const path = `capabilities[${index}]`;
    const capability = c.string(path, item, true);
    if (capability === undefined) return;
    if (!known.includes(capability)) {
      const near = known.find((other) => other.toLowerCase() === capability.toLowerCase());
      const hint = near ? `; ${quote(near)} is meant?` : `, must be one of ${known.join(", ")}`;
      c.add(path, `got ${quote(capability)}, which does not exist${hint}`);
    } else if (restricted && accountCapabilities.includes(capability)) {
      c.add(
        path,
        `got ${quote(capability)}, which works for the whole account only: ` +
          "leave out bucketIds, or this capability",
      );
    }
  });
}
