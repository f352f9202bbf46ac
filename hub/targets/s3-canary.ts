/** What a bucket that somebody else made keeps from the hub's own keys, and what it says of itself. */
import type { RcloneManifest } from "../../config/manifest.ts";
import { messageOf } from "../errors.ts";
import { b2Transport } from "./b2-transport.ts";
import type { CanaryReport } from "./probe.ts";
import { acceptedKeys, isRefusal, type S3KeyOptions } from "./s3-keys.ts";
import {
  CANARY_CONTENT,
  canaryName,
  isRefused,
  putCanary,
  tryReaders,
  tryStranger,
  type S3Trial,
} from "./s3-trials.ts";

/** What keeps a thief with the hub's key from destroying what is there. */
export type Protection = Extract<RcloneManifest, { type: "s3" }>["protection"];

const WORTH: Readonly<Record<Protection, number>> = { none: 0, versions: 1, lock: 2 };

/** What is needed to try. */
export interface S3CanaryOptions extends S3KeyOptions {
  readonly target: string;
  /** The bucket, and what follows it. */
  readonly path: string;
  /** What the bucket is said to keep. */
  readonly protection: Protection;
}

/** Object lock, as the bucket has it by default. */
export interface LockFacts {
  readonly mode: string;
  /** Such as "30 days". */
  readonly time: string;
}

/** What was found out about the bucket. */
export interface S3Facts {
  /** Undefined where no key may ask. */
  readonly versioning: "on" | "suspended" | "off" | undefined;
  /** Undefined where there is none, or no key may ask. */
  readonly lock: LockFacts | undefined;
  /** What new objects are encrypted with at rest, as far as the service tells. */
  readonly encryption: string | undefined;
  readonly kept: Protection;
}

/** The folders below which the hosts' repositories are. */
export function foldersOf(path: string): string[] {
  return path.split("/").slice(1);
}

/** Tries all of it. It never throws. */
export async function tryS3Bucket(options: S3CanaryOptions): Promise<CanaryReport> {
  const report: CanaryReport = { errors: [], notices: [] };
  const transport = b2Transport();
  try {
    const keys = await acceptedKeys(options, transport, report);
    const sync = keys.find(({ purpose }) => purpose === "sync");
    if (sync !== undefined) {
      const place = { bucket: options.bucket, below: foldersOf(options.path) };
      await tryS3Keys({ sync, keys, place, report }, options);
    }
  } catch (error) {
    report.errors.push(`could not try what the keys may do: ${messageOf(error)}`);
  } finally {
    await transport.close();
  }
  return report;
}

/**
 * Tries on the canary what the keys may do, and holds it against what the bucket is said to keep.
 *
 * @throws Error where something could not be tried.
 */
export async function tryS3Keys(
  trial: S3Trial,
  said: Pick<S3CanaryOptions, "target" | "protection">,
): Promise<S3Facts> {
  const put = await putCanary(trial);
  const encryption = put.headers["x-amz-server-side-encryption"];
  const lock = await lockOf(trial);
  const { kept, why } = await whatIsKept(trial, versionOf(put.headers), lock);
  judge(trial, said, { kept, why, lock });
  await tryReaders(trial);
  await tryStranger(trial);
  const versioning = await versioningOf(trial, versionOf(put.headers));
  return { versioning, lock, kept, encryption: encryption?.toString() };
}

function versionOf(headers: Readonly<Record<string, unknown>>): string | undefined {
  const version = headers["x-amz-version-id"];
  return typeof version === "string" && version !== "null" ? version : undefined;
}

/**
 * What a thief with one of the keys could not destroy: tried on the version of the canary that was
 * just written.
 */
async function whatIsKept(
  trial: S3Trial,
  version: string | undefined,
  lock: LockFacts | undefined,
): Promise<{ kept: Protection; why: string }> {
  const { keys, place, sync } = trial;
  if (version === undefined) {
    return {
      kept: "none",
      why: "the bucket keeps no versions (versioning is not on), so that overwriting or deleting is destroying",
    };
  }
  const key = canaryName(place);
  for (const each of keys.filter(({ purpose }) => purpose === "sync")) {
    // The second is what a lock in governance mode lets some pass with.
    for (const headers of [{}, { "x-amz-bypass-governance-retention": "true" }]) {
      const remove = { method: "DELETE", key, query: { versionId: version }, headers } as const;
      if (await isRefused(each, "could not try to delete a version", remove)) continue;
      await putCanary(trial);
      return {
        kept: "none",
        why: `${each.called} may delete versions for good (s3:DeleteObjectVersion${"x-amz-bypass-governance-retention" in headers ? " with s3:BypassGovernanceRetention" : ""})`,
      };
    }
  }
  const { body } = await sync.client.must("could not read the canary", { method: "GET", key });
  if (body !== CANARY_CONTENT) throw new Error("the canary is not what was written");
  const change = await settingsInReach(trial);
  if (change.length > 0) {
    return {
      kept: "none",
      why: `the hub's key may change the bucket's settings (${change.join(", ")}), and with them what is kept`,
    };
  }
  return { kept: lock === undefined ? "versions" : "lock", why: "" };
}

const SETTINGS = ["versioning", "object-lock", "lifecycle", "policy"] as const;

/** Which settings a key that writes may change. It is asked with nonsense, which changes nothing. */
async function settingsInReach({ keys }: S3Trial): Promise<string[]> {
  const found = new Set<string>();
  for (const key of keys.filter(({ purpose }) => purpose === "sync")) {
    for (const setting of SETTINGS) {
      const answer = await key.client.call({
        method: "PUT",
        query: { [setting]: "" },
        body: "<offsite-canary/>",
      });
      // 400: let in, and then not understood. 404, 405 and 501: there is no such setting.
      if (answer.status === 400 || answer.status < 300) found.add(setting);
    }
  }
  return [...found];
}

function judge(
  { place, report }: S3Trial,
  { target, protection }: Pick<S3CanaryOptions, "target" | "protection">,
  found: { kept: Protection; why: string; lock: LockFacts | undefined },
): void {
  const bucket = `the bucket "${place.bucket}"`;
  const { kept, why, lock } = found;
  if (WORTH[kept] < WORTH[protection]) {
    const reason = why === "" ? "it has no object lock that the hub's key can see" : why;
    report.errors.push(
      `${bucket} keeps less than targets.${target}.protection says ("${protection}"): ${reason}. What to set there: docs/targets/s3.md`,
    );
    return;
  }
  if (kept === "none") {
    report.notices.push(
      `nothing keeps a thief with the hub's key from destroying what is in ${bucket}: ${why}. The other targets do. What to set there: docs/targets/s3.md`,
    );
    return;
  }
  if (protection === "none") {
    report.notices.push(
      `${bucket} keeps versions that the hub's key cannot delete${lock === undefined ? "" : `, locked for ${lock.time} (${lock.mode})`}. Set targets.${target}.protection to "${kept}", so that verify fails when that ends`,
    );
  }
}

/** The bucket's versioning, as it says itself, or as the canary shows. */
async function versioningOf(
  { keys }: S3Trial,
  version: string | undefined,
): Promise<S3Facts["versioning"]> {
  for (const { client } of keys) {
    const answer = await client.call({ method: "GET", query: { versioning: "" } });
    if (answer.status >= 400) continue;
    const [, status] = /<Status>(\w+)<\/Status>/.exec(answer.body) ?? [];
    return status === "Enabled" ? "on" : status === "Suspended" ? "suspended" : "off";
  }
  return version === undefined ? undefined : "on";
}

/** The bucket's object lock by default, where a key may ask for it. */
async function lockOf({ keys }: S3Trial): Promise<LockFacts | undefined> {
  for (const { client } of keys) {
    const answer = await client.call({ method: "GET", query: { "object-lock": "" } });
    if (isRefusal(answer) || answer.status >= 400) continue;
    const [, mode] = /<Mode>(\w+)<\/Mode>/.exec(answer.body) ?? [];
    const [, count, unit] = /<(?:Days|Years)>(\d+)<\/(Days|Years)>/.exec(answer.body) ?? [];
    if (mode === undefined || count === undefined || unit === undefined) return undefined;
    return { mode: mode.toLowerCase(), time: `${count} ${unit.toLowerCase()}` };
  }
  return undefined;
}
