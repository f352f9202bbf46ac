/** The settings while they come together: parts of them, checked with the project's own rules. */
import { NAMESPACE, parseStackConfig } from "../../config/parse.ts";
import { InputError, type Problem } from "../../config/problems.ts";
import { SECRET_KEYS } from "../../config/stack.ts";

/** Settings below `fort-offsite:` without the secrets, in whatever state. */
export type Draft = Record<string, unknown>;

/** A place in a draft, as names from the outside in. */
export type Path = readonly string[];

/** The sections in the order in which they are asked for and written. */
export const SECTIONS = [
  "hub",
  "hosts",
  "targets",
  "guests",
  "seal",
  "prices",
  "lookForDrift",
] as const;

/** Stands in for the seed, which no draft has. */
const SOME_SEED = "0123456789abcdef".repeat(4);

/** Whether a value is an object with names. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value at a path; undefined where there is none. */
export function at(draft: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, name) => {
    if (Array.isArray(value)) return (value as unknown[])[Number(name)];
    return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  }, draft);
}

/** The text at a path; what is said otherwise where there is none. */
export function textAt(draft: unknown, path: Path, otherwise = ""): string {
  const value = at(draft, path);
  return typeof value === "string" ? value : otherwise;
}

/** A copy of a draft with another value at a path; undefined takes what is there away. */
export function withValue(draft: unknown, path: Path, value: unknown): Draft {
  const [name, ...rest] = path;
  if (name === undefined) throw new RangeError("a path has at least one name");
  const old = at(draft, [name]);
  const next =
    rest.length === 0
      ? value
      : LISTS.has(name)
        ? listWith(old, rest, value)
        : withValue(old, rest, value);
  const others = isRecord(draft) ? Object.entries(draft).filter(([key]) => key !== name) : [];
  if (next === undefined) return Object.fromEntries(others);
  const position = isRecord(draft) ? Object.keys(draft).indexOf(name) : -1;
  // Object.fromEntries makes a member of a name such as __proto__ as of any other.
  return Object.fromEntries(
    others.toSpliced(position < 0 ? others.length : position, 0, [name, next]),
  );
}

/** What is a list; below it a whole number names a place: seal.operators.0. */
const LISTS: ReadonlySet<string> = new Set(["operators"]);

function listWith(old: unknown, [index = "0", ...rest]: Path, value: unknown): unknown[] {
  const list: unknown[] = Array.isArray(old) ? [...(old as unknown[])] : [];
  const place = Math.min(/^\d+$/.test(index) ? Number(index) : list.length, list.length);
  list[place] = rest.length === 0 ? value : withValue(list[place], rest, value);
  return list;
}

/**
 * All that is wrong in a draft, in the words of `pulumi preview`. What is missing is among it.
 *
 * @param stack - the stack's name, for the rules on names.
 */
export function draftProblems(draft: Draft, stack: string): readonly Problem[] {
  const secrets: readonly string[] = SECRET_KEYS;
  const own = Object.entries(draft).filter(
    ([key, value]) => value !== undefined && !secrets.includes(key),
  );
  const values = Object.fromEntries(
    own.map(([key, value]) => [`${NAMESPACE}:${key}`, JSON.stringify(value)] as const),
  );
  const seed = { [`${NAMESPACE}:credentialSeed`]: SOME_SEED };
  try {
    parseStackConfig({ values: { ...values, ...seed }, isSecret: () => true }, stack);
    return [];
  } catch (error) {
    // What is secret is set later: a draft has nothing to be judged there.
    if (error instanceof InputError) {
      return error.problems.filter(({ path: [key = ""] }) => key !== "targetSecrets");
    }
    throw error;
  }
}

/** What is wrong at exactly one place of a draft, as a sentence's end; undefined where nothing is. */
export function problemAt(draft: Draft, path: Path, stack: string): string | undefined {
  const isHere = (problem: Problem) =>
    problem.path.length === path.length &&
    problem.path.every((name, index) => name === path[index]);
  return draftProblems(draft, stack).find(isHere)?.message;
}

/** Whether a problem is that a value is not there. */
export function isMissing(draft: Draft, { path }: Problem): boolean {
  return path.length > 0 && at(draft, path) === undefined;
}
