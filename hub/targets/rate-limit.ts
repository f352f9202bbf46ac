import { setTimeout } from "node:timers/promises";

/** Lets bytes through at a steady rate, shared by all who ask. */
export class RateLimit {
  readonly #bytesPerMs: number;
  #freeAt = 0;

  /** @param bytesPerSecond - Infinity for no limit. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** Resolves when so many bytes may be sent. */
  async take(bytes: number): Promise<void> {
    if (this.#bytesPerMs === Infinity) return;
    const now = performance.now();
    const start = Math.max(now, this.#freeAt);
    this.#freeAt = start + bytes / this.#bytesPerMs;
    if (start > now) await setTimeout(start - now);
  }
}
