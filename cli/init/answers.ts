/** Answers that are given beforehand: a file, and values by their place. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { InputError, type Problem } from "../../config/problems.ts";
import { SECRET_KEYS } from "../../config/stack.ts";
import { messageOf, UsageError } from "../../hub/errors.ts";
import { isRecord, SECTIONS, withValue, type Draft } from "./draft.ts";

/** What is given beside the settings. */
export const OPTIONS = ["stack", "backend", "peerKey"] as const;

/** The answers as given: nothing in them is checked but that they are of the known names. */
export interface Answers {
  readonly settings: Draft;
  readonly options: Partial<Record<(typeof OPTIONS)[number], string>>;
}

const SECRETS: readonly string[] = [...SECRET_KEYS, "applicationKeyId", "applicationKey"];

/**
 * Reads a file of answers: YAML or JSON, the settings below `fort-offsite:` and the options beside
 * them.
 *
 * @param file - `-` is standard input.
 * @throws UsageError where it cannot be read, InputError with all that does not belong there.
 */
export function readAnswers(file: string): Answers {
  const content = parseAnswers(file, readInput("--answers", file)) ?? {};
  if (!isRecord(content)) {
    throw new UsageError(
      `--answers: ${file} must hold an object with hub, hosts, targets and seal`,
    );
  }
  // A stack's own file serves as well.
  const inside = isRecord(content.config) ? content.config : content;
  const entries = Object.entries(inside).map(
    ([key, value]) => [key.replace(/^fort-offsite:/, ""), value] as const,
  );
  const problems = entries.flatMap(([key, value]) => problemWith(key, value));
  if (problems.length > 0) throw new InputError(`Invalid answers in ${file}`, problems);
  const isOption = ([key]: readonly [string, unknown]) => isOneOf(OPTIONS, key);
  return {
    settings: Object.fromEntries(entries.filter((entry) => !isOption(entry))),
    options: Object.fromEntries(entries.filter(isOption)),
  };
}

function problemWith(key: string, value: unknown): Problem[] {
  if (SECRETS.includes(key)) {
    const message =
      "does not belong into answers: secrets come from prompts, the environment or files of their own. Take it out, and the value for leaked";
    return [{ path: [key], message }];
  }
  if (isOneOf(OPTIONS, key)) {
    return typeof value === "string" ? [] : [{ path: [key], message: "must be a string" }];
  }
  if (isOneOf(SECTIONS, key)) return [];
  const known = [...SECTIONS, ...OPTIONS].join(", ");
  return [{ path: [key], message: `is no known answer, must be one of ${known}` }];
}

function isOneOf(names: readonly string[], name: string): boolean {
  return names.includes(name);
}

function parseAnswers(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new UsageError(`--answers: ${file} is neither YAML nor JSON: ${messageOf(error)}`);
  }
}

/**
 * Reads a file that an option names.
 *
 * @param file - `-` is standard input.
 */
export function readInput(option: string, file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new UsageError(`${option}: ${file} cannot be read: ${messageOf(error)}`);
  }
}

/**
 * Puts `hosts.q.sizeGiB=5` and the like over settings. Numbers, lists and objects are written as in
 * JSON; all else is text.
 *
 * @throws UsageError where one has no such form.
 */
export function withSettings(settings: Draft, assignments: readonly string[]): Draft {
  return assignments.reduce((draft, assignment) => {
    const [, place = "", value = ""] = /^([^=]+)=(.*)$/s.exec(assignment) ?? [];
    const path = place.split(".");
    if (place === "" || path.includes("") || !isOneOf(SECTIONS, path[0] ?? "")) {
      throw new UsageError(
        `--set: got ${JSON.stringify(assignment.slice(0, 80))}, must be a place and a value, such as hosts.q.sizeGiB=5; it begins with one of ${SECTIONS.join(", ")}`,
      );
    }
    return withValue(draft, path, valueOf(value));
  }, settings);
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
