/** The application keys that a target's stack has, and what is to be said of those that exist. */
import { z } from "zod";
import { B2_CAPABILITIES } from "../../credentials/b2-capabilities.ts";
import { b2Keys, type B2Record } from "../../credentials/b2-keys.ts";
import { jointGeneration } from "../../credentials/derive.ts";
import { keyName } from "../../credentials/names.ts";
import type { Standing } from "../../config/generations.ts";
import { excerpt } from "../../hub/format.ts";
import { bucketIdsOf } from "../../sdks/b2/client/keys.ts";
import type { Authorization, Key } from "../../sdks/b2/client/types.ts";
import type { StateResource } from "../stack.ts";
import type { Check } from "./checks.ts";

type Purpose = keyof typeof B2_CAPABILITIES;

/** A key of the stack. */
export interface StackKey {
  readonly id: string;
  /** Secret. */
  readonly secret: string;
  readonly name: string;
  /** Undefined for one whose name is none of those that the last update left in force. */
  readonly expected: ExpectedKey | undefined;
  /** The state waits for its deletion. */
  readonly isDoomed: boolean;
}

/** A key as the last update left it. */
export interface ExpectedKey {
  readonly name: string;
  readonly purpose: Purpose;
  readonly generation: number;
  readonly host: string | undefined;
  /** Seen from the generation in force. */
  readonly turn: "previous" | "current" | "next";
}

const DAY_MS = 24 * 3600 * 1000;

/** Days before a key's end from which it is a finding. */
const END_DAYS = 30;

const outputsSchema = z.object({
  applicationKeyId: z.string(),
  applicationKey: z.string().default(""),
  keyName: z.string(),
});

/** Which keys the last update left. */
export function expectedKeys(
  { stack, target }: { readonly stack: string; readonly target: string },
  standing: { readonly target: Standing; readonly hosts: Readonly<Record<string, Standing>> },
  before: B2Record | undefined,
): ExpectedKey[] {
  const { keys } = b2Keys({ ...standing, before });
  return keys.map(({ purpose, generation, host }) => {
    const ofHost = host === undefined ? 1 : (standing.hosts[host]?.generation ?? 1);
    const current = jointGeneration(ofHost, standing.target.generation);
    return {
      name: keyName({ stack, target, purpose, ...(host !== undefined && { host }) }, generation),
      ...{ purpose, generation, host },
      turn: generation < current ? "previous" : generation > current ? "next" : "current",
    };
  });
}

/** The keys of a target that are in the state. */
export function stackKeys(
  resources: readonly StateResource[],
  expected: readonly ExpectedKey[],
): StackKey[] {
  const byName = new Map(expected.map((key) => [key.name, key]));
  return resources
    .filter(({ type }) => type === "b2:index/applicationKey:ApplicationKey")
    .flatMap(({ outputs, delete: isDoomed = false }) => {
      const { data } = outputsSchema.safeParse(outputs);
      if (data === undefined) return [];
      const { applicationKeyId: id, applicationKey: secret, keyName: name } = data;
      return [{ id, secret, name, expected: byName.get(name), isDoomed }];
    });
}

/** What a key may do and reach, against what it must. */
export function judgeKey(
  { name, id, expected }: StackKey,
  authorization: Authorization,
  bucketId: string,
  check: Check,
): void {
  const { buckets, capabilities, namePrefix } = authorization.apiInfo.storageApi.allowed;
  const called = `the key "${name}" (${id})`;
  const remedy = "Make it anew with pulumi up --refresh, and deploy who holds it";
  const wanted: readonly string[] = expected === undefined ? [] : B2_CAPABILITIES[expected.purpose];
  const extra = capabilities.filter((each) => !wanted.includes(each));
  const lacking = wanted.filter((each) => !capabilities.includes(each));
  if (expected !== undefined && extra.length > 0) {
    check.error(`${called} may do more than it must: ${extra.join(", ")}. ${remedy}`);
  }
  if (lacking.length > 0) {
    check.error(`${called} may do less than it must: it lacks ${lacking.join(", ")}. ${remedy}`);
  }
  if (buckets?.length !== 1 || buckets[0]?.id !== bucketId) {
    const reach = buckets?.map((each) => each.name ?? each.id).join(", ") ?? "every bucket";
    check.error(`${called} reaches ${reach}, and must reach the target's alone. ${remedy}`);
  }
  const prefix = expected?.host === undefined ? "" : `${expected.host}/`;
  if (expected !== undefined && (namePrefix ?? "") !== prefix) {
    const reach = namePrefix ? `files that begin with "${excerpt(namePrefix)}"` : "all files";
    check.error(`${called} reaches ${reach}, and must reach "${prefix}" alone. ${remedy}`);
  }
}

/** Keys that end soon: whoever holds one is shut out then. */
export function judgeEnds(
  keys: readonly StackKey[],
  listed: readonly Key[],
  { keyDays, target, now }: { keyDays: number | undefined; target: string; now: number },
  check: Check,
): void {
  const days = Math.min(END_DAYS, (keyDays ?? Infinity) / 3);
  const ids = new Map(keys.map((key) => [key.id, key]));
  for (const { applicationKeyId: id, expirationTimestamp: end } of listed) {
    const key = ids.get(id);
    if (key?.expected === undefined || end == null || end - now > days * DAY_MS) continue;
    const { turn, host } = key.expected;
    // Its successor is in force already.
    if (turn === "previous") continue;
    const rotate = `offsite rotate ${host ?? target}, and deploy ${host ?? "the hub"}`;
    // What is next was made one rotation earlier than what comes after it.
    const how =
      turn === "next" ? `${rotate}, twice: the first makes this key the one in force` : rotate;
    check.error(
      `the key "${key.name}" (${id}) ends ${day(end)}, and is refused from then on. Replace it before: ${how}`,
    );
  }
}

/** Who else reaches the bucket. */
export interface StrangerOptions {
  readonly bucketId: string;
  /** The ids of the stack's keys, of the operator's own, and of those that the operator knows. */
  readonly known: ReadonlySet<string>;
  /** What the names of the target's keys begin with. */
  readonly prefix: string;
  readonly now: number;
}

/**
 * Tells of every key that reaches the bucket and is not known: what it is called, may do, and when
 * it ends.
 *
 * @returns how many there are.
 */
export function judgeStrangers(
  listed: readonly Key[],
  { bucketId, known, prefix, now }: StrangerOptions,
  check: Check,
): number {
  const strangers = listed.filter((key) => {
    const buckets = bucketIdsOf(key);
    const isAlive = key.expirationTimestamp == null || key.expirationTimestamp > now;
    const reaches = buckets.length === 0 || buckets.includes(bucketId);
    return isAlive && reaches && !known.has(key.applicationKeyId);
  });
  for (const key of strangers) {
    const { applicationKeyId: id, capabilities, namePrefix, expirationTimestamp } = key;
    const whose = key.keyName.startsWith(prefix)
      ? "has a name like the stack's own, and the stack does not keep it (any more)"
      : "is not the stack's";
    const where = namePrefix ? `below "${excerpt(namePrefix)}"` : "in the whole bucket";
    const end =
      expirationTimestamp == null ? "it never ends" : `it ends ${day(expirationTimestamp)}`;
    check.error(
      `the key "${excerpt(key.keyName)}" (${excerpt(id)}) ${whose}: it may ${capabilities.map(excerpt).join(", ")} ${where}; ${end}. ` +
        `If it is nobody's whom you trust, delete it: b2 key delete ${excerpt(id)}, or at www.backblaze.com under Application Keys. If you know it: --known-key ${excerpt(id)}`,
    );
  }
  return strangers.length;
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
