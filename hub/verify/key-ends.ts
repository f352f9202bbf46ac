/** What is remembered of the ends of the hub's keys: a service that refuses a key tells none. */
import { readResults, type KeyFacts } from "../results.ts";
import { keyEnd } from "../targets/key-end.ts";

/**
 * Adds to keys that are refused the end that an earlier verify was told.
 *
 * @param state - the agent's folder for what it remembers.
 */
export function withEnds(state: string, target: string, keys: readonly KeyFacts[]): KeyFacts[] {
  const before = readResults(state, "verify").find(
    ({ place, host }) => place === target && host === "*",
  )?.last.facts.keys;
  return keys.map((key) => {
    if (key.accepted) return key;
    const known = before?.find(
      ({ role, generation }) => role === key.role && generation === key.generation,
    );
    return { ...key, expires: known?.expires ?? null };
  });
}

/** Says which refused keys have come to their end: one line each. */
export function endedKeys(target: string, keys: readonly KeyFacts[]): string[] {
  return keys.flatMap(({ role, accepted, expires }) => {
    if (accepted || expires === null) return [];
    const end = keyEnd(role, target, Date.parse(expires), Date.now());
    return end?.isOver === true ? [`the hub's ${role} key ${end.message}`] : [];
  });
}
