/**
 * Tries at a bucket behind an S3 API what the hub's keys must not be able to do, on a canary of its
 * own and on nothing else, `offsite-canary/canary` beside the hosts' repositories.
 */
import { CANARY } from "../../config/canary.ts";
import type { CanaryReport } from "./probe.ts";
import { isRefusal, type S3CanaryKey } from "./s3-keys.ts";
import { S3Error, type S3Answer, type S3Call } from "./s3-client.ts";

export const CANARY_CONTENT =
  "A canary of offsite-hub verify. It can be removed; it is made again.\n";

/** Where the canary is. */
export interface S3CanaryPlace {
  readonly bucket: string;
  /** The folders above the hosts' repositories. */
  readonly below: readonly string[];
}

/** The keys of a trial. */
export interface S3Trial {
  /** One that writes; it is among the keys. */
  readonly sync: S3CanaryKey;
  readonly keys: readonly S3CanaryKey[];
  readonly place: S3CanaryPlace;
  readonly report: CanaryReport;
}

/** The canary's name in the bucket, or that of a file beside it. */
export function canaryName({ below }: S3CanaryPlace, file = "canary"): string {
  return [...below, CANARY, file].join("/");
}

/**
 * Makes a call that the service must refuse.
 *
 * @returns whether it did.
 * @throws S3Error where it answered something that is neither.
 */
export async function isRefused(key: S3CanaryKey, what: string, call: S3Call): Promise<boolean> {
  const answer = await key.client.call(call);
  if (isRefusal(answer)) return true;
  if (answer.status < 400) return false;
  throw new S3Error(what, answer);
}

/** Tries what a key that restores must not be able to do, and what it must. */
export async function tryReaders({ keys, place, report }: S3Trial): Promise<void> {
  for (const key of keys.filter(({ purpose }) => purpose === "restore")) {
    const put = { method: "PUT", key: canaryName(place, "restore"), body: CANARY_CONTENT } as const;
    if (!(await isRefused(key, "could not try to write", put))) {
      report.errors.push(
        `${key.called} can write, and must only read: every host may have it. Replace it with one that reads, and deploy hub and hosts`,
      );
    }
    const remove = { method: "DELETE", key: canaryName(place, "restore") } as const;
    if (!(await isRefused(key, "could not try to delete", remove))) {
      report.errors.push(
        `${key.called} can delete, and must only read: every host may have it. Replace it with one that reads, and deploy hub and hosts`,
      );
    }
    const { body } = await key.client.must("could not read the canary", {
      method: "GET",
      key: canaryName(place),
    });
    if (body !== CANARY_CONTENT) {
      report.errors.push(`${key.called} reads another canary than the one that was written`);
    }
  }
}

/** Tries what somebody without any key must not be able to do. */
export async function tryStranger({ sync, place, report }: S3Trial): Promise<void> {
  const tries: readonly (readonly [string, S3Call])[] = [
    ["read", { method: "GET", key: canaryName(place) }],
    ["list", { method: "GET", query: { "list-type": "2", "max-keys": "1" } }],
  ];
  for (const [what, call] of tries) {
    const { status } = await sync.client.call({ ...call, anonymous: true });
    if (status < 400) {
      report.errors.push(
        `anybody can ${what} the bucket "${place.bucket}", without a key. Make it private there`,
      );
    }
  }
}

/** Writes the canary, and says which version it became. */
export async function putCanary({ sync, place }: S3Trial): Promise<S3Answer> {
  return await sync.client.must("could not write the canary", {
    method: "PUT",
    key: canaryName(place),
    body: CANARY_CONTENT,
    headers: { "content-type": "text/plain" },
  });
}
