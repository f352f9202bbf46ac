/** What the lock rule of an R2 bucket must keep from the hub's own keys. */
import type { RcloneManifest } from "../../config/manifest.ts";
import { messageOf } from "../errors.ts";
import { b2Transport } from "./b2-transport.ts";
import type { CanaryReport } from "./probe.ts";
import { acceptedKeys, type S3KeyOptions } from "./s3-keys.ts";
import {
  canaryName,
  isRefused,
  putCanary,
  tryReaders,
  tryStranger,
  type S3Trial,
} from "./s3-trials.ts";

type KeepDays = Extract<RcloneManifest, { type: "r2" }>["keepHiddenDays"];

const DAY_MS = 86_400_000;

/** What is needed to try. */
export interface R2CanaryOptions extends S3KeyOptions {
  readonly target: string;
  readonly keepHiddenDays: KeepDays;
}

/** Tries all of it. It never throws. */
export async function tryR2Bucket(options: R2CanaryOptions): Promise<CanaryReport> {
  const report: CanaryReport = { errors: [], notices: [] };
  const transport = b2Transport();
  try {
    const keys = await acceptedKeys(options, transport, report);
    const sync = keys.find(({ purpose }) => purpose === "sync");
    if (sync !== undefined) {
      const place = { bucket: options.bucket, below: [] };
      await tryR2Keys({ sync, keys, place, report }, options.keepHiddenDays);
    }
  } catch (error) {
    report.errors.push(`could not try whether deleting is refused: ${messageOf(error)}`);
  } finally {
    await transport.close();
  }
  return report;
}

/**
 * Tries on the canary what no key must be able to do.
 *
 * @param days - for how long the lock rule keeps an object from its upload.
 * @throws Error where something could not be tried.
 */
export async function tryR2Keys(trial: S3Trial, days: KeepDays): Promise<void> {
  const { keys, report } = trial;
  await tryDeleting(trial, days);
  await tryOverwriting(trial);
  await tryReaders(trial);
  await tryStranger(trial);
  if (days !== "forever" && keys.length > 0) {
    report.notices.push(
      `the lock rule keeps an object for ${days} days from its upload: what is older can be destroyed by whoever has the hub's key, and restic's files are mostly older. Set keepHiddenDays back to "forever" when you have freed the space: docs/targets/r2.md`,
    );
  }
}

/** Whether the canary may be deleted by now: its lock has ended. Makes one where there is none. */
async function isFree(trial: S3Trial, days: KeepDays): Promise<boolean> {
  const { sync, place } = trial;
  const head = await sync.client.call({ method: "HEAD", key: canaryName(place) });
  if (head.status === 404) {
    await putCanary(trial);
    return false;
  }
  const written = Date.parse(String(head.headers["last-modified"]));
  return days !== "forever" && Date.now() - written > days * DAY_MS;
}

async function tryDeleting(trial: S3Trial, days: KeepDays): Promise<void> {
  const { sync, place, keys, report } = trial;
  const remove = { method: "DELETE", key: canaryName(place) } as const;
  if (await isFree(trial, days)) {
    // A younger one takes its place.
    await sync.client.must("could not remove the canary of old", remove);
    await putCanary(trial);
  }
  for (const key of keys) {
    if (await isRefused(key, "could not try to delete the canary", remove)) continue;
    report.errors.push(
      `${key.called} could delete the canary: no lock rule keeps what is in the bucket "${place.bucket}", and whoever has the key can destroy it. Put the rule back with pulumi up --refresh`,
    );
    await putCanary(trial);
  }
}

async function tryOverwriting({ sync, place, report }: S3Trial): Promise<void> {
  const put = { method: "PUT", key: canaryName(place), body: "overwritten\n" } as const;
  if (await isRefused(sync, "could not try to overwrite the canary", put)) return;
  report.errors.push(
    `${sync.called} could overwrite the canary: no lock rule keeps what is in the bucket "${place.bucket}". Put the rule back with pulumi up --refresh`,
  );
  await putCanary({ sync, place, keys: [], report });
}
