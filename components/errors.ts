/** Errors that end the program with their message alone. */
import { inspect } from "node:util";
import * as pulumi from "@pulumi/pulumi";

/**
 * An error that is shown without a stack trace. The SDK inspects what ends a program for a trace of
 * its own, with all that hangs on it, which takes minutes; this has a short answer ready.
 */
export function plainError(message: string, resource?: pulumi.Resource): Error {
  const error =
    resource === undefined
      ? new pulumi.RunError(message)
      : new pulumi.ResourceError(message, resource, true);
  return Object.assign(error, { [inspect.custom]: () => message });
}
