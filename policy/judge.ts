import type { Finding, ResourceFacts, Rule } from "./model.ts";

/** Every rule, in the order in which their findings are told. */
export const RULES: readonly Rule[] = [];

/**
 * Holds the resources that a stack will have against all rules.
 *
 * @returns what is wrong, errors first; nothing where all is well.
 */
export function judge(resources: readonly ResourceFacts[]): Finding[] {
  const findings = RULES.flatMap((rule) => rule.judge(resources));
  const of = (severity: Finding["severity"]) =>
    findings.filter((finding) => finding.severity === severity);
  return [...of("error"), ...of("warning")];
}
