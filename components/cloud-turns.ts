import { remembered, type TargetRecord } from "../config/record.ts";
import type { CloudKeyOptions } from "../credentials/cloud-keys.ts";
import type { TargetContext } from "./target.ts";

/** What the last update left of the keys of a target whose cloud makes them. */
export function cloudTurns(
  name: string,
  type: Extract<TargetRecord, { hosts: unknown }>["type"],
  { before }: TargetContext,
): Pick<CloudKeyOptions, "before" | "revokedBefore"> {
  const kept = before && remembered(before.kept, name);
  const standing = before && remembered(before.targets, name);
  if (before === undefined || standing === undefined || kept?.type !== type) return {};
  if (!("hosts" in kept)) return {};
  const hosts = Object.entries(before.hosts).map(([host, { revoked }]) => [host, revoked] as const);
  return {
    before: kept,
    revokedBefore: { target: standing.revoked, hosts: Object.fromEntries(hosts) },
  };
}
