import { setTimeout } from "node:timers/promises";

/** Lets bytes through at a steady rate, shared by all who ask. */
export class RateLimit {
  readonly #bytesPerMs: number;
  #freeAt = 0;

  /** @param bytesPerSecond - Infinity for no limit. */
  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /**
   * Cuts a chunk into what may be sent in a quarter of a second, so that a connection is never
   * silent for so long that its other end gives it up.
   */
  *slices(chunk: Buffer): Generator<Buffer> {
    const length = Math.max(1024, Math.min(chunk.length, Math.floor(this.#bytesPerMs * 250)));
    for (let start = 0; start < chunk.length; start += length) {
      yield chunk.subarray(start, start + length);
    }
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
