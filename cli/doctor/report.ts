/** What was looked at on the operator's machine, and what it came to. */
import Table from "cli-table3";
import { printable } from "../../hub/format.ts";

/**
 * `optional`: not there, and only some commands want it. `unknown`: could not be looked at, because
 * of something above it, or because a place did not answer that may be away.
 */
export type State = "ok" | "missing" | "wrong" | "optional" | "unknown";

/** One check. */
export interface Check {
  /** What it belongs to: `machine`, `pulumi`, `stack`, `cloud (b2)`. */
  readonly area: string;
  readonly name: string;
  readonly state: State;
  /** What was found, on one line. */
  readonly found: string;
  /** The way out; undefined where there is nothing to do. */
  readonly todo?: string;
}

/** `offsite doctor --json`. It changes only compatibly. */
export interface DoctorReport {
  readonly version: 1;
  /** Whether nothing is missing, wrong or unknown. */
  readonly healthy: boolean;
  readonly checks: readonly Check[];
  /** What to do first; null where nothing is to be done. */
  readonly first: string | null;
}

/** Whether something has to be done about a check. */
export function isTrouble({ state }: Check): boolean {
  return state === "missing" || state === "wrong" || state === "unknown";
}

/** Puts checks together, in their order: what comes first is what others need. */
export function reportOf(checks: readonly Check[]): DoctorReport {
  const trouble = checks.filter(isTrouble);
  const first = trouble.find(({ todo, state }) => todo !== undefined && state !== "unknown");
  return {
    version: 1,
    healthy: trouble.length === 0,
    checks,
    first: (first ?? trouble[0])?.todo ?? null,
  };
}

/** The table for people, and below it what there is to do. */
export function reportText(report: DoctorReport): string {
  const made = new Table({
    head: ["", "check", "state", "found"],
    style: { head: [], border: [], compact: true },
  });
  for (const { area, name, state, found } of report.checks) {
    made.push([area, name, state, wrapped(printable(found))]);
  }
  const todos = report.checks.flatMap(({ area, name, state, todo }) =>
    state === "ok" || todo === undefined
      ? []
      : [`  ${area}, ${name} (${state}): ${printable(todo)}`],
  );
  const list = todos.length === 0 ? [] : ["", "What to do:", ...todos];
  const end = report.healthy
    ? "All is there that is needed."
    : `First: ${printable(report.first ?? "see above")}`;
  return [made.toString(), ...list, "", end].join("\n");
}

const WIDTH = 80;

/** In lines of a bearable width, broken at spaces. */
function wrapped(text: string): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + word.length >= WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join("\n");
}
