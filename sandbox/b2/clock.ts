/** A clock that tests can move forward. */
export interface Clock {
  /** @returns the emulator's time in milliseconds since 1970 */
  now(): number;
  /**
   * Moves the time forward, applying what falls due on the way (expiry, lifecycle rules).
   *
   * @param milliseconds - how far; not negative
   */
  advance(milliseconds: number): void;
}

/** The real clock plus an offset. */
export class MovableClock {
  #offset: number;

  constructor(offset: number) {
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  now(): number {
    return Date.now() + this.#offset;
  }

  move(milliseconds: number): void {
    this.#offset += milliseconds;
  }
}
