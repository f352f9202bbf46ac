/** What can come back into an empty state, and what cannot: from settings, account and bundle. */
import { remembered, type StackRecord } from "../../config/record.ts";
import type { B2TargetConfig, StackConfig } from "../../config/stack.ts";
import { b2Keys, type B2Key } from "../../credentials/b2-keys.ts";
import { keyName } from "../../credentials/names.ts";
import { bucketIdsOf } from "../../sdks/b2/client/keys.ts";
import type { Key } from "../../sdks/b2/client/types.ts";
import type { StateResource } from "../stack.ts";
import type { Account } from "./look.ts";
import type { KeySecrets } from "./secrets.ts";

/** The types of what is imported, as the program makes them. */
export const COMPONENT = "fort-offsite:index:B2Target";
export const BUCKET = "b2:index/bucket:Bucket";
export const KEY = "b2:index/applicationKey:ApplicationKey";

/** A key of the target, and what becomes of it. */
export interface KeyPlan {
  /** The resource's name. */
  readonly resource: string;
  /** Its name at B2. */
  readonly name: string;
  readonly outcome: KeyOutcome;
}

export type KeyOutcome =
  /** It is in the state. */
  | { readonly kind: "here" }
  /** It is in the state without its secret, and in the way. */
  | { readonly kind: "secretless"; readonly urn: string }
  /** It comes back with its secret, once the secret was tried. */
  | { readonly kind: "import"; readonly id: string; readonly secret: string }
  /** It is at B2 and its secret is gone. */
  | { readonly kind: "lost"; readonly reason: string }
  /** B2 has none of the name: `pulumi up` makes it. */
  | { readonly kind: "new" };

/** One target's part of the plan. */
export interface TargetPlan {
  readonly target: string;
  /** The component's URN where the state has it. */
  readonly component: string | undefined;
  readonly bucketName: string;
  /** Undefined where B2 has none of the name. */
  readonly bucket: { readonly id: string; readonly isHere: boolean } | undefined;
  readonly keys: readonly KeyPlan[];
  /** Names of the target's keys at B2 that are of no generation in force. */
  readonly former: readonly string[];
}

/** All that the plan is made of. */
export interface PlanInput {
  readonly stack: string;
  readonly config: Pick<StackConfig, "hosts" | "targets">;
  readonly resources: readonly StateResource[];
  readonly account: Account;
  readonly secrets: KeySecrets;
  /** What the last update left, where the state still has it. */
  readonly before?: StackRecord | undefined;
}

/** The targets that keep something in the state that no derivation brings back. */
export function b2Targets({ targets }: Pick<StackConfig, "targets">): [string, B2TargetConfig][] {
  return Object.entries(targets).flatMap(([name, target]): [string, B2TargetConfig][] =>
    target.type === "b2" ? [[name, target]] : [],
  );
}

/** Makes the plan. Nothing in it has been tried. */
export function planOf(input: PlanInput): TargetPlan[] {
  return b2Targets(input.config).map(([target, settings]) => {
    const bucketId = input.account.buckets.get(target);
    const find = (type: string, name: string) => inState(input.resources, type, name);
    // Without a memory of the last update the program makes no key of the generation before.
    const kept = remembered(input.before?.kept ?? {}, target);
    const before = kept?.type === "b2" ? kept : undefined;
    const { keys } = b2Keys({ target: settings, hosts: input.config.hosts, before });
    const plans = keys.map((key) => keyPlan(input, target, bucketId, key));
    return {
      target,
      component: find(COMPONENT, target)?.urn,
      bucketName: settings.bucket,
      bucket:
        bucketId === undefined
          ? undefined
          : { id: bucketId, isHere: find(BUCKET, `${target}-bucket`) !== undefined },
      keys: plans,
      former: formerKeys(input, target, plans),
    };
  });
}

function inState(
  resources: readonly StateResource[],
  type: string,
  name: string,
): StateResource | undefined {
  return resources.find(
    (each) => each.type === type && each.urn.endsWith(`::${name}`) && each.delete !== true,
  );
}

function keyPlan(
  { stack, resources, account, secrets }: PlanInput,
  target: string,
  bucketId: string | undefined,
  { resource, formerly, purpose, host, generation }: B2Key,
): KeyPlan {
  const name = keyName({ stack, target, purpose, ...(host !== undefined && { host }) }, generation);
  const made = { resource: `${target}-${resource}`, name };
  const old = formerly === undefined ? undefined : inState(resources, KEY, `${target}-${formerly}`);
  const known = inState(resources, KEY, made.resource) ?? old;
  if (known !== undefined) {
    const hasSecret = typeof known.outputs.applicationKey === "string";
    return {
      ...made,
      outcome: hasSecret ? { kind: "here" } : { kind: "secretless", urn: known.urn },
    };
  }
  const found = account.keys.filter((key) => key.keyName === name && isOf(key, bucketId));
  const withSecret = found.find((key) => secrets.has(key.applicationKeyId));
  const secret = secrets.get(withSecret?.applicationKeyId ?? "");
  if (withSecret !== undefined && secret !== undefined) {
    return { ...made, outcome: { kind: "import", id: withSecret.applicationKeyId, secret } };
  }
  const reason = "no file of the bundle that could be opened has its secret";
  return { ...made, outcome: found.length === 0 ? { kind: "new" } : { kind: "lost", reason } };
}

function isOf(key: Key, bucketId: string | undefined): boolean {
  return bucketIdsOf(key).every((id) => id === bucketId);
}

function formerKeys(
  { stack, account }: PlanInput,
  target: string,
  plans: readonly KeyPlan[],
): string[] {
  const prefix = keyPrefix(stack, target);
  const inForce = new Set(plans.map(({ name }) => name));
  return account.keys
    .map((key) => key.keyName)
    .filter((name) => name.startsWith(prefix) && !inForce.has(name))
    .sort();
}

/** What the names of all keys of a target begin with. */
export function keyPrefix(stack: string, target: string): string {
  return keyName({ stack, target, purpose: "sync" }, 0).replace(/sync-g0$/, "");
}
