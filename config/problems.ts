/** Problems of an input, each with its place, what was given, what is allowed and the way out. */
import type { z } from "zod";

/** One thing that is wrong in an input. */
export interface Problem {
  /** Where, as names from the outside in: `["hosts", "q", "key"]`. */
  readonly path: readonly string[];
  /** A sentence without its subject and full stop: `got "x", must be y`. */
  readonly message: string;
}

/** An input with problems. The message has a line for each, sorted by place. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly problems: readonly Problem[];

  /**
   * @param title - what is wrong as a whole: `Invalid stack config "prod"`.
   * @param problems - at least one.
   */
  constructor(title: string, problems: readonly Problem[]) {
    const lines = problems.map(({ path, message }) => `  ${formatPath(path)}: ${message}`);
    super(`${title}:\n${[...new Set(lines)].sort().join("\n")}`);
    this.problems = problems;
  }
}

function formatPath(path: readonly string[]): string {
  return path.length === 0 ? "(all of it)" : path.map(quoteName).join(".");
}

function quoteName(name: string): string {
  return /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
}

const MOST_SHOWN = 60;

/**
 * Shows a value in a message: strings in double quotes, long ones cut.
 *
 * @param secret - whether to show only how long it is.
 */
export function show(value: unknown, secret = false): string {
  if (value === undefined) return "nothing";
  if (secret) {
    return typeof value === "string" ? `a secret of ${value.length} characters` : "no string";
  }
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…"` : text;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: "a list",
  int: "a whole number",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a string",
};

/** What a zod issue allows, or undefined where the schema's own message says it. */
function allowed(issue: z.core.$ZodIssue): string | undefined {
  switch (issue.code) {
    case "invalid_type":
      // zod's own words; a rule of ours is a better answer.
      return issue.message.startsWith("Invalid input")
        ? (TYPE_NAMES[issue.expected] ?? issue.expected)
        : issue.message;
    case "too_small":
      return `${issue.inclusive === true ? "at least" : "more than"} ${issue.minimum}`;
    case "too_big":
      return `at most ${issue.maximum}`;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(" or ");
    default:
      return undefined;
  }
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    input,
  );
}

/**
 * Turns what zod found into problems.
 *
 * @param error - zod's finding, with messages that complete "must be …".
 * @param input - what was parsed, to show what was given.
 * @param isSecret - whether the value at a path must not be shown.
 */
export function problemsOf(
  error: z.ZodError,
  input: unknown,
  isSecret: (path: readonly string[]) => boolean,
): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = issue.path.map(String);
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: "is no known setting. Remove it, or correct its spelling",
      }));
    }
    const given = show(valueAt(input, issue.path), isSecret(path));
    return [{ path, message: `got ${given}, must be ${allowed(issue) ?? issue.message}` }];
  });
}
