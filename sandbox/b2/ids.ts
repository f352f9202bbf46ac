import { randomBytes, randomInt } from "node:crypto";

/** @returns a bucket's id: 24 hex digits, ending in the account's */
export function newBucketId(accountId: string): string {
  return randomBytes(6).toString("hex") + accountId;
}

/** @returns an application key's id: 25 characters, as Backblaze's examples show */
export function newKeyId(accountId: string): string {
  return `005${accountId.slice(0, 12)}${randomInt(1, 0xffffffff).toString().padStart(10, "0")}`;
}

/** @returns an application key's secret: 31 characters, as Backblaze's examples show */
export function newSecret(): string {
  return `K005${randomBytes(20).toString("base64").slice(0, 27)}`;
}

/**
 * @returns a file's id in the shape of Backblaze's, which carries the bucket, whether it is large,
 *   and the upload time
 */
export function newFileId(bucketId: string, large: boolean, timestamp: number): string {
  const [date = "", time = ""] = new Date(timestamp).toISOString().split("T");
  return [
    `4_z${bucketId}`,
    `f${large ? "2" : "1"}${randomBytes(8).toString("hex").slice(1)}`,
    `d${date.replaceAll("-", "")}`,
    `m${time.slice(0, 8).replaceAll(":", "")}`,
    "c005",
    "v0501001",
    `t${randomInt(0, 60).toString().padStart(4, "0")}`,
    `u${timestamp.toString().padStart(14, "0")}`,
  ].join("_");
}

/** @returns the upload time in a file's id, or null when it is not such an id */
export function timestampOfFileId(fileId: string): number | null {
  const match = /^4_z[0-9a-f]{24}_f[0-9a-f]+_d\d+_m\d+_c\d+_v\d+_t\d+_u(\d{14,})$/.exec(fileId);
  return match?.[1] === undefined ? null : Number(match[1]);
}
