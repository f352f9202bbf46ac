/** From the JSON of a preview to the resources that there will be. */
import { z } from "zod";
import type { ResourceFacts } from "./model.ts";

const stateSchema = z.object({
  urn: z.string(),
  type: z.string(),
  inputs: z.record(z.string(), z.unknown()).default({}),
  protect: z.boolean().default(false),
  retainOnDelete: z.boolean().default(false),
});

const previewSchema = z.object({
  steps: z
    .array(z.object({ op: z.string(), urn: z.string(), newState: stateSchema.nullish() }))
    .nullish(),
});

/** The steps after which the resource is no longer there. */
const GONE: ReadonlySet<string> = new Set(["delete", "delete-replaced", "discard", "read-discard"]);

/**
 * The resources that a stack will have after what `pulumi preview --json --show-sames` tells of.
 *
 * @param preview - the parsed JSON.
 * @throws ZodError where it is no preview.
 */
export function resourcesOf(preview: unknown): ResourceFacts[] {
  const steps = previewSchema.parse(preview).steps ?? [];
  const after = new Map<string, ResourceFacts>();
  for (const { op, urn, newState } of steps) {
    // A replacement has several steps of one URN: one that makes the new one is enough.
    if (GONE.has(op) || newState === null || newState === undefined) continue;
    const { type, inputs, protect, retainOnDelete } = newState;
    after.set(urn, { urn, type, name: nameOf(urn), inputs, protect, retainOnDelete });
  }
  return [...after.values()];
}

/** The last part of a URN. It may itself have two colons in it. */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
