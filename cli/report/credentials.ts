/** Which credentials turn over, who may read what, and which machines are to be deployed. */
import { z } from "zod";
import type { Change } from "./changes.ts";
import { names, say, type Phrase } from "./phrase.ts";
import { setting, type Settings } from "./settings.ts";
import { isFields, textAt } from "./values.ts";
import { grouped, hostOfFile, isBundleFile, isKey, keyNameOf } from "./words.ts";

/** Machines that need the new bundle. */
export interface Machines {
  /** The hub's name, where its own files change; without a name where that is not known. */
  readonly hub: string | undefined;
  /** Hosts other than the hub. */
  readonly hosts: readonly string[];
  /** In which order and by when: sentences. */
  readonly order: readonly Phrase[];
}

/** What becomes of credentials. */
export interface Credentials {
  /** A line for each host and target whose credentials turn over, or key that stops working. */
  readonly turning: readonly Phrase[];
  /** A line for each that can open more than before: the most dangerous change there is. */
  readonly readers: readonly Phrase[];
  readonly machines: Machines;
  /** Whether something stops working before its machine is deployed. */
  readonly urgent: boolean;
}

/**
 * Finds them.
 *
 * @param base - the settings before the change, where they are known: without them a host's
 * generation at a rest-server cannot be told.
 */
export function credentialsOf(
  changes: readonly Change[],
  base: Settings | undefined,
  settings: Settings,
): Credentials {
  const steps = base === undefined ? undefined : stepsBetween(base, settings);
  const seed = base !== undefined && isSetAnew(base, settings, "credentialSeed");
  const replaced = changes.filter((each) => isKey(each) && each.operation === "replace");
  const turning = [
    ...(seed ? [SEED] : []),
    ...(steps?.lines ?? inferred(changes)),
    ...anew(replaced),
    ...lostReaders(changes),
  ];
  const urgent = seed || replaced.length > 0 || (steps?.revokes ?? false);
  return {
    turning,
    readers: readersOf(changes),
    machines: machinesOf(changes, urgent, hubOf(settings)),
    urgent,
  };
}

/** A line for each target whose keys are replaced under their names. */
function anew(replaced: readonly Change[]): Phrase[] {
  const owners = [...new Set(replaced.map(({ owner }) => owner))];
  return owners.map((owner) => {
    const keys = grouped(replaced.filter((each) => each.owner === owner));
    const all = keys.flatMap((key, at) => (at === 0 ? key : ["; ", ...key]));
    return say`Made anew under the same generation, so that what machines hold stops working with the update: ${all}`;
  });
}

function hubOf(settings: Settings): string {
  const hub = setting(settings, "hub");
  return (isFields(hub) ? textAt(hub, "host") : undefined) ?? "";
}

const SEED: Phrase = [
  "The seed is set anew: if it is another one, EVERY password changes at once, and no backup runs until its machine is deployed",
];

function isSetAnew(base: Settings, settings: Settings, name: string): boolean {
  const [was, is] = [setting(base, name), setting(settings, name)];
  // A preview's document masks it: then nothing can be told.
  return isFields(was) && isFields(is) && was.secure !== is.secure;
}

const standing = z.object({ generation: z.number().default(1), revoked: z.number().default(0) });
const standings = z.record(z.string(), standing).catch({});

function stepsBetween(base: Settings, settings: Settings): { lines: Phrase[]; revokes: boolean } {
  const found = (["hosts", "targets", "guests"] as const).flatMap((at) => {
    const [was, is] = [base, settings].map((all) => standings.parse(setting(all, at) ?? {}));
    return Object.entries(is ?? {}).flatMap(([name, now]) => {
      const before = was !== undefined && Object.hasOwn(was, name) ? was[name] : undefined;
      if (before === undefined) return [];
      const revokes = now.revoked !== before.revoked;
      if (before.generation === now.generation && !revokes) return [];
      const whose =
        at === "hosts"
          ? say`${name} everywhere`
          : say`the ${[at === "guests" ? "guest" : "target"]} ${name}`;
      const rest = revokes ? say`; ALL before it are revoked` : [];
      return [
        {
          revokes,
          line: say`The credentials of ${whose}: generation ${before.generation} to ${now.generation}${rest}`,
        },
      ];
    });
  });
  return { lines: found.map(({ line }) => line), revokes: found.some(({ revokes }) => revokes) };
}

/** Without the settings of before: what keys of another generation, made and taken back, tell. */
function inferred(changes: readonly Change[]): Phrase[] {
  const keys = changes.filter(isKey);
  const removed = new Set(goneTargets(changes));
  return [...new Set(keys.map(({ owner }) => owner))].flatMap((owner): Phrase[] => {
    if (owner === undefined || removed.has(owner)) return [];
    const made = keys
      .filter((each) => each.owner === owner && each.operation === "create")
      .flatMap((each) => keyNameOf(each) ?? []);
    const isNew = changes.some(
      ({ operation, name, owner: of }) =>
        operation === "create" && name === owner && of === undefined,
    );
    if (isNew || made.length === 0) return [];
    if (made.some(({ host }) => host === undefined)) {
      return [say`The credentials of the target ${owner} turn over`];
    }
    const hosts = made.flatMap(({ host, generation }) =>
      host !== undefined && (generation ?? 1) > 1 ? [host] : [],
    );
    return hosts.length === 0 ? [] : [say`The credentials of ${names(hosts)} turn over`];
  });
}

function goneTargets(changes: readonly Change[]): string[] {
  return changes
    .filter(({ type, operation }) => operation === "delete" && /^fort-offsite:.*Target$/.test(type))
    .map(({ name }) => name);
}

/** Files of the bundle that the hub opens. */
const OF_HUB: ReadonlySet<string> = new Set([
  "offsite.json",
  "hub.htpasswd",
  "rclone.conf",
  "hub-credentials.json",
]);

function machinesOf(changes: readonly Change[], urgent: boolean, hubName: string): Machines {
  const files = filesThatStay(changes);
  const hub = files.some(
    ({ name }) => OF_HUB.has(name) || /^(?:wireguard\/|guests\/.*\.htpasswd$)/.test(name),
  );
  const guests = files.flatMap(({ name }) => /^guests\/(.+)\.env$/.exec(name)?.[1] ?? []);
  const of = (operations: readonly Change["operation"][]) =>
    files
      .filter(({ operation }) => operations.includes(operation))
      .flatMap((each) => hostOfFile(each) ?? []);
  const fresh = of(["create"]);
  const known = of(["update", "replace"]);
  const order: Phrase[] = [];
  if (urgent && (hub || known.length > 0)) {
    order.push(
      say`AT ONCE after the update, the hub first: until a machine is deployed, what it holds is refused`,
    );
  } else if (fresh.length > 0 && hub) {
    order.push(say`The hub first, so that it lets the new ones in; the rest in any order`);
  } else if (hub || known.length > 0) {
    order.push(
      say`In any order, when it suits you, once before the next rotation: no backup fails meanwhile`,
    );
  }
  if (guests.length > 0) {
    const of = guests.length === 1 ? "the guest" : "the guests";
    order.push(
      say`The owner of ${[of]} ${names(guests)} is to be given the new file of the bundle`,
    );
  }
  const hosts = [...fresh, ...known].sort();
  // The hub's own machine is a host as well.
  const isHub = hub || hosts.includes(hubName);
  return {
    hub: isHub ? hubName : undefined,
    hosts: hosts.filter((name) => name !== hubName),
    order,
  };
}

/** Keys that the bundle is sealed for no more: an operator's own, without which nothing is recovered. */
function lostReaders(changes: readonly Change[]): Phrase[] {
  const files = filesThatStay(changes).filter((file) => !isUnsealed(file));
  const lost = byReader(files, ({ before, after }) =>
    missing(recipients(after), recipients(before)),
  );
  return [...lost].map(
    ([reader, paths]) =>
      say`The key ${reader} can no longer open ${names(paths)} of the new bundle`,
  );
}

function filesThatStay(changes: readonly Change[]): Change[] {
  return changes.filter((each) => isBundleFile(each) && each.operation !== "delete");
}

/** The names of files by the keys that something is said of. */
function byReader(
  files: readonly Change[],
  readers: (file: Change) => readonly string[],
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const file of files) {
    for (const reader of readers(file)) {
      found.set(reader, [...(found.get(reader) ?? []), file.name]);
    }
  }
  return found;
}

/** What of the second is not in the first. */
function missing(here: readonly string[], from: readonly string[]): string[] {
  return from.filter((key) => !here.includes(key));
}

/** Keys that can open what they could not, and files that are no longer sealed. */
function readersOf(changes: readonly Change[]): Phrase[] {
  const files = filesThatStay(changes);
  const opened = byReader(files, ({ before, after }) =>
    before === undefined ? [] : missing(recipients(before), recipients(after)),
  );
  const unsealed = files.filter((file) => isUnsealed(file)).map(({ name }) => name);
  return [
    ...(unsealed.length > 0
      ? [say`${names(unsealed)} will lie in the bundle WITHOUT ENCRYPTION`]
      : []),
    ...[...opened].map(
      ([reader, paths]) =>
        say`The key ${reader} can open ${names(paths)}, which it could not before`,
    ),
  ];
}

function recipients(state: Change["before"]): string[] {
  return (environment(state, "RECIPIENTS") ?? "").split("\n").filter((key) => key !== "");
}

function isUnsealed({ before, after }: Change): boolean {
  const [was, is] = [environment(before, "FORMAT"), environment(after, "FORMAT")];
  return is === "plain" || (is === "public" && was !== undefined && was !== "public");
}

function environment(state: Change["before"], key: string): string | undefined {
  const variables = state?.inputs.environment;
  return isFields(variables) ? textAt(variables, key) : undefined;
}
