/** What a rotation changes in the settings, and whom it concerns. */
import { stepOf, type Standing } from "../../config/generations.ts";
import { remembered, type StackRecord } from "../../config/record.ts";
import type { StackConfig } from "../../config/stack.ts";
import { UsageError } from "../../hub/errors.ts";
import type { Edit } from "./settings-edit.ts";

/** What credentials are for. Guests may be left out where there are none. */
type Settings = Pick<StackConfig, "hosts" | "targets"> & Partial<Pick<StackConfig, "guests">>;

const KINDS = ["hosts", "targets", "guests"] as const;

/** A host, a target or a guest whose credentials turn over. */
export interface Turning {
  readonly at: (typeof KINDS)[number];
  readonly name: string;
  /** What the last update left in force. */
  readonly before: Standing;
  readonly now: Standing;
  /** Whether the settings have it already, from a rotation that did not come to its end. */
  readonly isPending: boolean;
}

/** What somebody asked for. */
export interface RotationRequest {
  readonly names: readonly string[];
  readonly all: boolean;
  readonly revoke: boolean;
}

type Named = Pick<Turning, "at" | "name">;

/**
 * Finds what is to turn over.
 *
 * @throws UsageError with all that is wrong with the request, or where the settings hold changes of
 * generations that nobody asked for here.
 */
export function planRotation(
  config: Settings,
  record: StackRecord | undefined,
  request: RotationRequest,
): Turning[] {
  if (record === undefined) {
    throw new UsageError(
      "there is no update yet whose credentials could be rotated. Run first: pulumi up",
    );
  }
  const wanted = request.all ? everything(config) : named(config, request.names);
  const turning = wanted.map((each) => turn(each, config, record, request.revoke));
  const all = [...turning, ...others(config, record, turning, request.revoke)];
  refuseTwice(config, turning, request);
  return all;
}

/** Whether all that was before is revoked. */
export function isRevocation({ before, now }: Turning): boolean {
  return now.revoked !== before.revoked;
}

/** The changes of the settings' file that a plan needs. */
export function editsOf(turning: readonly Turning[]): Edit[] {
  return turning
    .filter(({ isPending }) => !isPending)
    .map((each) => ({
      at: each.at,
      name: each.name,
      values: {
        generation: each.now.generation,
        ...(isRevocation(each) && { revoked: each.now.revoked }),
      },
    }));
}

/**
 * All hosts and guests, and the targets whose keys are made here and are not the hosts': a server's
 * passwords turn with those.
 */
function everything({ hosts, targets, guests = {} }: Settings): Named[] {
  const keyed = Object.keys(targets).filter(
    (name) => !["rest-server", "s3"].includes(targets[name]?.type ?? ""),
  );
  return [
    ...Object.keys(hosts).map((name) => ({ at: "hosts" as const, name })),
    ...keyed.map((name) => ({ at: "targets" as const, name })),
    ...Object.keys(guests).map((name) => ({ at: "guests" as const, name })),
  ];
}

/** How keys turn over that somebody else makes. */
export function s3Rotation(name: string): string {
  const key = `fort-offsite:targetSecrets.${name}`;
  return `the keys of ${name} are not made here: make a new pair at its provider, set it as ${key}.syncNext (pulumi config set --secret --path), run pulumi up and deploy the hub; then set it as ${key}.sync, raise fort-offsite:targets.${name}.generation by one, run pulumi up, deploy the hub, and delete the old pair there. After a leak delete it first (docs/targets/s3.md)`;
}

function named(settings: Settings, names: readonly string[]): Named[] {
  const problems: string[] = [];
  const found = [...new Set(names)].flatMap((given): Named[] => {
    const [, kind, bare = given] = /^(?:(host|target|guest):)?(.*)$/.exec(given) ?? [];
    const matches = KINDS.filter((at) => kind === undefined || at === `${kind}s`).filter((at) =>
      Object.hasOwn(settings[at] ?? {}, bare),
    );
    const [at] = matches;
    if (at === "targets" && settings.targets[bare]?.type === "s3") problems.push(s3Rotation(bare));
    if (at === undefined) problems.push(`"${given}" is neither a host nor a target, nor a guest`);
    if (matches.length > 1) {
      const kinds = matches.map((each) => each.slice(0, -1));
      const ways = kinds.map((each) => `${each}:${given}`).join(" or ");
      problems.push(`"${given}" is a ${kinds.join(" and a ")}: say ${ways}`);
    }
    return at === undefined ? [] : [{ at, name: bare }];
  });
  if (problems.length > 0) {
    const there = KINDS.filter((at) => Object.keys(settings[at] ?? {}).length > 0).map(
      (at) => `the ${at} ${Object.keys(settings[at] ?? {}).join(", ")}`,
    );
    throw new UsageError(`${problems.join("; ")}. There are ${there.join(" and ")}`);
  }
  return found;
}

function turn(
  { at, name }: Named,
  config: Settings,
  record: StackRecord,
  revoke: boolean,
): Turning {
  const now = config[at]?.[name];
  const before = remembered(record[at] ?? {}, name);
  if (now === undefined || before === undefined) {
    throw new UsageError(`${name} is not deployed yet: there is nothing to rotate. Run: pulumi up`);
  }
  const step = stepOf(before, now);
  const standing = { generation: now.generation, revoked: now.revoked };
  if (step === "revocation" || (step === "rotation" && !revoke)) {
    return { at, name, before, now: standing, isPending: true };
  }
  // A rotation that did not come to its end may have written the bundle: who has that holds the
  // generation after it as well.
  const latest = step === "rotation" ? standing : before;
  return { at, name, before, now: next(latest, revoke), isPending: false };
}

function next({ generation, revoked }: Standing, revoke: boolean): Standing {
  // Whoever holds the generation in force holds the one after it as well.
  return revoke
    ? { generation: generation + 2, revoked: generation + 1 }
    : { generation: generation + 1, revoked };
}

/**
 * What waits in the settings already: an update takes all of them. A rotation is not made along with
 * it; a revocation must not wait for it.
 */
function others(
  config: Settings,
  record: StackRecord,
  turning: readonly Turning[],
  revoke: boolean,
): Turning[] {
  const waiting = KINDS.flatMap((at) =>
    Object.entries<Standing>(config[at] ?? {})
      .filter(([name]) => !turning.some((each) => each.at === at && each.name === name))
      .filter(([name, now]) => stepOf(remembered(record[at] ?? {}, name), now) !== "none")
      .map(([name]) => turn({ at, name }, config, record, false)),
  );
  if (revoke || waiting.length === 0) return waiting;
  const places = waiting.map(({ at, name }) => `${at}.${name}`).join(", ");
  throw new UsageError(
    `the settings have another generation than what is in force for ${places}. Run pulumi up for that first, and deploy`,
  );
}

/** A host's password at a server turns over with the host's generation and with the server's. */
function refuseTwice(
  { targets }: Settings,
  turning: readonly Turning[],
  { revoke }: RotationRequest,
): void {
  const servers = turning
    .filter(({ at, name }) => at === "targets" && targets[name]?.type === "rest-server")
    .map(({ name }) => name);
  if (revoke || servers.length === 0 || !turning.some(({ at }) => at === "hosts")) return;
  throw new UsageError(
    `a host's password at ${servers.join(", ")} turns over with the host already; with both at once it would skip a generation. Leave ${servers.join(", ")} out, or rotate it after every machine was deployed`,
  );
}
