/** What resources are called: in the words of the settings and the bundle, not of the engine. */
import type { Change } from "./changes.ts";
import { textAt } from "./values.ts";
import { names, say, type Phrase } from "./phrase.ts";

/** What a change is of. */
export interface Subject {
  /** The resource alone. */
  readonly one: Phrase;
  /** What it shares with others, so that many are told in one line; the member's own name. */
  readonly of?: { readonly group: Phrase; readonly member: string };
}

/** What a key is for, by the name of its resource. */
export interface KeyName {
  readonly purpose: "sync" | "restore" | "monitor";
  readonly host?: string;
  readonly generation?: number;
}

const KEY_TYPES: ReadonlySet<string> = new Set([
  "b2:index/applicationKey:ApplicationKey",
  "cloudflare:index/apiToken:ApiToken",
  "cloudflare:index/accountToken:AccountToken",
]);

/** Whether it is a key that somebody holds. */
export function isKey({ type }: Pick<Change, "type">): boolean {
  return KEY_TYPES.has(type);
}

/** What a key is for; undefined where its name tells nothing that is known here. */
export function keyNameOf({ name, owner }: Pick<Change, "name" | "owner">): KeyName | undefined {
  const own =
    owner !== undefined && name.startsWith(`${owner}-`) ? name.slice(owner.length + 1) : name;
  const [, rest = own, count] = /^(.*)-g(\d+)$/.exec(own) ?? [];
  const generation = count === undefined ? {} : { generation: Number(count) };
  const [, purpose] = /^(?:hub-)?(sync|restore|monitor)$/.exec(rest) ?? [];
  if (purpose !== undefined) return { purpose: purpose as KeyName["purpose"], ...generation };
  const [, host] = /^restore-(.+)$/.exec(rest) ?? [];
  return host === undefined ? undefined : { purpose: "restore", host, ...generation };
}

/** What a resource is called. */
export function subjectOf(change: Change): Subject {
  const { type, name, owner = "" } = change;
  if (isKey(change)) return keySubject(change);
  switch (type) {
    case "b2:index/bucket:Bucket":
      return { one: say`the bucket ${inputOf(change, "bucketName") ?? name} of ${owner}` };
    case "cloudflare:index/r2Bucket:R2Bucket":
      return { one: say`the R2 bucket ${inputOf(change, "name") ?? name} of ${owner}` };
    case "cloudflare:index/r2BucketLock:R2BucketLock":
      return { one: say`the lock that keeps the objects of ${owner}` };
    case "cloudflare:index/r2BucketLifecycle:R2BucketLifecycle":
      return { one: say`the lifecycle rules of ${owner}` };
    case "command:local:Command":
      return localCommand(change);
    case "command:remote:Command":
      return { one: remoteCommand(change) };
    case "fort-offsite:index:Bundle":
      return { one: say`the bundle` };
    default:
      return type.startsWith("fort-offsite:index:")
        ? { one: say`the target ${name}` }
        : { one: say`${kindOf(type)} ${name}${owner === "" ? [] : say` of ${owner}`}` };
  }
}

function keySubject(change: Change): Subject {
  const { owner = "" } = change;
  const key = keyNameOf(change);
  if (key === undefined) return { one: say`the key ${change.name} of ${owner}` };
  const { purpose, host, generation } = key;
  const which = generation === undefined ? [] : say`, generation ${generation}`;
  if (host !== undefined) {
    return {
      one: say`the key with which ${host} restores from ${owner}${which}`,
      of: { group: say`the keys with which hosts restore from ${owner}${which}`, member: host },
    };
  }
  return { one: [...PURPOSES[purpose](owner), ...which] };
}

const PURPOSES: Readonly<Record<KeyName["purpose"], (target: string) => Phrase>> = {
  sync: (target) => say`the hub's sync key of ${target}`,
  restore: (target) => say`the hub's restore key of ${target}`,
  monitor: (target) => say`the hub's monitor key of ${target}`,
};

/** Whether it is a file of the bundle. */
export function isBundleFile({ type, ownerType }: Pick<Change, "type" | "ownerType">): boolean {
  return type === "command:local:Command" && ownerType === "fort-offsite:index:Bundle";
}

/** The host whose file of the bundle it is. */
export function hostOfFile(change: Change): string | undefined {
  return isBundleFile(change) ? /^hosts\/(.+)\.env$/.exec(change.name)?.[1] : undefined;
}

function localCommand(change: Change): Subject {
  const { name } = change;
  if (!isBundleFile(change)) return { one: say`the command ${name}, run by whoever updates` };
  return {
    one: say`the bundle's file ${name}`,
    of: { group: say`the bundle's files`, member: name },
  };
}

/** Targets whose one remote command is a server on a peer. */
const SERVERS: Readonly<Record<string, string>> = {
  "fort-offsite:index:RestServerTarget": "the rest-server at the peer",
  "fort-offsite:index:SftpTarget": "the SFTP directory at the peer",
};

/** Whether it is what holds a target's data on a peer. */
export function isPeerServer({
  type,
  ownerType = "",
}: Pick<Change, "type" | "ownerType">): boolean {
  return type === "command:remote:Command" && Object.hasOwn(SERVERS, ownerType);
}

function remoteCommand(change: Change): Phrase {
  const { name, owner = "", ownerType = "" } = change;
  const what = isPeerServer(change) ? SERVERS[ownerType] : undefined;
  return what === undefined
    ? say`the command ${name}, run on another machine`
    : [what, ...say` of ${owner}`];
}

/** The last part of a type's token: `DnsRecord`. */
function kindOf(type: string): Phrase {
  const kind = type.split(":").at(-1) ?? type;
  return /^\w{1,40}$/.test(kind) ? [kind] : say`${type}`;
}

/** A string among the inputs: as they will be, or else as they were. */
export function inputOf({ after, before }: Change, key: string): string | undefined {
  return textAt(after?.inputs, key) ?? textAt(before?.inputs, key);
}

/** Changes told together: one line for all that share a group. */
export function grouped(changes: readonly Change[]): Phrase[] {
  const groups = new Map<string, { group: Phrase; one: Phrase; members: string[] }>();
  for (const change of changes) {
    const { one, of } = subjectOf(change);
    const key = of === undefined ? change.urn : JSON.stringify(of.group);
    const known = groups.get(key) ?? { group: of?.group ?? one, one, members: [] };
    if (of !== undefined) known.members.push(of.member);
    groups.set(key, known);
  }
  return [...groups.values()].map(({ group, one, members }) =>
    members.length > 1 ? [...group, ...say`: ${names(members)}`] : one,
  );
}
