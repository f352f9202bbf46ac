/**
 * Which keys a target at a cloud has that makes them itself: by whom they are used, and of which
 * generations.
 *
 * Such a cloud accepts every key that exists, so that there need be no moment at which a machine holds none
 * that is good: the key that was in force before stays beside the current one until the next
 * rotation. What a running upload or a machine that is deployed late holds goes on working.
 */
import type { Standing } from "../config/generations.ts";
import { remembered, type TargetRecord, type Turn } from "../config/record.ts";
import { jointGeneration } from "./derive.ts";

/** What the last update left of the keys of a target at a cloud. */
export type CloudTurns = Pick<
  Extract<TargetRecord, { type: "b2" }>,
  "generation" | "previous" | "hosts"
>;

/** What a key is for. */
export type KeyPurpose = "sync" | "restore" | "monitor";

/** One key. */
export interface CloudKey<Purpose extends KeyPurpose = KeyPurpose> {
  /** What its resource is called, after the target's name and a hyphen. */
  readonly resource: string;
  /** What its resource was called before keys of two generations lived side by side. */
  readonly formerly?: string;
  readonly purpose: Purpose;
  readonly generation: number;
  /** The one host whose repository it opens; without it all of them. */
  readonly host?: string;
}

/** What decides the keys. */
export interface CloudKeyOptions {
  readonly target: Standing;
  readonly hosts: Readonly<Record<string, Standing>>;
  /** What the last update left of this target. */
  readonly before?: CloudTurns | undefined;
  /** Up to where the target's and the hosts' generations were revoked by then. */
  readonly revokedBefore?:
    { readonly target: number; readonly hosts: Readonly<Record<string, number>> } | undefined;
}

/** The turn that follows another: what was in force stays beside what is, unless it is revoked. */
function turnAfter(before: Turn | undefined, generation: number, isRevoked: boolean): Turn {
  if (before === undefined || isRevoked) return { generation };
  const previous = before.generation === generation ? before.previous : before.generation;
  return previous === undefined ? { generation } : { generation, previous };
}

/** The generations of a turn, the older first. */
function generationsOf({ generation, previous }: Turn): number[] {
  return previous === undefined ? [generation] : [previous, generation];
}

/**
 * The keys that a target has, and what the next update has to know of them.
 *
 * @param ofHub - what the hub has keys for beside writing.
 */
export function cloudKeys<Purpose extends "restore" | "monitor">(
  { target, hosts, before, revokedBefore }: CloudKeyOptions,
  ofHub: readonly Purpose[],
): { keys: CloudKey<Purpose | "restore" | "sync">[]; turns: CloudTurns } {
  const isTargetRevoked = target.revoked !== (revokedBefore?.target ?? target.revoked);
  const hub = turnAfter(before, target.generation, isTargetRevoked);
  const turns = Object.fromEntries(
    Object.entries(hosts).map(([host, standing]) => {
      const was = revokedBefore && remembered(revokedBefore.hosts, host);
      const isRevoked = isTargetRevoked || standing.revoked !== (was ?? standing.revoked);
      const joint = jointGeneration(standing.generation, target.generation);
      const turn = turnAfter(before && remembered(before.hosts, host), joint, isRevoked);
      return [host, turn] as const;
    }),
  );
  const formerly = (name: string, generation: number, turn: Turn) =>
    before === undefined && generation === turn.generation ? { formerly: name } : {};
  const keys: CloudKey<Purpose | "restore" | "sync">[] = [
    // The hub holds the next one too: one that is two rotations late finds it in force.
    ...[...generationsOf(hub), hub.generation + 1].map((generation) => ({
      resource: `sync-g${generation}`,
      purpose: "sync" as const,
      generation,
    })),
    ...ofHub.flatMap((purpose) =>
      generationsOf(hub).map((generation) => ({
        resource: `hub-${purpose}-g${generation}`,
        ...formerly(purpose, generation, hub),
        purpose,
        generation,
      })),
    ),
    ...Object.entries(turns).flatMap(([host, turn]) =>
      generationsOf(turn).map((generation) => ({
        resource: `restore-${host}-g${generation}`,
        ...formerly(`restore-${host}`, generation, turn),
        purpose: "restore" as const,
        generation,
        host,
      })),
    ),
  ];
  return { keys, turns: { ...hub, hosts: turns } };
}
