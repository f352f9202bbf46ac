import { randomFillSync } from "node:crypto";

/**
 * Chooses items at random, in their order, each as likely as any other, and so that nobody can
 * foresee which.
 *
 * @param count - how many items there are.
 * @param wanted - how many to choose; all where it is not less than `count`.
 */
export function* sample<Item>(
  items: Iterable<Item>,
  count: number,
  wanted: number,
): Generator<Item> {
  let seen = 0;
  let chosen = 0;
  for (const item of items) {
    // Knuth, The Art of Computer Programming, 3.4.2, algorithm S.
    if (random() * (count - seen) < wanted - chosen) {
      chosen += 1;
      yield item;
    }
    seen += 1;
  }
}

const pool = new Uint32Array(1024);
let left = 0;

/** A number from 0 to just below 1 that cannot be foreseen. */
export function random(): number {
  if (left === 0) {
    randomFillSync(pool);
    left = pool.length;
  }
  left -= 1;
  return (pool[left] ?? 0) / 2 ** 32;
}
