import {
  countFileVersions,
  createBucket,
  deleteBucket,
  findBucket,
  updateBucket,
} from "../client/buckets.ts";
import type { Client } from "../client/client.ts";
import { hasCode, OutcomeUnknownError, UserError } from "../client/errors.ts";
import type { Bucket } from "../client/types.ts";
import { checkBucket } from "./bucketCheck.ts";
import { normalize, toInputs, toOutputs, toRetention, toSettings } from "./bucketModel.ts";
import { differences, type Difference } from "./diff.ts";
import { noteNewBucket } from "./keyLedger.ts";
import {
  InitFailedError,
  isUnresolved,
  unresolvedId,
  type DiffResult,
  type ReadState,
  type Resource,
  type State,
} from "./resource.ts";
import { unknown, type Properties } from "./wire.ts";

/** `b2:index/bucket:Bucket`. */
export const bucketResource: Resource = {
  secretOutputs: [],
  check: checkBucket,
  diff: diffBucket,
  preview: previewBucket,
  create,
  read,
  update,
  delete: remove,
};

function diffBucket(old: State, inputs: Properties): DiffResult {
  if (isUnresolved(old.id)) {
    const path = "bucketName";
    return { differences: [{ path, kind: "update", replaces: true }], deleteBeforeReplace: true };
  }
  const was = normalize(old.properties);
  const wanted = normalize(inputs);
  const found = [
    ...differences("bucketName", was.bucketName, wanted.bucketName, true),
    ...differences("bucketType", was.bucketType, wanted.bucketType),
    ...differences("bucketInfo", was.bucketInfo, wanted.bucketInfo),
    ...ruleDifferences("corsRules", was.corsRules, wanted.corsRules),
    ...ruleDifferences("lifecycleRules", was.lifecycleRules, wanted.lifecycleRules),
  ];
  // Leaving these out means to keep what is there.
  if (wanted.encryption) {
    found.push(...differences("defaultServerSideEncryption", was.encryption, wanted.encryption));
  }
  const lockPath = "fileLockConfigurations[0]";
  if (wanted.lockEnabled !== undefined) {
    const wasEnabled = was.lockEnabled ?? false;
    found.push(
      ...differences(`${lockPath}.isFileLockEnabled`, wasEnabled, wanted.lockEnabled, true),
    );
  }
  if (wanted.retention) {
    const none = { mode: "none" };
    const path = `${lockPath}.defaultRetention`;
    found.push(...differences(path, was.retention ?? none, wanted.retention));
  }
  const sameName =
    typeof was.bucketName === "string" &&
    typeof wanted.bucketName === "string" &&
    was.bucketName.toLowerCase() === wanted.bucketName.toLowerCase();
  return { differences: found, deleteBeforeReplace: sameName };
}

// Rules are told apart by their name or prefix; their order, and that of operations, says nothing.
function ruleDifferences(path: string, old: Properties[], wanted: Properties[]): Difference[] {
  const canonical = (rule: Properties) => {
    const operations = rule.allowedOperations;
    return Array.isArray(operations)
      ? { ...rule, allowedOperations: [...operations].sort() }
      : rule;
  };
  const name = (rule: Properties) => rule.corsRuleName ?? rule.fileNamePrefix;
  const olds = old.map(canonical);
  const wants = wanted.map(canonical);
  const same =
    olds.length === wants.length &&
    wants.every((rule) => {
      const match = olds.find((other) => name(other) === name(rule));
      return match !== undefined && differences("", match, rule).length === 0;
    });
  return same ? [] : differences(path, olds, wants);
}

function previewBucket(inputs: Properties, old?: State): Properties {
  const computed = old
    ? { ...old.properties, revision: unknown }
    : {
        accountId: unknown,
        b2BucketId: unknown,
        bucketId: unknown,
        defaultServerSideEncryption: unknown,
        fileLockConfigurations: unknown,
        options: unknown,
        revision: unknown,
      };
  return { ...computed, corsRules: [], lifecycleRules: [], ...inputs };
}

async function create(client: Client, inputs: Properties): Promise<State> {
  const wanted = normalize(inputs);
  const bucketName = wanted.bucketName as string;
  // Known beforehand, so that a bucket found after a lost answer is certainly the one asked for.
  const existing = await findBucket(client, { bucketName });
  if (existing) {
    throw new UserError(
      `A bucket "${existing.bucketName}" exists in this account already. To manage it here: ` +
        `pulumi import b2:index/bucket:Bucket NAME ${existing.bucketId}`,
    );
  }
  let bucket: Bucket;
  try {
    bucket = await createBucket(client, bucketName, {
      ...toSettings(wanted),
      ...(wanted.lockEnabled === true ? { fileLockEnabled: true } : {}),
    });
  } catch (error) {
    if (error instanceof OutcomeUnknownError) {
      throw new InitFailedError(unresolvedId(bucketName), inputs, error);
    }
    if (!hasCode(error, "duplicate_bucket_name")) throw error;
    // A lost attempt may have been carried out late; the name was not this account's before.
    const late = await findBucket(client, { bucketName });
    if (!late || !isAsWished(late, inputs)) {
      throw new UserError(
        `The bucket name "${bucketName}" is taken${late ? "" : " by another account"}: names are ` +
          "unique in the world. Choose another one.",
      );
    }
    bucket = late;
  }
  noteNewBucket(client, bucket.bucketId);
  const state = { id: bucket.bucketId, properties: toOutputs(bucket, inputs) };
  if (!wanted.retention || wanted.retention.mode === "none") return state;
  // The service takes a default retention for a bucket that is there, not for one to be.
  try {
    return { id: state.id, properties: await update(client, state, inputs) };
  } catch (error) {
    throw new InitFailedError(state.id, state.properties, error as Error);
  }
}

function isAsWished(bucket: Bucket, inputs: Properties): boolean {
  const { corsRules, lifecycleRules, bucketType, bucketInfo } = normalize(inputs);
  const wish = { bucketName: bucket.bucketName, bucketType, bucketInfo, corsRules, lifecycleRules };
  const state = { id: bucket.bucketId, properties: toOutputs(bucket, inputs) };
  return diffBucket(state, wish).differences.length === 0;
}

async function read(client: Client, id: string, old?: ReadState): Promise<ReadState | undefined> {
  const bucketName = old?.properties.bucketName;
  const bucket = await findBucket(
    client,
    isUnresolved(id) && typeof bucketName === "string" ? { bucketName } : { bucketId: id },
  );
  if (!bucket) return undefined;
  // The program's order of rules, and the old settings where the key may not read the present ones.
  const properties = toOutputs(bucket, { ...old?.properties, ...old?.inputs });
  return { id: bucket.bucketId, properties, inputs: toInputs(properties, old?.inputs) };
}

async function update(client: Client, old: State, inputs: Properties): Promise<Properties> {
  const wanted = normalize(inputs);
  const retention = toRetention(wanted);
  const settings = {
    ...toSettings(wanted),
    ...(retention ? { defaultRetention: retention } : {}),
  };
  let revision = old.properties.revision as number;
  for (let attempt = 1; ; attempt++) {
    try {
      return toOutputs(await updateBucket(client, old.id, revision, settings), inputs);
    } catch (error) {
      if (!hasCode(error, "conflict")) throw error;
    }
    const bucket = await findBucket(client, { bucketId: old.id });
    if (!bucket) throw new UserError(`The bucket is gone. Run pulumi refresh, then pulumi up.`);
    const current = { id: old.id, properties: toOutputs(bucket, inputs) };
    // Either a lost attempt was carried out after all, or someone had the same wish.
    if (diffBucket(current, inputs).differences.length === 0) return current.properties;
    // A revision that moved without a change of any setting takes nothing from anybody.
    const untouched = diffBucket(current, toInputs(old.properties, undefined));
    if (untouched.differences.length > 0 || attempt >= 3) {
      throw new UserError(
        `The bucket "${bucket.bucketName}" was changed by someone else (it is at revision ` +
          `${bucket.revision}, this stack knows ${revision}); nothing was overwritten. ` +
          "Run pulumi refresh, look at what pulumi preview says, then pulumi up.",
      );
    }
    revision = bucket.revision;
  }
}

async function remove(client: Client, old: State): Promise<void> {
  let bucketId = old.id;
  if (isUnresolved(bucketId)) {
    const bucketName = old.properties.bucketName as string;
    const bucket = await findBucket(client, { bucketName });
    if (!bucket) return;
    bucketId = bucket.bucketId;
  }
  try {
    await deleteBucket(client, bucketId);
  } catch (error) {
    if (!hasCode(error, "cannot_delete_non_empty_bucket")) throw error;
    const name = old.properties.bucketName as string;
    throw new UserError(
      `The bucket "${name}" is not empty: it holds ${await howMany(client, bucketId)}. ` +
        `Nothing was deleted. Empty it (b2 rm --versions --recursive "b2://${name}"), ` +
        "or keep it and take it out of the stack (pulumi state delete, or retainOnDelete).",
    );
  }
}

async function howMany(client: Client, bucketId: string): Promise<string> {
  try {
    const { count, more } = await countFileVersions(client, bucketId);
    const number = count.toLocaleString("en");
    return `${more ? "more than " : ""}${number} file ${count === 1 ? "version" : "versions"}`;
  } catch {
    return "files, how many this key may not list";
  }
}
