/** Which API tokens an R2 target has, and what each may do. */
import { createHash } from "node:crypto";
import type { TargetRecord } from "../config/record.ts";
import { cloudKeys, type CloudKey, type CloudKeyOptions } from "./cloud-keys.ts";

/** What the last update left of an R2 target. */
export type R2Record = Extract<TargetRecord, { type: "r2" }>;

export type R2Key = CloudKey<"sync" | "restore">;

/** The tokens that an account may have (Cloudflare, "API token limits": account API token quota). */
export const ACCOUNT_TOKENS = 500;

/**
 * Cloudflare's permission groups by what a token is for. Their IDs are the same in every account;
 * `GET /accounts/<account>/tokens/permission_groups` lists them with their names. The one that
 * writes also deletes: a bucket's lock rule is what keeps the objects.
 */
export const R2_PERMISSIONS = {
  /** "Workers R2 Storage Bucket Item Write". */
  sync: "2efd5506f9c8494dacb1fa10a3e7d5b6",
  /** "Workers R2 Storage Bucket Item Read". */
  restore: "6a018a9f2fc74eb6b293b0c548f38b39",
} as const satisfies Record<R2Key["purpose"], string>;

/**
 * The tokens that a target has, and what the next update has to know of them. There is none for a
 * monitor: listing and reading are one permission.
 */
export function r2Keys(options: CloudKeyOptions): { keys: R2Key[]; record: R2Record } {
  const { keys, turns } = cloudKeys(options, ["restore"]);
  return { keys, record: { type: "r2", ...turns } };
}

/** How a token's policy names a bucket (Cloudflare, "R2 API tokens": access policy). */
export function r2Resource(accountId: string, jurisdiction: string, bucket: string): string {
  return `com.cloudflare.edge.r2.bucket.${accountId}_${jurisdiction}_${bucket}`;
}

/** The S3 API's base URL of an account (Cloudflare, "R2 API tokens"). */
export function r2Endpoint(accountId: string, jurisdiction: string): string {
  const where = jurisdiction === "default" ? "" : `.${jurisdiction}`;
  return `https://${accountId}${where}.r2.cloudflarestorage.com`;
}

/**
 * The key pair with which an API token is good at the S3 API (Cloudflare, "Get S3 API credentials
 * from an API token").
 */
export function r2Credentials(token: { readonly id: string; readonly value: string }): {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
} {
  return {
    accessKeyId: token.id,
    secretAccessKey: createHash("sha256").update(token.value).digest("hex"),
  };
}
