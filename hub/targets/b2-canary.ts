/**
 * Tries at a B2 bucket what the hub's keys must not be able to do, on a canary of its own and on
 * nothing else, `offsite-canary/canary` beside the hosts' repositories; and looks at what the
 * service says of the keys and the bucket.
 */
import { CANARY } from "../../config/canary.ts";
import { B2_CAPABILITIES } from "../../credentials/b2-capabilities.ts";
import type { HubCredentials } from "../../config/manifest.ts";
import type { Authorization } from "../../sdks/b2/client/types.ts";
import type { Transport } from "../../sdks/b2/client/transport.ts";
import { hasCode } from "../../sdks/b2/client/errors.ts";
import { messageOf } from "../errors.ts";
import { B2Account, isRefusal } from "./b2-account.ts";
import { bucketProblems } from "./b2-bucket.ts";
import { b2Transport } from "./b2-transport.ts";
import { keyEnd } from "./key-end.ts";
import type { CanaryReport } from "./probe.ts";
import { readRcloneConfig } from "./rclone-config.ts";

const CONTENT = "A canary of offsite-hub verify. It can be removed; it is made again.\n";
const SIZE = Buffer.byteLength(CONTENT);

/** What is needed to try. */
export interface B2CanaryOptions {
  /** The target's name. */
  readonly target: string;
  /** The generation of the current keys. */
  readonly generation: number;
  /** rclone.conf. */
  readonly config: string;
  readonly remotes: Extract<HubCredentials["targets"][string], { type: "b2" }>["remotes"];
  readonly bucket: string;
  /** Where the hosts' repositories are: the bucket's name, and what follows it. */
  readonly path: string;
  /** For how many days a hidden version must stay. */
  readonly keepHiddenDays: number;
}

type Role = keyof B2CanaryOptions["remotes"];

/** A key that the service accepts. */
export interface B2CanaryKey {
  /** As a message calls it: `the key …`. */
  readonly called: string;
  readonly purpose: keyof typeof B2_CAPABILITIES;
  readonly account: B2Account;
}

/** The bucket that the canary is in. */
export interface B2CanaryPlace {
  readonly bucketId: string;
  readonly bucketName: string;
  /** The folders above the hosts' repositories. */
  readonly below: readonly string[];
}

interface Key extends B2CanaryKey {
  readonly role: Role;
  readonly authorization: Authorization;
}

const PURPOSES = {
  current: "sync",
  next: "sync",
  restore: "restore",
  monitor: "monitor",
} as const satisfies Record<Role, keyof typeof B2_CAPABILITIES>;

/** Tries all of it. It never throws. */
export async function tryBucket(options: B2CanaryOptions): Promise<CanaryReport> {
  const report: CanaryReport = { errors: [], notices: [] };
  const transport = b2Transport();
  try {
    const keys = await authorizeAll(options, transport, report);
    for (const key of keys) {
      judgeKey(key, options, report);
      judgeEnd(key, options, report);
    }
    const sync = keys.find(({ purpose }) => purpose === "sync");
    if (sync !== undefined) await tryKeysOf(sync, keys, options, report);
  } catch (error) {
    report.errors.push(
      `could not try whether deleting and reading are refused: ${messageOf(error)}`,
    );
  } finally {
    await transport.close();
  }
  return report;
}

async function authorizeAll(
  { config, remotes, generation }: B2CanaryOptions,
  transport: Transport,
  report: CanaryReport,
): Promise<Key[]> {
  const sections = readRcloneConfig(config);
  const type = sections.get(remotes.current)?.type;
  if (type !== undefined && type !== "b2") {
    report.notices.push(
      `the remote "${remotes.current}" is of type "${type}", not b2: nothing was tried there`,
    );
    return [];
  }
  const keys: Key[] = [];
  const refused: Role[] = [];
  for (const role of Object.keys(PURPOSES) as Role[]) {
    const section = sections.get(remotes[role]);
    if (section === undefined) {
      report.errors.push(
        `rclone.conf has no remote "${remotes[role]}". Deploy it from the same bundle`,
      );
      continue;
    }
    const account = new B2Account(section, transport);
    const authorization = await account.authorize();
    const called = `the key of the remote "${remotes[role]}"`;
    if (authorization === undefined) refused.push(role);
    else keys.push({ called, role, purpose: PURPOSES[role], account, authorization });
    (report.keys ??= []).push({
      role,
      generation: role === "next" ? generation + 1 : generation,
      accepted: authorization !== undefined,
      expires: endOf(authorization)?.toISOString() ?? null,
    });
  }
  const canSync = keys.some(({ purpose }) => purpose === "sync");
  for (const role of refused) {
    const line = `the key of the remote "${remotes[role]}" is refused: it was taken away, or has ended. Deploy the hub with the bundle that pulumi up wrote last`;
    if (PURPOSES[role] === "sync" && canSync) report.notices.push(line);
    else report.errors.push(line);
  }
  return keys;
}

/** When a key ends by itself; undefined where it does not. */
function endOf(authorization: Authorization | undefined): Date | undefined {
  const end = authorization?.applicationKeyExpirationTimestamp;
  return end === undefined || end === null ? undefined : new Date(end);
}

/** A key that has an end must be replaced before. */
function judgeEnd(key: Key, { target }: B2CanaryOptions, report: CanaryReport): void {
  const end = endOf(key.authorization)?.getTime() ?? Infinity;
  const found = keyEnd(key.role, target, end, Date.now());
  if (found === undefined) return;
  (found.isOver ? report.errors : report.notices).push(`${key.called} ${found.message}`);
}

/** A key must be able to do what it is for, in its bucket, and no more. */
function judgeKey(
  { called: remote, purpose, authorization }: Key,
  options: B2CanaryOptions,
  report: CanaryReport,
): void {
  const { capabilities, buckets } = authorization.apiInfo.storageApi.allowed;
  const expected: readonly string[] = B2_CAPABILITIES[purpose];
  const extra = capabilities.filter((each) => !expected.includes(each));
  const lacking = expected.filter((each) => !capabilities.includes(each));
  const remedy = "Make it anew with pulumi up, and deploy the hub";
  if (extra.length > 0) {
    report.errors.push(`${remote} may do more than it must: ${extra.join(", ")}. ${remedy}`);
  }
  if (lacking.length > 0) {
    report.errors.push(
      `${remote} may do less than it must: it lacks ${lacking.join(", ")}. ${remedy}`,
    );
  }
  const names = buckets?.map(({ name }) => name ?? "(gone)");
  if (names?.length !== 1 || names[0] !== options.bucket) {
    report.errors.push(
      `${remote} reaches ${names === undefined ? "every bucket of the account" : `the buckets ${names.join(", ")}`}, ` +
        `and must reach "${options.bucket}" alone. ${remedy}`,
    );
  }
}

async function tryKeysOf(
  sync: Key,
  keys: readonly Key[],
  options: B2CanaryOptions,
  report: CanaryReport,
): Promise<void> {
  const bucket = await sync.account.bucket(options.bucket);
  if (bucket === undefined) {
    report.errors.push(`the bucket "${options.bucket}" is not there, or the key does not reach it`);
    return;
  }
  report.errors.push(...bucketProblems(bucket, options.keepHiddenDays));
  const [, ...below] = options.path.split("/").filter((part) => part !== "");
  await tryB2Keys(sync, keys, { ...bucket, below }, report);
}

/**
 * Tries on the canary what none of the keys must be able to do.
 *
 * @param sync - one that may write, with which the canary is made; it is among the keys.
 * @throws Error where something could not be tried.
 */
export async function tryB2Keys(
  sync: B2CanaryKey,
  keys: readonly B2CanaryKey[],
  { bucketId, bucketName, below }: B2CanaryPlace,
  report: CanaryReport,
): Promise<void> {
  const fileName = [...below, CANARY, "canary"].join("/");
  const reader = keys.find(({ purpose }) => purpose === "restore") ?? sync;
  const mustRefuse = async (what: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work();
    } catch (error) {
      if (isRefusal(error)) return true;
      throw error;
    }
    report.errors.push(what);
    return false;
  };

  const found = await sync.account.versions(bucketId, fileName);
  const before =
    found.find(({ action, contentLength }) => action === "upload" && contentLength === SIZE)
      ?.fileId ?? (await sync.account.upload(bucketId, fileName, CONTENT));
  // An overwrite is a new version over the old one.
  const after = await sync.account.upload(bucketId, fileName, CONTENT);
  let kept = true;
  for (const key of keys) {
    kept = await mustRefuse(
      `${key.called} could delete the canary: whoever has it can destroy the copies there. Make it anew with pulumi up`,
      () => key.account.remove(fileName, before),
    );
    if (!kept) break;
  }
  if (kept && (await reader.account.read(before)) !== CONTENT) {
    report.errors.push("what the canary held before it was overwritten can no longer be read");
  }
  const status = await sync.account.statusForAnybody(bucketName, fileName);
  if (status < 400) {
    report.errors.push(
      `anybody can read the bucket "${bucketName}", without a key. Make it private with pulumi up`,
    );
  }
  for (const key of keys) {
    if (key.purpose === "sync") continue;
    await mustRefuse(`${key.called} can write, and must not`, () =>
      key.account.uploadUrl(bucketId),
    );
    if (key.purpose === "monitor" && (await key.account.read(after)) !== undefined) {
      report.errors.push(`${key.called} can read files, and must only list them`);
    }
  }
  await sync.account.hide(bucketId, fileName).catch((error: unknown) => {
    // Another verify has.
    if (!hasCode(error, "already_hidden", "no_such_file")) throw error;
  });
  if ((await reader.account.read(after)) !== CONTENT) {
    report.errors.push("what the canary held before it was hidden can no longer be read");
  }
}
