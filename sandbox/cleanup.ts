/** What a world has to take down, last in, first out, whatever else fails. */

/** Something to take down. */
interface Duty {
  readonly what: string;
  readonly run: () => Promise<void> | void;
}

/** A stack of duties that are done once, in reverse order. */
export class Cleanup {
  readonly #duties: Duty[] = [];
  #running: Promise<Error[]> | undefined;

  /** Adds a duty. One that arrives when the others are under way is done at once. */
  add(what: string, run: Duty["run"]): void {
    this.#duties.push({ what, run });
  }

  /**
   * Does all duties. A second call waits for the first.
   *
   * @returns what went wrong, an error for each duty that could not be done.
   */
  run(): Promise<Error[]> {
    this.#running ??= this.#runAll();
    return this.#running;
  }

  async #runAll(): Promise<Error[]> {
    const errors: Error[] = [];
    for (let duty = this.#duties.pop(); duty !== undefined; duty = this.#duties.pop()) {
      try {
        await duty.run();
      } catch (cause) {
        errors.push(new Error(`${duty.what} could not be cleaned up`, { cause }));
      }
    }
    return errors;
  }
}
