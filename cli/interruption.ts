/** Ctrl-C, a closed terminal, a request to end: noticed once here, and heeded by what runs. */

import { setMaxListeners } from "node:events";

/** What a command is ended with when it is interrupted. */
export class Interrupted extends Error {
  override name = "Interrupted";

  constructor() {
    super("Interrupted");
  }
}

const controller = new AbortController();
// Many wait at once, and that is no leak.
setMaxListeners(0, controller.signal);

/**
 * Aborts, with {@link Interrupted}, when the command is interrupted. Whoever waits for something
 * passes it on; what has to be cleaned up is, and then the command ends.
 */
export const interruption: AbortSignal = controller.signal;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => controller.abort(new Interrupted()));
}
