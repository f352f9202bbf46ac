// Pulumi starts this file. It runs index.ts, which is the program, out of a bundle that is always as
// new as the sources: loading them one by one takes longer than a preview should.
import { createRequire, Module } from "node:module";
import { load } from "./tools/bundled.mjs";

const isWatched = Boolean(process.env.PULUMI_DEBUG_PROMISE_LEAKS);
deferResolver();
if (!isWatched) leavePlaces();

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

// The SDK notes for each promise and each resource where in the program it was made, for who looks for
// a promise that never ends. A thousand hosts' of them take seconds, and each change of a line makes
// another state. Errors that are thrown keep their places.
function leavePlaces() {
  const require = createRequire(import.meta.url);
  try {
    const debuggable = require("@pulumi/pulumi/runtime/debuggable");
    const { Resource } = require("@pulumi/pulumi/resource");
    const { debuggablePromise } = debuggable;
    if (!debuggablePromise || !Resource.stackTrace) return;
    debuggable.debuggablePromise = (...args) => {
      const limit = Error.stackTraceLimit;
      Error.stackTraceLimit = 0;
      try {
        return debuggablePromise(...args);
      } finally {
        Error.stackTraceLimit = limit;
      }
    };
    Resource.stackTrace = () => [];
  } catch {
    // An SDK that keeps them elsewhere notes them.
  }
}
