/**
 * The rules as a policy pack, for an engine: `pulumi preview --policy-pack policy`. An error stops
 * the preview or the update, a warning is shown.
 */
import {
  PolicyPack,
  type Policies,
  type ResourceValidationArgs,
  type ResourceValidationPolicy,
  type StackValidationPolicy,
} from "@pulumi/policy";
import { apply, RULES } from "./judge.ts";
import type { ResourceFacts, ResourceRule, Rule, StackRule } from "./model.ts";
import { visible } from "./visible.ts";

/**
 * What the program asked for, by URN. At the end the engine shows what came of it, which for a
 * component is not its inputs.
 */
const asked = new Map<string, ResourceFacts>();

/** Which of a rule's findings a policy is for: a policy has one level for all that it reports. */
type Level = "error" | "warning";

const LEVELS = { error: "mandatory", warning: "advisory" } as const;

/** A resource as it is asked for. */
function factsOf({ urn, type, name, props, opts }: ResourceValidationArgs): ResourceFacts {
  const facts = {
    ...{ urn, type, name, protect: opts.protect, inputs: inputsOf(props) },
    // The engine does not tell it to a policy.
    retainOnDelete: undefined,
  };
  asked.set(urn, facts);
  return facts;
}

function inputsOf(props: Readonly<Record<string, unknown>>): ResourceFacts["inputs"] {
  return visible(props) as ResourceFacts["inputs"];
}

function resourcePolicy(rule: ResourceRule, level: Level): ResourceValidationPolicy {
  return {
    ...wordsOf(rule, level),
    validateResource: (args, report) => {
      for (const { severity, subject, message } of apply(rule, [factsOf(args)])) {
        if (severity === level) report(`${subject}: ${message}`);
      }
    },
  };
}

function stackPolicy(rule: StackRule, level: Level): StackValidationPolicy {
  return {
    ...wordsOf(rule, level),
    validateStack: ({ resources }, report) => {
      // What the program did not ask for this time, as with --target, is there all the same.
      const all = resources.map(
        ({ urn, type, name, props, opts, propertyDependencies }): ResourceFacts => ({
          ...{ urn, type, name, protect: opts.protect, retainOnDelete: undefined },
          inputs: asked.get(urn)?.inputs ?? inputsOf(props),
          dependencies: Object.fromEntries(
            Object.entries(propertyDependencies).map(([input, from]) => [
              input,
              from.map((resource) => resource.urn),
            ]),
          ),
        }),
      );
      for (const finding of apply(rule, all)) {
        if (finding.severity === level)
          report(`${finding.subject}: ${finding.message}`, finding.urn);
      }
    },
  };
}

function wordsOf({ name, description }: Rule, level: Level) {
  return {
    name: level === "error" ? name : `${name}-advice`,
    description,
    enforcementLevel: LEVELS[level],
  };
}

const policies: Policies = [
  ...RULES.flatMap((rule) =>
    (["error", "warning"] as const).map((level) =>
      rule.of === "resource" ? resourcePolicy(rule, level) : stackPolicy(rule, level),
    ),
  ),
];

new PolicyPack("fort-offsite", {
  description: "What a change of a fort-offsite stack must never do",
  policies,
});
