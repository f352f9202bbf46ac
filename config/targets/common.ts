/** What the settings of targets of several types have in common. */
import { z } from "zod";
import * as rules from "../rules.ts";

/** Counts how often a credential was rotated. */
export const generation = z
  .int()
  .min(1)
  .max(1_000_000)
  .default(1)
  .describe("Raise it by one and run `pulumi up` to rotate the credentials.");

/** Up to which generation the credentials are in a thief's hands. */
export const revoked = z
  .int()
  .min(0)
  .max(1_000_000)
  .default(0)
  .describe(
    "Generations up to this one are revoked, and `generation` is the one after it. `offsite rotate --revoke` sets both.",
  );

/** A size that nobody has by accident. */
export const sizeGiB = z.number().positive().max(1_000_000);

/** Days for which what was hidden, overwritten or locked stays. */
export const keepDays = z.int().min(1).max(36_500);

/** What every target has, whatever its type. */
export const everyTarget = {
  protect: z
    .boolean()
    .default(true)
    .describe(
      "Whether Pulumi refuses to remove or replace what holds the data. Set it to false and run `pulumi up` before you take the target out of the config.",
    ),
  generation,
  revoked,
};

/** How the operator reaches a peer. */
export const sshSchema = z.strictObject({
  host: rules.machineAddress,
  port: z.int().min(1).max(65_535).default(22),
  user: rules.userName.default("root").describe("root, or a user who may use sudo without asking."),
  hostKey: rules.sshHostKey,
});

/**
 * What to say of settings of several types: where there are no settings, a type is not all that
 * they lack.
 */
export function ofType(types: string): { error: (issue: { readonly code?: string }) => string } {
  return {
    error: ({ code }) => (code === "invalid_type" ? `an object whose type is ${types}` : types),
  };
}
