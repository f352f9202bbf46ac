/** Which application keys a B2 target has. */
import type { TargetRecord } from "../config/record.ts";
import { cloudKeys, type CloudKey, type CloudKeyOptions } from "./cloud-keys.ts";

/** What the last update left of a B2 target. */
export type B2Record = Extract<TargetRecord, { type: "b2" }>;

export type B2Key = CloudKey;
export type B2KeyOptions = CloudKeyOptions;

/** The keys that a target has, and what the next update has to know of them. */
export function b2Keys(options: B2KeyOptions): { keys: B2Key[]; record: B2Record } {
  const { keys, turns } = cloudKeys(options, ["restore", "monitor"]);
  return { keys, record: { type: "b2", ...turns } };
}
