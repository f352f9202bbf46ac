/** From the JSON of a preview to the resources that there will be. */
import { z } from "zod";
import { InputError } from "../config/problems.ts";
import type { ResourceFacts } from "./model.ts";

const stateSchema = z.object({
  urn: z.string(),
  type: z.string(),
  inputs: z.record(z.string(), z.unknown()).default({}),
  protect: z.boolean().default(false),
  retainOnDelete: z.boolean().default(false),
  propertyDependencies: z.record(z.string(), z.array(z.string()).nullable()).nullish(),
});

const previewSchema = z.object({
  steps: z
    .array(
      z.object({
        op: z.string(),
        urn: z.string(),
        oldState: stateSchema.nullish(),
        newState: stateSchema.nullish(),
      }),
    )
    .nullish(),
  changeSummary: z.record(z.string(), z.number()).nullish(),
});

/** The steps after which the resource is no longer there, and the look before any step. */
const GONE: ReadonlySet<string> = new Set([
  ...["delete", "delete-replaced", "discard", "read-discard"],
  "refresh",
]);

/**
 * The resources that a stack will have after what `pulumi preview --json --show-sames` tells of.
 *
 * @param preview - the parsed JSON.
 * @throws InputError where it is no preview, or one without the resources that stay as they are:
 * what is not there cannot be judged.
 */
export function resourcesOf(preview: unknown): ResourceFacts[] {
  const after = new Map<string, ResourceFacts>();
  for (const { op, urn, newState } of stepsOf(preview)) {
    // A replacement has several steps of one URN: one that makes the new one is enough.
    if (GONE.has(op) || newState === null || newState === undefined) continue;
    after.set(urn, factsOf(urn, newState));
  }
  return [...after.values()];
}

/**
 * The resources that the stack has now, as far as the same preview tells of them.
 *
 * @throws InputError as {@link resourcesOf} does.
 */
export function resourcesBefore(preview: unknown): ResourceFacts[] {
  const before = new Map<string, ResourceFacts>();
  for (const { op, urn, oldState } of stepsOf(preview)) {
    if (op === "refresh" || oldState === null || oldState === undefined) continue;
    before.set(urn, factsOf(urn, oldState));
  }
  return [...before.values()];
}

type State = z.infer<typeof stateSchema>;

function stepsOf(preview: unknown) {
  const parsed = previewSchema.safeParse(preview);
  if (!parsed.success) {
    throw new InputError("The preview cannot be read", [
      { path: [], message: "is no output of `pulumi preview --json --show-sames`" },
    ]);
  }
  const steps = parsed.data.steps ?? [];
  requireSames(steps, parsed.data.changeSummary?.same ?? 0);
  return steps;
}

function factsOf(urn: string, state: State): ResourceFacts {
  const { type, inputs, protect, retainOnDelete } = state;
  const dependencies = dependenciesOf(state.propertyDependencies);
  return { urn, type, name: nameOf(urn), inputs, protect, retainOnDelete, dependencies };
}

function dependenciesOf(given: State["propertyDependencies"]): ResourceFacts["dependencies"] {
  if (given === null || given === undefined) return undefined;
  return Object.fromEntries(Object.entries(given).map(([input, urns]) => [input, urns ?? []]));
}

/** Pulumi leaves out what stays the same, but for the stack itself, and counts it all the same. */
function requireSames(steps: readonly { readonly op: string }[], count: number): void {
  const shown = steps.filter(({ op }) => op === "same").length;
  if (shown >= count) return;
  throw new InputError("The preview is not whole", [
    {
      path: ["steps"],
      message: `has ${shown} of ${count} resources that stay as they are, and the policies judge them all. Make it with: pulumi preview --json --show-sames`,
    },
  ]);
}

/** The last part of a URN. It may itself have two colons in it. */
export function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}
