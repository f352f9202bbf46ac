/** What a change does to backups that are there: the part that a reviewer must not miss. */
import { isComponent, type Change } from "./changes.ts";
import type { Preview, Step } from "./preview.ts";
import { nameOf, typeOf } from "./preview.ts";
import { say, type Phrase } from "./phrase.ts";
import { isFields, textAt } from "./values.ts";
import { inputOf, isBundleFile, isKey, isPeerServer, subjectOf } from "./words.ts";

/**
 * What becomes of the data:
 * - `lost`: the update takes it away;
 * - `refused`: the update fails there, and what comes after it is not done;
 * - `left`: it stays, and is no longer used;
 * - `exposed`: it stays, with less that protects it;
 * - `unknown`: nothing is known here of this kind of resource.
 */
export type Fate = "lost" | "refused" | "left" | "exposed" | "unknown";

/** One danger to data. */
export interface Danger {
  readonly fate: Fate;
  /** What happens to what. */
  readonly what: Phrase;
  /** What becomes of the data, and the way out: sentences. */
  readonly data: Phrase;
}

/** Whether the update does what cannot be wanted, whatever a person says. */
export function isFatal({ fate }: Danger): boolean {
  return fate === "lost" || fate === "refused";
}

const BUCKETS: ReadonlySet<string> = new Set([
  "b2:index/bucket:Bucket",
  "cloudflare:index/r2Bucket:R2Bucket",
]);
const LOCK = "cloudflare:index/r2BucketLock:R2BucketLock";

/** What can be made again, or holds nothing. */
const HARMLESS =
  /^(?:docker:index\/|random:index\/|tls:index\/|cloudflare:index\/(?:dnsRecord|record|r2ManagedDomain|r2CustomDomain|r2BucketLifecycle|r2BucketCors|r2BucketEventNotification)[:/])/;

const ORDER: readonly Fate[] = ["lost", "refused", "unknown", "left", "exposed"];

/** The worst first. */
export function inOrder(dangers: readonly Danger[]): Danger[] {
  return [...dangers].sort((a, b) => ORDER.indexOf(a.fate) - ORDER.indexOf(b.fate));
}

/** All dangers to what holds data. */
export function dangersOf(preview: Preview, changes: readonly Change[]): Danger[] {
  return [
    ...changes.flatMap((change) => dangerOf(change) ?? []),
    ...takenNames(changes),
    ...preview.steps.flatMap(unguarded),
  ];
}

function dangerOf(change: Change): Danger | undefined {
  if (isComponent(change) || isKey(change) || isBundleFile(change)) return undefined;
  if (change.type === LOCK) return lockDanger(change);
  const isBucket = BUCKETS.has(change.type);
  if (change.operation === "update") return isBucket ? shorter(change) : undefined;
  if (!["replace", "delete", "forget"].includes(change.operation)) return undefined;
  if (isBucket) return bucketDanger(change);
  if (isPeerServer(change)) return serverDanger(change);
  return HARMLESS.test(change.type) ? undefined : unknownDanger(change);
}

const VERBS = { replace: "replaced", delete: "deleted", forget: "forgotten" } as const;

function headline(change: Change): Phrase {
  const verb = VERBS[change.operation as keyof typeof VERBS];
  const { one } = subjectOf(asBefore(change));
  return change.reasons.length > 0 && change.operation === "replace"
    ? say`${one} is ${[verb]}, because ${change.reasons.slice(0, 3).join(", ")} changes`
    : say`${one} is ${[verb]}`;
}

/** With the names that it has now, and not those that it will have. */
function asBefore(change: Change): Change {
  return change.before === undefined ? change : { ...change, after: undefined };
}

function bucketDanger(change: Change): Danger {
  const what = headline(change);
  const { before, operation } = change;
  const isReplaced = operation === "replace";
  if (before?.protect === true) return { fate: "refused", what, data: PROTECTED };
  if (before?.retainOnDelete !== true && operation !== "forget") {
    return {
      fate: "lost",
      what,
      data: say`ALL BACKUPS IN IT GO WITH IT: it is neither protected nor retained. A provider may refuse to delete a bucket that is not empty; do not rely on it.`,
    };
  }
  const after = isReplaced
    ? say` A new, empty one takes its place: the hub sends everything again, and what only the old one has can no longer be restored with the bundle.`
    : say` Nothing is sent to it any more, and its keys are taken back. Bring it back with \`offsite recover\`, or delete it by hand when it is no longer wanted.`;
  return {
    fate: "left",
    what,
    data: [
      "The old bucket and every backup in it stay at the provider, and are charged for (retainOnDelete).",
      ...after,
    ],
  };
}

const PROTECTED: Phrase = [
  "It is protected: the update fails here, and nothing that comes after it is done. If it is meant, take the protection away in a change of its own first.",
];

function serverDanger(change: Change): Danger {
  const what = headline(change);
  if (change.before?.protect === true) return { fate: "refused", what, data: PROTECTED };
  const [old, now] = [directoryOf(change.before), directoryOf(change.after)];
  const at = old === undefined ? say`its directory` : say`${old}`;
  const stays = say`The server is stopped first; the repositories stay in ${at} on the peer.`;
  if (change.operation !== "replace") {
    return {
      fate: "left",
      what,
      data: say`${stays} Nothing is sent there any more. Whoever takes the place up again finds them; to free it, remove the directory on the peer.`,
    };
  }
  const begins =
    now !== undefined && now !== old
      ? say` The new one begins in ${now}. Move the repositories there first, or the hub sends everything again.`
      : say` The new one takes its place.`;
  return { fate: "left", what, data: [...stays, ...begins] };
}

/** The data directory, on which the server's replacement depends. */
function directoryOf(state: Change["before"]): string | undefined {
  const triggers = state?.inputs.triggers;
  const [first] = Array.isArray(triggers) ? (triggers as unknown[]) : [];
  return typeof first === "string" ? first : undefined;
}

function lockDanger(change: Change): Danger | undefined {
  if (!["replace", "delete", "forget", "update"].includes(change.operation)) return undefined;
  const [was, will] = [lockedSeconds(change.before), lockedSeconds(change.after)];
  if (change.operation === "update" && will >= was) return undefined;
  const { one } = subjectOf(change);
  const verb = change.operation === "update" ? "made shorter" : VERBS[change.operation as "delete"];
  return {
    fate: "exposed",
    what: say`${one} is ${[verb]}`,
    data: say`R2 keeps no hidden versions: the lock is all that keeps a thief with the sync key from deleting the backups.`,
  };
}

/** For how long a lock keeps every object, in seconds; 0 where it does not. */
function lockedSeconds(state: Change["before"]): number {
  const rules = state?.inputs.rules;
  const kept = (Array.isArray(rules) ? (rules as unknown[]) : [])
    .filter(isFields)
    .filter(({ enabled, prefix }) => enabled === true && (prefix ?? "") === "")
    .map(({ condition }) => {
      if (!isFields(condition)) return 0;
      if (condition.type === "Indefinite") return Infinity;
      return typeof condition.maxAgeSeconds === "number" ? condition.maxAgeSeconds : 0;
    });
  return Math.max(0, ...kept);
}

function unknownDanger(change: Change): Danger {
  return {
    fate: "unknown",
    what: headline(change),
    data: say`Nothing is known here of ${change.type}: find out whether it holds data.${
      change.before?.protect === true ? PROTECTED : []
    }`,
  };
}

/** A bucket that keeps hidden versions for a shorter time than now. */
function shorter(change: Change): Danger | undefined {
  const [was, will] = [keptDays(change.before), keptDays(change.after)];
  if (was === undefined || will === undefined || will >= was) return undefined;
  return {
    fate: "exposed",
    what: say`${subjectOf(change).one} keeps what was hidden or overwritten for ${will} days, not ${was}`,
    data: say`What has been hidden for longer is deleted within a day of the update, and cannot be brought back.`,
  };
}

/** For how many days the bucket keeps hidden versions; undefined where no rule says it. */
function keptDays(state: Change["before"]): number | undefined {
  const rules = state?.inputs.lifecycleRules;
  const days = (Array.isArray(rules) ? (rules as unknown[]) : [])
    .filter(isFields)
    .map((rule) => rule.daysFromHidingToDeleting)
    .filter((value) => typeof value === "number");
  return days.length === 0 ? undefined : Math.min(...days);
}

/** Buckets to be made under a name that another one goes on having. */
function takenNames(changes: readonly Change[]): Danger[] {
  const buckets = changes.filter(({ type }) => BUCKETS.has(type));
  const key = (state: Change["before"]) =>
    (textAt(state?.inputs, "bucketName") ?? textAt(state?.inputs, "name"))?.toLowerCase();
  const kept = buckets.filter(({ operation }) => ["delete", "forget"].includes(operation));
  return buckets
    .filter(({ operation }) => operation === "create")
    .flatMap((made) => {
      const other = kept.find(({ before }) => key(before) === key(made.after));
      if (other === undefined || key(made.after) === undefined) return [];
      return [
        {
          fate: "refused" as const,
          what: say`${inputOf(made, "bucketName") ?? inputOf(made, "name") ?? made.name} is to be made for ${made.owner ?? ""}, and is the bucket of ${other.owner ?? ""}`,
          data: say`A bucket's name can be taken once: the update fails here. If the target is only to have another name, leave it as it is, or bring the bucket into the state under its new name with \`pulumi import\` (or \`pulumi state rename\`) first.`,
        },
      ];
    });
}

/** Protection that is taken away from what holds data, whatever else happens to it. */
function unguarded({ op, urn, oldState, newState, ...rest }: Step): Danger[] {
  if (op === "refresh" || oldState == null || newState == null) return [];
  const lost = [
    ...(oldState.protect && !newState.protect ? ["protect"] : []),
    ...(oldState.retainOnDelete && !newState.retainOnDelete ? ["retainOnDelete"] : []),
  ];
  if (lost.length === 0) return [];
  const type = typeOf({ op, urn, oldState, newState, ...rest });
  const { parent } = newState;
  const change: Change = {
    ...{ operation: "update", urn, type, name: nameOf(urn), reasons: [] },
    owner: parent === undefined ? undefined : nameOf(parent),
    ownerType: parent?.split("::")[2]?.split("$").at(-1),
    ...{ before: oldState, after: newState },
  };
  const what = say`${subjectOf(change).one} loses ${[lost.join(" and ")]}`;
  return [{ fate: "exposed", what, data: withoutGuard(change) }];
}

/** What can happen from then on to what is no longer protected. */
function withoutGuard(change: Change): Phrase {
  if (isPeerServer(change)) {
    return say`From then on a change, or \`pulumi destroy\`, can take the server away. The repositories stay on the peer.`;
  }
  return BUCKETS.has(change.type) && change.after?.retainOnDelete === true
    ? say`From then on a change, or \`pulumi destroy\`, can let go of it. The bucket and every backup in it stay at the provider (retainOnDelete).`
    : say`From then on a change, or \`pulumi destroy\`, can delete it with all that is in it.`;
}
