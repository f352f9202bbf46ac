/**
 * Whether the settings fit what was last deployed: older ones would bring passwords back that were
 * replaced, and another seed would make others altogether.
 */
import type { HubCredentials } from "../../config/manifest.ts";
import type { Problem } from "../../config/problems.ts";
import type { StackConfig } from "../../config/stack.ts";
import { derivePassword, jointGeneration } from "../../credentials/derive.ts";
import { keyName, type KeyOwner } from "../../credentials/names.ts";
import type { Key } from "../../sdks/b2/client/types.ts";
import { b2Targets } from "./plan.ts";

type Settings = Pick<StackConfig, "hosts" | "targets" | "credentialSeed">;

const OLDER =
  "these settings are older than what was last deployed, and would bring back what was replaced";

/** Finds where the account has keys of later generations than the settings lead to. */
export function accountProblems(stack: string, config: Settings, keys: readonly Key[]): Problem[] {
  const names = keys.map((key) => key.keyName);
  return b2Targets(config).flatMap(([target, { generation }]) => {
    const latest = latestOf(names, { stack, target, purpose: "sync" });
    // The sync key of the generation after the current one is made in advance.
    if (latest > generation + 1) return [older(["targets", target], generation, latest - 1)];
    return Object.entries(config.hosts).flatMap(([host, own]) => {
      const joint = jointGeneration(own.generation, generation);
      const found = latestOf(names, { stack, target, purpose: "restore", host });
      return found > joint
        ? [older(["hosts", host], own.generation, own.generation + found - joint)]
        : [];
    });
  });
}

function latestOf(names: readonly string[], owner: KeyOwner): number {
  const prefix = keyName(owner, 0).replace(/0$/, "");
  const generations = names
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter((generation) => Number.isInteger(generation));
  return Math.max(0, ...generations);
}

function older(path: readonly string[], given: number, least: number): Problem {
  return {
    path: [...path, "generation"],
    message: `got ${given}, must be ${least}: ${OLDER}. Take the latest settings file, or set the number`,
  };
}

/** Finds where the hub's passwords in the bundle are not those that the settings lead to. */
export function hubProblems(config: Settings, hub: HubCredentials | undefined): Problem[] {
  const problems: Problem[] = [];
  let isSeed = true;
  for (const [target, had] of Object.entries(hub?.targets ?? {})) {
    const settings = Object.hasOwn(config.targets, target) ? config.targets[target] : undefined;
    if (settings === undefined) continue;
    if (had.type !== "rest-server") {
      if (had.generation > settings.generation) {
        problems.push(older(["targets", target], settings.generation, had.generation));
      }
      continue;
    }
    for (const [host, { generation, current }] of Object.entries(had.users)) {
      const owner = { at: "target", target, host } as const;
      isSeed &&= derivePassword(config.credentialSeed, owner, generation) === current;
      const own = Object.hasOwn(config.hosts, host) ? config.hosts[host] : undefined;
      if (own === undefined) continue;
      const joint = jointGeneration(own.generation, settings.generation);
      if (generation > joint) {
        problems.push(older(["hosts", host], own.generation, own.generation + generation - joint));
      }
    }
  }
  return isSeed
    ? problems
    : [
        {
          path: ["credentialSeed"],
          message:
            "is not the one that the bundle was made with: every password would be another, and no machine would get in. Take the settings file that made the bundle",
        },
      ];
}
