// Pulumi starts this file. It runs index.ts, which is the program, out of a bundle that is always as
// new as the sources: loading them one by one takes longer than a preview should.
import { load } from "./tools/bundled.mjs";

// The SDK notes for each promise and each resource where it was made, in errors that nobody throws and
// that have no message. Translating a thousand hosts' of them to lines of the sources takes seconds.
const translated = Error.prepareStackTrace;
if (translated !== undefined && !process.env.PULUMI_DEBUG_PROMISE_LEAKS) {
  Error.prepareStackTrace = (error, frames) =>
    error.message === "" ? "Error" : translated(error, frames);
}

/** The stack's outputs. */
export default { ...(await load("program", "index.ts")) };
