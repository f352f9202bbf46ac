import type { KeyFacts } from "../results.ts";

const DAY_MS = 86_400_000;

/** How long before a key's end it is time to replace it. */
const NOTICE_DAYS = 30;

/**
 * Says that a key at a cloud has ended or soon will, with the way out.
 *
 * @param end - when, in milliseconds since 1970; Infinity for never.
 * @returns undefined while there is time.
 */
export function keyEnd(
  role: KeyFacts["role"],
  target: string,
  end: number,
  now: number,
): { readonly isOver: boolean; readonly message: string } | undefined {
  const days = Math.floor((end - now) / DAY_MS);
  if (days >= NOTICE_DAYS) return undefined;
  const isOver = end <= now;
  const date = new Date(end).toISOString().slice(0, 10);
  const when = isOver ? `ended on ${date}` : `ends on ${date}, in ${days} days`;
  const rotate = `offsite rotate ${target}`;
  // What is next was made one rotation earlier than what comes after it.
  const remedy =
    role === "next"
      ? `run ${rotate} and deploy the hub, twice: the first makes this key the one in force`
      : `run ${rotate} and deploy the hub`;
  return { isOver, message: `${when}: ${remedy}` };
}
