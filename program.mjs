// Pulumi starts this file. It runs index.ts, which is the program, out of a bundle that is always as
// new as the sources: loading them one by one takes longer than a preview should.
import { createRequire, Module } from "node:module";
import { load } from "./tools/bundled.mjs";

deferResolver();
leavePlacesUntranslated();

/** The stack's outputs. */
export default { ...(await load("program", "index.ts")) };

// With the SDK comes npm's own resolver, a third of the time that the SDK takes to load. It is for
// programs that send functions to a cloud, and loaded when one does.
function deferResolver() {
  const name = "@npmcli/arborist";
  try {
    const require = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi"));
    const place = require.resolve(name);
    if (require.cache[place] !== undefined) return;
    const deferred = new Module(place);
    deferred.loaded = true;
    deferred.exports = {
      // As a module it is taken as it is, and its members are not read before they are used.
      __esModule: true,
      get Arborist() {
        if (require.cache[place] === deferred) delete require.cache[place];
        return require(name).Arborist;
      },
    };
    require.cache[place] = deferred;
  } catch {
    // An SDK that has another one, or none, loads what it needs.
  }
}

// The SDK notes for each promise and each resource where it was made, in errors that nobody throws and
// that have no message. Translating a thousand hosts' of them to lines of the sources takes seconds.
function leavePlacesUntranslated() {
  const translate = Error.prepareStackTrace;
  if (translate === undefined || process.env.PULUMI_DEBUG_PROMISE_LEAKS) return;
  Error.prepareStackTrace = (error, frames) =>
    error.message === "" ? "Error" : translate(error, frames);
}
