/** What every target on somebody's machine is judged by, once that machine was looked at. */
import { Skipped, type Check, type Checks } from "./checks.ts";
import type { TargetOptions } from "./options.ts";
import { judgeSnapshots } from "./snapshots.ts";
import { judgeSpace } from "./space.ts";

/** A look at the machine. Where one may be undefined, nobody was let in. */
export interface PeerLook {
  readonly drift: readonly string[];
  readonly manual: readonly string[];
  readonly notices: readonly string[];
  readonly facts: {
    /** The peer's own clock. */
    readonly now: Date;
    readonly used?: number | undefined;
    readonly free?: number | undefined;
  };
}

/** A host's repository as the look found it. */
export interface Arrivals {
  readonly name: string;
  readonly snapshots: number;
  readonly newest?: Date | undefined;
}

/** Tells what is not as it was installed; `repair` is what puts it right. */
export function judgeDrift(look: PeerLook, repair: string, check: Check): void {
  for (const phrase of look.drift) check.error(`${phrase}. ${repair}`);
  for (const phrase of look.manual) check.error(phrase);
  for (const phrase of look.notices) check.notice(phrase);
}

/** Judges the room that is left there for `checks.maxBytes`. */
export function judgeRoom(look: PeerLook | undefined, checks: Checks, check: Check): string {
  const { used, free } = look?.facts ?? {};
  if (used === undefined || free === undefined) throw notLetIn();
  checks.usedBytes = used;
  checks.freeBytes = free;
  return judgeSpace({ used, free, max: checks.maxBytes ?? 0 }, check);
}

/** Judges what of each host has arrived. */
export function judgeArrivals(
  look: PeerLook | undefined,
  arrivals: readonly Arrivals[] | undefined,
  { hosts, maxAgeHours }: TargetOptions,
  checks: Checks,
  check: Check,
): string {
  if (look === undefined || arrivals === undefined) throw notLetIn();
  const found = new Map(
    arrivals.map(({ name, snapshots, newest }) => [
      name,
      { count: snapshots, newest: newest?.getTime() },
    ]),
  );
  // By the peer's own clock, which wrote the times.
  const judged = { maxAgeHours, now: look.facts.now.getTime() };
  const { reports, seen } = judgeSnapshots(Object.keys(hosts), found, judged, check);
  Object.assign(checks.hosts, reports);
  return seen;
}

function notLetIn(): Skipped {
  return new Skipped("not without a login");
}
