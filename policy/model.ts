/** What the rules judge, and what they say. */

/** A resource as the program asks for it. Values that cannot be seen are in {@link isUnseen}. */
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

/** One rule. It is pure: the same resources have the same findings, in the same order. */
export interface Rule {
  /** Lower-case words with hyphens. */
  readonly name: string;
  /** What must be so, in a sentence. */
  readonly description: string;
  readonly judge: (resources: readonly ResourceFacts[]) => Finding[];
}
