/** The rules for application keys at Backblaze B2. */
import { B2_CAPABILITIES } from "../../credentials/b2-capabilities.ts";
import { error, warning, type ResourceFacts, type ResourceRule, type Verdict } from "../model.ts";
import { keyNameOf, keyWords } from "../names.ts";
import { B2_BUCKET, B2_KEY } from "../types.ts";
import { asList, isUnseen, shown } from "../values.ts";

/** What destroys data, or lets its holder change what protects it. */
const DESTRUCTIVE: ReadonlySet<string> = new Set([
  "all",
  "bypassGovernance",
  "deleteBuckets",
  "deleteFiles",
  "deleteKeys",
  "writeBucketLifecycleRules",
  "writeBucketReplications",
  "writeBucketRetentions",
  "writeBuckets",
  "writeFileLegalHolds",
  "writeFileRetentions",
  "writeKeys",
]);

/** Applies a judgement to application keys and to nothing else. */
const ofKeys =
  (judge: (key: ResourceFacts, subject: string) => Verdict[]) =>
  (resource: ResourceFacts): Verdict[] =>
    resource.type === B2_KEY ? judge(resource, keyWords(resource.name)) : [];

/** The capabilities of a key; undefined where they cannot all be seen. */
function capabilitiesOf({ inputs }: ResourceFacts): string[] | undefined {
  const list = asList(inputs.capabilities);
  const names = list?.filter((each) => typeof each === "string" && !isUnseen(each));
  return names?.length === list?.length ? (names as string[] | undefined) : undefined;
}

function quoted(names: readonly string[]): string {
  return names.map(shown).join(", ");
}

export const noKeyThatDeletes: ResourceRule = {
  name: "no-key-that-deletes",
  description: "No key at B2 destroys data or changes what protects it",
  of: "resource",
  judge: ofKeys((key, subject) => {
    const capabilities = capabilitiesOf(key);
    if (capabilities === undefined) {
      const message = `its capabilities are ${shown(key.inputs.capabilities)}, and a key that cannot be judged must not be made. Give them as a plain list`;
      return [error(key, subject, message)];
    }
    const bad = capabilities.filter((name) => DESTRUCTIVE.has(name));
    if (bad.length === 0) return [];
    return [
      error(
        key,
        subject,
        `it has ${quoted(bad)}, with which a thief destroys the backups. No key of hub or hosts has that: take it away`,
      ),
    ];
  }),
};

export const restoreKeysReadOnly: ResourceRule = {
  name: "restore-keys-read-only",
  description: "A key for restoring reads and does nothing else",
  of: "resource",
  judge: ofKeys((key, subject) => {
    if (keyNameOf(key.name).purpose !== "restore") return [];
    const bad = beyond(key, B2_CAPABILITIES.restore);
    if (bad.length === 0) return [];
    const message = `it has ${quoted(bad)}, must have at most ${quoted(B2_CAPABILITIES.restore)}: every host holds such a key. Take it away`;
    return [error(key, subject, message)];
  }),
};

export const keysDoNoMore: ResourceRule = {
  name: "keys-do-no-more",
  description: "A key has no capability beyond those of its purpose",
  of: "resource",
  judge: ofKeys((key, subject) => {
    const { purpose } = keyNameOf(key.name);
    // Those for restoring, and what destroys, have rules of their own.
    if (purpose === "restore") return [];
    const allowed = B2_CAPABILITIES[purpose ?? "sync"];
    const bad = beyond(key, allowed).filter((name) => !DESTRUCTIVE.has(name));
    if (bad.length > 0) {
      const what = purpose === undefined ? "a key" : `a ${purpose} key`;
      const message = `it has ${quoted(bad)}, and ${what} has at most ${quoted(allowed)}. Take it away`;
      return [error(key, subject, message)];
    }
    if (purpose !== undefined) return [];
    const message = `its name does not say what it is for, so that all that is known is that it can do no more than a sync key. Name it "<target>-<sync, hub-restore, hub-monitor or restore-host>-g<generation>"`;
    return [warning(key, subject, message)];
  }),
};

/** The capabilities that are not among those that are allowed. */
function beyond(key: ResourceFacts, allowed: readonly string[]): string[] {
  return (capabilitiesOf(key) ?? []).filter((name) => !allowed.includes(name));
}

export const keysRestricted: ResourceRule = {
  name: "keys-restricted-to-their-bucket",
  description: "A key opens its own target's bucket alone, and a host's key that host's part of it",
  of: "resource",
  judge: ofKeys((key, subject) =>
    [...bucketProblems(key), ...prefixProblems(key)].map((message) => error(key, subject, message)),
  ),
};

function bucketProblems(key: ResourceFacts): string[] {
  const { bucketIds, bucketId } = key.inputs;
  const list = asList(bucketIds);
  const one = typeof bucketId === "string" && bucketId !== "" ? [bucketId] : [];
  // The ID of a bucket that is yet to be made is unknown, and is one all the same.
  const ids = [...new Set([...(list ?? []), ...one])];
  const way = "Set bucketIds to the target's own bucket";
  if (ids.length === 0) {
    const is = isUnseen(bucketIds) ? shown(bucketIds) : "empty";
    return [`bucketIds is ${is}: a key without a bucket opens every bucket of the account. ${way}`];
  }
  if (ids.length > 1) return [`it opens ${ids.length} buckets, must be one. ${way}`];
  if (ids[0] === "") return [`bucketIds holds an empty ID. ${way}`];
  return foreignBucket(key).map((name) => `it opens ${name}. ${way}`);
}

/** A bucket that is not the target's own, in words; as far as can be seen. */
function foreignBucket({ name, dependencies, inputs }: ResourceFacts): string[] {
  if (dependencies === undefined) return [];
  const from = [...(dependencies.bucketIds ?? []), ...(dependencies.bucketId ?? [])];
  const buckets = from.filter((urn) => urn.includes(`${B2_BUCKET}::`));
  if (buckets.length === 0) {
    const given = asList(inputs.bucketIds)?.[0] ?? inputs.bucketId;
    return [`the bucket ${shown(given)}, which is none of this stack's`];
  }
  const { target } = keyNameOf(name);
  return buckets
    .map((urn) => urn.slice(urn.lastIndexOf("::") + 2))
    .filter((bucket) => bucket !== `${target}-bucket`)
    .map((bucket) => `"${bucket}", another target's bucket`);
}

function prefixProblems({ name, inputs }: ResourceFacts): string[] {
  const { host } = keyNameOf(name);
  if (host === undefined || inputs.namePrefix === `${host}/`) return [];
  return [
    `namePrefix is ${shown(inputs.namePrefix)}, must be "${host}/": with ${host}'s key nobody reads another host's repository. Set it`,
  ];
}
