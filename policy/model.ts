/** What the rules judge, and what they say. */

/** A resource as the program asks for it. Values that cannot be seen are told by `isUnseen`. */
export interface ResourceFacts {
  readonly urn: string;
  /** The type's token: `b2:index/bucket:Bucket`. */
  readonly type: string;
  /** The last part of the URN. */
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly protect: boolean;
  /** undefined where the engine does not tell it, as it does not tell it to a policy pack. */
  readonly retainOnDelete: boolean | undefined;
  /** By input: the URNs of the resources that its value comes from. undefined where not told. */
  readonly dependencies?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** Something that a rule found. */
export interface Finding {
  /** The rule's name: lower-case words with hyphens. */
  readonly rule: string;
  /** An error is a reason not to go on. */
  readonly severity: "error" | "warning";
  /** The target or resource in the user's words. */
  readonly subject: string;
  readonly urn?: string;
  /** What is, what must be, the way out; without its subject and full stop. */
  readonly message: string;
}

/** What a rule says of what it found; its name is added for it. */
export type Verdict = Omit<Finding, "rule">;

interface RuleWords {
  /** Lower-case words with hyphens. */
  readonly name: string;
  /** What must be so, in a sentence without its full stop. */
  readonly description: string;
}

/** A rule that looks at one resource at a time. An engine asks it before it touches the resource. */
export interface ResourceRule extends RuleWords {
  readonly of: "resource";
  readonly judge: (resource: ResourceFacts) => Verdict[];
}

/** A rule that looks at all resources together. An engine asks it at the end. */
export interface StackRule extends RuleWords {
  readonly of: "stack";
  readonly judge: (resources: readonly ResourceFacts[]) => Verdict[];
}

/** One rule. It is pure: the same resources have the same findings, in the same order. */
export type Rule = ResourceRule | StackRule;

/** An error that a resource is the reason for. */
export function error(resource: ResourceFacts, subject: string, message: string): Verdict {
  return { severity: "error", subject, urn: resource.urn, message };
}

/** A warning that a resource is the reason for. */
export function warning(resource: ResourceFacts, subject: string, message: string): Verdict {
  return { severity: "warning", subject, urn: resource.urn, message };
}
