/** Whether what may still come to a peer has room there. */
import { size } from "../../hub/format.ts";
import type { Check } from "./checks.ts";

/** Of what all repositories may hold together: from here on it is a finding. */
const FULL = 0.9;

/** Bytes at a peer. */
export interface Space {
  readonly used: number;
  readonly max: number;
  readonly free: number;
}

/**
 * Judges it.
 *
 * @returns what was seen, in a few words.
 */
export function judgeSpace({ used, max, free }: Space, check: Check): string {
  const percent = Math.round((used / max) * 100);
  if (used >= max) {
    check.error(
      `the server is full: ${size(used)} of ${size(max)}. Nothing more gets there. Prune with offsite prune, or raise maxSizeGiB`,
    );
  } else if (used > max * FULL) {
    check.error(
      `the server is ${percent} % full: ${size(used)} of ${size(max)}. Prune with offsite prune, or raise maxSizeGiB`,
    );
  }
  const toCome = Math.max(0, max - used);
  if (free < toCome) {
    check.error(
      `the peer's disk has ${size(free)} left, and ${size(toCome)} may still come (maxSizeGiB). Make room there, or lower maxSizeGiB`,
    );
  }
  return `${size(used)} of ${size(max)} (${percent} %), ${size(free)} free on the disk`;
}
