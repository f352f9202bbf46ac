import type {
  Bucket,
  BucketSettings,
  CorsRule,
  LifecycleRule,
  Retention,
  ServerSideEncryption,
} from "../client/types.ts";
import type { Properties, Value } from "./wire.ts";

// The inputs have been checked by the time that they come here; the casts rest on that.

/** What the program asks of a bucket; what it leaves out is undefined. */
export interface WantedBucket {
  bucketName: Value;
  bucketType: Value;
  bucketInfo: Properties;
  corsRules: Properties[];
  lifecycleRules: Properties[];
  encryption: Properties | undefined;
  lockEnabled: Value | undefined;
  retention: Properties | undefined;
}

const dayMembers = [
  "daysFromHidingToDeleting",
  "daysFromUploadingToHiding",
  "daysFromStartingToCancelingUnfinishedLargeFiles",
] as const;

/**
 * Brings inputs, or outputs of a state, into one form, in which equal wishes look the same: empty
 * lists and strings, 0 days and defaults are absent.
 */
export function normalize(properties: Properties): WantedBucket {
  const lock = asList(properties.fileLockConfigurations)[0];
  const retention = lock?.defaultRetention as Properties | undefined;
  const encryption = properties.defaultServerSideEncryption as Properties | undefined;
  return {
    bucketName: properties.bucketName ?? null,
    bucketType: properties.bucketType ?? null,
    bucketInfo: (properties.bucketInfo ?? {}) as Properties,
    corsRules: asList(properties.corsRules).map(({ allowedHeaders, exposeHeaders, ...rule }) => ({
      ...rule,
      ...nonEmpty({ allowedHeaders, exposeHeaders }),
    })),
    lifecycleRules: asList(properties.lifecycleRules).map((rule) => ({
      fileNamePrefix: rule.fileNamePrefix ?? "",
      ...nonEmpty(Object.fromEntries(dayMembers.map((member) => [member, rule[member]]))),
    })),
    encryption:
      encryption?.mode !== undefined && encryption.mode !== ""
        ? {
            mode: encryption.mode,
            ...(encryption.mode === "none" ? {} : { algorithm: encryption.algorithm ?? "AES256" }),
          }
        : undefined,
    lockEnabled: lock ? (lock.isFileLockEnabled ?? false) : undefined,
    retention:
      retention?.mode !== undefined
        ? { mode: retention.mode, ...nonEmpty({ period: retention.period }) }
        : undefined,
  };
}

function asList(value: Value | undefined): Properties[] {
  return Array.isArray(value) ? (value as Properties[]) : [];
}

function nonEmpty(object: Record<string, Value | undefined>): Properties {
  const isEmpty = (value: Value | undefined) =>
    value === undefined ||
    value === null ||
    value === 0 ||
    value === "" ||
    (Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(object).filter(([, v]) => !isEmpty(v))) as Properties;
}

/** The settings to send for a wish. Lists are always sent, so that an empty one clears. */
export function toSettings(wanted: WantedBucket): BucketSettings {
  return {
    bucketType: wanted.bucketType as string,
    bucketInfo: wanted.bucketInfo as Record<string, string>,
    corsRules: wanted.corsRules as unknown as CorsRule[],
    lifecycleRules: wanted.lifecycleRules as unknown as LifecycleRule[],
    ...(wanted.encryption
      ? { defaultServerSideEncryption: wanted.encryption as unknown as ServerSideEncryption }
      : {}),
  };
}

/** The default retention to send; undefined when the program does not ask for any. */
export function toRetention(wanted: WantedBucket): Retention | undefined {
  if (!wanted.retention) return undefined;
  if (wanted.retention.mode === "none") return { mode: null };
  return wanted.retention as unknown as Retention;
}

/**
 * The outputs of a bucket, in the shape that the bridged Terraform provider gives them.
 *
 * @param like - Inputs whose order of rules and operations is kept, and old outputs for the
 * settings that the operator's key may not read.
 */
export function toOutputs(bucket: Bucket, like: Properties): Properties {
  const wanted = normalize(like);
  const encryption = bucket.defaultServerSideEncryption;
  const lock = bucket.fileLockConfiguration;
  const info = bucket.bucketInfo ?? {};
  return {
    accountId: bucket.accountId,
    b2BucketId: bucket.bucketId,
    bucketId: bucket.bucketId,
    bucketName: bucket.bucketName,
    bucketType: bucket.bucketType,
    ...(Object.keys(info).length > 0 || like.bucketInfo !== undefined ? { bucketInfo: info } : {}),
    corsRules: (bucket.corsRules ?? []).map((rule) => corsOutput(rule, wanted.corsRules)),
    lifecycleRules: inOrder(
      (bucket.lifecycleRules ?? []).map(lifecycleOutput),
      wanted.lifecycleRules.map((rule) => rule.fileNamePrefix),
      (rule) => rule.fileNamePrefix,
    ),
    ...readable(
      "defaultServerSideEncryption",
      encryption?.isClientAuthorizedToRead === true && encryption.value
        ? {
            mode: encryption.value.mode ?? "none",
            algorithm: encryption.value.algorithm ?? "",
          }
        : like.defaultServerSideEncryption,
    ),
    ...readable(
      "fileLockConfigurations",
      lock?.isClientAuthorizedToRead === true && lock.value
        ? [
            {
              isFileLockEnabled: lock.value.isFileLockEnabled,
              ...retentionOutput(lock.value.defaultRetention),
            },
          ]
        : like.fileLockConfigurations,
    ),
    options: [...(bucket.options ?? [])].sort(),
    revision: bucket.revision,
  };
}

function readable(name: string, value: Value | undefined): Properties {
  return value === undefined ? {} : { [name]: value };
}

function retentionOutput(retention: Retention | null | undefined): Properties {
  if (!retention?.mode) return {};
  const { mode, period } = retention;
  return { defaultRetention: { mode, ...(period ? { period: { ...period } } : {}) } };
}

function lifecycleOutput(rule: LifecycleRule): Properties {
  return {
    fileNamePrefix: rule.fileNamePrefix,
    ...Object.fromEntries(dayMembers.map((member) => [member, rule[member] ?? 0])),
  };
}

// The service may give operations back in another order than they were set in.
function corsOutput(rule: CorsRule, wanted: Properties[]): Properties {
  const like = wanted.find((other) => other.corsRuleName === rule.corsRuleName);
  const order = asStrings(like?.allowedOperations);
  return {
    corsRuleName: rule.corsRuleName,
    allowedOrigins: rule.allowedOrigins,
    allowedOperations: inOrder(rule.allowedOperations, order, (operation) => operation),
    allowedHeaders: rule.allowedHeaders ?? [],
    exposeHeaders: rule.exposeHeaders ?? [],
    maxAgeSeconds: rule.maxAgeSeconds,
  };
}

function asStrings(value: Value | undefined): string[] {
  return Array.isArray(value) ? (value as string[]) : [];
}

function inOrder<T>(items: T[], order: (Value | undefined)[], key: (item: T) => Value | undefined) {
  const rank = (item: T) => {
    const index = order.indexOf(key(item));
    return index < 0 ? order.length : index;
  };
  return [...items].sort((a, b) => rank(a) - rank(b));
}

/**
 * The inputs that would make a bucket as its outputs say, without what is only a default.
 *
 * @param oldInputs - When given, the optional settings that it leaves out stay out where leaving
 * them out means to keep what is there.
 */
export function toInputs(outputs: Properties, oldInputs: Properties | undefined): Properties {
  const { bucketName, bucketType, bucketInfo, corsRules, lifecycleRules } = normalize(outputs);
  const inputs: Properties = { bucketName, bucketType };
  if (Object.keys(bucketInfo).length > 0 || oldInputs?.bucketInfo !== undefined) {
    inputs.bucketInfo = bucketInfo;
  }
  if (corsRules.length > 0 || oldInputs?.corsRules !== undefined) {
    inputs.corsRules = corsRules;
  }
  if (lifecycleRules.length > 0 || oldInputs?.lifecycleRules !== undefined) {
    inputs.lifecycleRules = lifecycleRules;
  }
  for (const name of ["defaultServerSideEncryption", "fileLockConfigurations"]) {
    const value = outputs[name];
    const wanted = oldInputs ? oldInputs[name] !== undefined : !isDefault(outputs, name);
    if (wanted && value !== undefined) inputs[name] = value;
  }
  return inputs;
}

function isDefault(outputs: Properties, name: string): boolean {
  const { encryption, lockEnabled } = normalize(outputs);
  if (name === "fileLockConfigurations") return lockEnabled !== true;
  return encryption?.mode === "none";
}
