/**
 * What becomes of a target's data when the target leaves the config or moves, and that a protected
 * one does neither (docs/adr/0013-protect.md).
 */
import type { Problem } from "./problems.ts";
import { show } from "./problems.ts";
import { remembered, type StackRecord } from "./record.ts";
import type { StackConfig, TargetConfig } from "./stack.ts";

/** What the next update has to know of where a target's data is. */
export interface TargetData {
  readonly protect: boolean;
  /** The settings that say where the data is. */
  readonly place: Readonly<Record<string, string>>;
  /** What stays, and where, when the target leaves: a sentence without its end. */
  readonly remains: string;
}

/** The data of a target with these settings. */
export function dataOf(target: TargetConfig): TargetData {
  const { protect } = target;
  switch (target.type) {
    case "b2":
      return {
        protect,
        place: { type: target.type, bucket: target.bucket },
        remains: bucketAt(target, "Backblaze"),
      };
    case "r2":
      return {
        protect,
        place: { type: target.type, accountId: target.accountId, bucket: target.bucket },
        remains: bucketAt(target, "Cloudflare"),
      };
    case "s3":
      return {
        protect,
        place: {
          type: target.type,
          endpoint: target.endpoint,
          bucket: target.bucket,
          ...(target.prefix !== undefined && { prefix: target.prefix }),
        },
        remains: `the bucket ${show(target.bucket)} at ${target.endpoint} stays as it is, with its keys and its costs. Delete both there by hand`,
      };
    case "rest-server":
      return {
        protect,
        place: { type: target.type, dataDir: target.dataDir },
        remains: `the server at ${target.ssh.host} is stopped and taken away, and the repositories stay in ${target.dataDir}/repositories. Delete them there by hand, or put the target back into the config: it finds them again`,
      };
    case "sftp":
      return {
        protect,
        place: { type: target.type, dataDir: target.dataDir },
        remains: `nobody is let in at ${target.ssh.host} any more, and the repositories stay below ${target.dataDir}. Delete them there by hand, or put the target back into the config: it finds them again`,
      };
  }
}

function bucketAt({ bucket }: { readonly bucket: string }, provider: string): string {
  return `the bucket ${show(bucket)} at ${provider} stays with all that is in it, and goes on costing; its keys are deleted. Delete it there by hand, or put the target back into the config and take the bucket back with: pulumi import`;
}

/** What a removal asks of the operator first. */
const UNPROTECT = "set its protect to false and run pulumi up";

/** Finds protected targets of the last update that the config lacks, or has elsewhere. */
export function removalProblems(
  { targets }: Pick<StackConfig, "targets">,
  before: StackRecord | undefined,
): Problem[] {
  return Object.entries(before?.kept ?? {}).flatMap(([name, { data }]): Problem[] => {
    if (data?.protect !== true) return [];
    const target = remembered(targets, name);
    if (target === undefined) {
      const message = `is gone from the config, and protected. Put it back, ${UNPROTECT}; then take it out. What happens then: ${data.remains}`;
      return [{ path: ["targets", name], message }];
    }
    const now = dataOf(target).place;
    // Another type has other settings: that one line says it.
    const place = data.place.type === target.type ? data.place : { type: data.place.type ?? "" };
    return Object.entries(place).flatMap(([field, was]) => {
      const given = remembered(now, field);
      if (given === was) return [];
      const message = `got ${given === undefined ? "nothing" : show(given)}, but the target is protected and keeps its data in ${show(was)}: another place begins empty. Put ${show(was)} back, ${UNPROTECT}; or give the new place a target of its own`;
      return [{ path: ["targets", name, field], message }];
    });
  });
}

/** What happens to the data of those targets of the last update that the config no longer has. */
export function farewells(
  { targets }: Pick<StackConfig, "targets">,
  before: StackRecord | undefined,
): string[] {
  return Object.entries(before?.kept ?? {}).flatMap(([name, { data }]) => {
    if (remembered(targets, name) !== undefined) return [];
    return [`${name} is no longer in the config: ${data?.remains ?? "its data stays where it is"}`];
  });
}
