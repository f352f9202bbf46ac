/** A preview judged: what a reviewer must know, the most important first. */
import { judge } from "../../policy/judge.ts";
import type { Finding } from "../../policy/model.ts";
import { resourcesBefore, resourcesOf } from "../../policy/preview.ts";
import { changesOf, isComponent, type Change, type Operation } from "./changes.ts";
import { costOf, type Cost } from "./cost.ts";
import { credentialsOf, type Credentials } from "./credentials.ts";
import { dangersOf, inOrder, isFatal, type Danger } from "./data.ts";
import { detailsOf, settingsDetail, type Detail } from "./details.ts";
import { findingsOf, type Findings } from "./drift.ts";
import { leavingHosts, movedAddresses } from "./elsewhere.ts";
import type { Preview } from "./preview.ts";
import { names, plain, say, words, type Phrase } from "./phrase.ts";
import { settingsDifferences, withSecrets, type Settings } from "./settings.ts";
import { grouped } from "./words.ts";

/**
 * What to make of it:
 * - `failed`: there is no whole preview, and nothing can be said;
 * - `danger`: data, or who can read secrets, or a rule of the policy is at stake;
 * - `look`: something stops, turns over, or was changed by hand;
 * - `safe`: only things that are made, or written again;
 * - `nothing`: no change.
 */
export type Verdict = "failed" | "danger" | "look" | "safe" | "nothing";

/** The report. */
export interface Report {
  readonly stack: string;
  readonly verdict: Verdict;
  /** Whether it may be merged as far as a program can tell. */
  readonly mergeable: boolean;
  /** Why, in a sentence without full stop. */
  readonly reason: Phrase;
  /** Why the preview failed, and what it said. */
  readonly failure: { readonly reason: string; readonly errors: readonly string[] } | undefined;
  readonly dangers: readonly Danger[];
  readonly policy: readonly Finding[];
  readonly credentials: Credentials;
  readonly changes: Readonly<Record<Operation, readonly Phrase[]>>;
  readonly counts: Readonly<Record<Operation, number>>;
  readonly cost: Cost;
  readonly findings: Findings;
  readonly details: readonly Detail[];
}

/** What a report is made of. */
export interface ReportInput {
  readonly preview: Preview;
  /** The stack's name, where the preview has none. */
  readonly stack?: string | undefined;
  /** The settings before the change. */
  readonly base?: Settings | undefined;
  /** The settings of the change, with the ciphertext of their secrets where that is known. */
  readonly settings?: Settings | undefined;
}

const OPERATIONS: readonly Operation[] = [
  ...(["delete", "replace", "update", "create", "import", "forget"] as const),
];

/** Makes the report. It never fails because of what the preview holds. */
export function makeReport({ preview, stack, base, settings }: ReportInput): Report {
  const changes = changesOf(preview);
  const own = changes.filter((change) => !isComponent(change));
  const now = settings ?? withSecrets(preview);
  const credentials = credentialsOf(changes, base, now);
  const policy = policyOf(preview);
  const findings = findingsOf(preview);
  const turned = base === undefined ? [] : settingsDifferences(base, now);
  const dangers = inOrder([
    ...dangersOf(preview, changes),
    ...leavingHosts(changes),
    ...movedAddresses(turned),
  ]);
  const failure = failureOf(preview);
  const judged = verdictOf({
    ...{ failure, dangers, credentials, findings, changes: own },
    policy: unfamiliar(policy, preview),
  });
  const of = (operation: Operation) => own.filter((each) => each.operation === operation);
  return {
    stack: preview.stack ?? stack ?? "unknown",
    ...judged,
    mergeable:
      failure === undefined &&
      !dangers.some(isFatal) &&
      policy.every(({ severity }) => severity !== "error"),
    ...{ failure, dangers, policy, credentials, findings },
    changes: byOperation((operation) => grouped(of(operation))),
    counts: byOperation((operation) => of(operation).length),
    cost: costOf(preview, base, now),
    details: [settingsDetail(turned), policyDetail(policy), ...detailsOf(preview, changes)].filter(
      (detail) => detail !== undefined,
    ),
  };
}

/** Whether nothing would change, and nothing was changed by hand. */
export function isUnchanged({ counts, findings, failure }: Report): boolean {
  const changes = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return failure === undefined && changes === 0 && findings.drift.length === 0;
}

/** Every finding: the summary tells some of each rule. */
function policyDetail(findings: readonly Finding[]): Detail | undefined {
  const lines = findings.map((each) => `! ${plain(findingPhrase(each))}`);
  return lines.length > 2 ? { title: say`The policy's findings`, lines } : undefined;
}

/** An object with a property for each operation. */
export function byOperation<T>(make: (operation: Operation) => T): Record<Operation, T> {
  return Object.fromEntries(
    OPERATIONS.map((operation) => [operation, make(operation)] as const),
  ) as Record<Operation, T>;
}

function failureOf({ failure, diagnostics }: Preview): Report["failure"] {
  if (failure === undefined) return undefined;
  const errors = diagnostics
    .filter(({ severity }) => severity === "error")
    .map(({ message }) => message);
  return { reason: failure, errors: [...new Set(errors)] };
}

/** The policy's findings. What it cannot see it cannot pass. */
function policyOf(preview: Preview): Finding[] {
  if (preview.failure !== undefined) return [];
  if (preview.hidden > 0) {
    return [
      {
        rule: "whole-preview",
        severity: "error",
        subject: "the preview",
        message: `leaves ${preview.hidden} unchanged resources out, so that the policy cannot be judged: make it with "pulumi preview --json --show-sames", or let offsite report make it itself`,
      },
    ];
  }
  return judge(resourcesOf(preview.raw));
}

/** Leaves out the warnings that the stack has lived with: a reviewer who is warned always is not. */
function unfamiliar(policy: readonly Finding[], preview: Preview): Finding[] {
  const warnings = policy.filter(({ severity }) => severity === "warning");
  if (warnings.length === 0) return [...policy];
  const told = new Set(judge(resourcesBefore(preview.raw)).map((each) => JSON.stringify(each)));
  return policy.filter((each) => each.severity === "error" || !told.has(JSON.stringify(each)));
}

type Judged = Pick<Report, "failure" | "dangers" | "policy" | "credentials" | "findings"> & {
  readonly changes: readonly Change[];
};

function verdictOf(judged: Judged): Pick<Report, "verdict" | "reason"> {
  const { failure, dangers, policy, credentials, findings, changes } = judged;
  if (failure !== undefined) {
    const [first] = failure.errors.flatMap(problemsIn);
    return {
      verdict: "failed",
      reason: first === undefined ? say`what the change would do is not known` : words(first),
    };
  }
  const errors = policy.filter(({ severity }) => severity === "error");
  const reasons = [
    ...dangers.slice(0, 2).map(({ what }) => what),
    ...(credentials.readers.length > 0 ? [say`somebody new can open secrets`] : []),
    ...(errors.length > 0
      ? [
          say`${errors.length} policy ${[errors.length === 1 ? "error" : "errors"]} (${names([...new Set(errors.map(({ rule }) => rule))].slice(0, 3))})`,
        ]
      : []),
  ];
  if (reasons.length > 0) return { verdict: "danger", reason: joined(reasons) };
  const looks = [
    ...(credentials.turning.length > 0 ? [say`credentials turn over`] : []),
    ...(findings.drift.length > 0 ? [say`something was changed by hand`] : []),
    ...stopping(changes),
    ...(policy.length > 0 ? [say`the policy warns`] : []),
    ...(findings.warnings.length > 0 ? [say`the program warns`] : []),
  ];
  if (looks.length > 0) return { verdict: "look", reason: joined(looks) };
  return changes.length > 0
    ? { verdict: "safe", reason: say`only made or written again, nothing taken away` }
    : { verdict: "nothing", reason: say`the stack stays as it is` };
}

/** What is wrong, in a line that can stand alone: of several problems the first. */
function problemsIn(error: string): string[] {
  const lines = error
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const [title = ""] = lines;
  const problems = title.startsWith("Invalid stack config") ? lines.slice(1) : [title];
  const [first = title] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  return [(first.length > 140 ? `${first.slice(0, 140)}…` : first) + more];
}

/** What is taken away or done again, and holds no data. */
function stopping(changes: readonly Change[]): Phrase[] {
  const taken = changes.filter(({ operation }) => ["delete", "forget"].includes(operation));
  const restarted = changes.filter(
    ({ type, operation }) => type === "command:remote:Command" && operation === "update",
  );
  const run = changes.filter(
    ({ type, ownerType, operation }) =>
      type.startsWith("command:") && ownerType === undefined && operation !== "delete",
  );
  return [
    ...(taken.length > 0 ? [say`${taken.length} taken away`] : []),
    ...restarted.map(({ owner, name }) => say`the server of ${owner ?? name} is set up again`),
    ...run.map(({ name }) => say`the command ${name} is run`),
  ];
}

function joined(phrases: readonly Phrase[]): Phrase {
  return phrases.flatMap((phrase, at) => (at === 0 ? phrase : ["; ", ...phrase]));
}

/** A policy's finding as a sentence. */
export function findingPhrase({ rule, subject, message }: Finding): Phrase {
  return [...words(subject), ": ", ...words(message), ` (${rule})`];
}
