/**
 * Which application keys a B2 target has: by whom they are used, and of which generations.
 *
 * B2 accepts every key that exists, so that there need be no moment at which a machine holds none
 * that is good: the key that was in force before stays beside the current one until the next
 * rotation. What a running upload or a machine that is deployed late holds goes on working.
 */
import type { Standing } from "../config/generations.ts";
import { remembered, type TargetRecord, type Turn } from "../config/record.ts";
import { jointGeneration } from "./derive.ts";

/** What the last update left of a B2 target. */
export type B2Record = Extract<TargetRecord, { type: "b2" }>;

/** One key. */
export interface B2Key {
  /** What its resource is called, after the target's name and a hyphen. */
  readonly resource: string;
  /** What its resource was called before keys of two generations lived side by side. */
  readonly formerly?: string;
  readonly purpose: "sync" | "restore" | "monitor";
  readonly generation: number;
  /** The one host whose repository it opens; without it all of them. */
  readonly host?: string;
}

/** What decides the keys. */
export interface B2KeyOptions {
  readonly target: Standing;
  readonly hosts: Readonly<Record<string, Standing>>;
  /** What the last update left of this target. */
  readonly before?: B2Record | undefined;
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

/** The keys that a target has, and what the next update has to know of them. */
export function b2Keys(options: B2KeyOptions): { keys: B2Key[]; record: B2Record } {
  const { target, hosts, before, revokedBefore } = options;
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
  const ofHub = (purpose: "restore" | "monitor") =>
    generationsOf(hub).map((generation) => ({
      resource: `hub-${purpose}-g${generation}`,
      ...formerly(purpose, generation, hub),
      purpose,
      generation,
    }));
  const keys: B2Key[] = [
    // The hub holds the next one too: one that is two rotations late finds it in force.
    ...[...generationsOf(hub), hub.generation + 1].map((generation) => ({
      resource: `sync-g${generation}`,
      purpose: "sync" as const,
      generation,
    })),
    ...ofHub("restore"),
    ...ofHub("monitor"),
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
  return { keys, record: { type: "b2", ...hub, hosts: turns } };
}
