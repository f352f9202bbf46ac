/** What is no longer as the last update left it, and what else was warned of. */
import { nameOf, typeOf, type Preview, type Step } from "./preview.ts";
import { say, words, type Phrase } from "./phrase.ts";
import { differences, type Difference } from "./values.ts";
import { subjectOf } from "./words.ts";

/** What was found beside what the change does. */
export interface Findings {
  /** A line for each thing that somebody changed by hand. */
  readonly drift: readonly Phrase[];
  /** Everything else that the program or the engine warns of. */
  readonly warnings: readonly Phrase[];
}

/** What the program says of a change made by hand: an update puts it right, or only a person can. */
const BY_HAND = /pulumi up`? (?:puts|writes)|since the last update|changed by hand|is missing/;

/** Looks at what the program said, and at what a refresh found. */
export function findingsOf(preview: Preview): Findings {
  const said = preview.diagnostics.filter(({ severity }) => severity === "warning");
  const isDrift = ({ message }: { message: string }) => BY_HAND.test(message);
  return {
    drift: [
      ...unique(said.filter(isDrift)).map(words),
      ...preview.steps.map(refreshed).filter((phrase) => phrase !== undefined),
    ],
    warnings: unique(said.filter((each) => !isDrift(each))).map(words),
  };
}

function unique(all: readonly { message: string }[]): string[] {
  return [...new Set(all.map(({ message }) => message))];
}

/** What is outside of the program's settings, or told in another way. */
const PASSING: ReadonlySet<string> = new Set(["revision", "options", "fileCount"]);

/** What a refresh found to be otherwise. */
export function refreshedDifferences({ op, oldState, newState }: Step): Difference[] {
  if (op !== "refresh" || oldState == null || newState == null) return [];
  return differences(oldState.outputs, newState.outputs).filter(
    ({ path }) => !PASSING.has(path.split(/[.[]/)[0] ?? ""),
  );
}

function refreshed(step: Step): Phrase | undefined {
  if (step.op !== "refresh" || step.oldState == null) return undefined;
  const { urn, oldState, newState } = step;
  const owner = oldState.parent === undefined ? undefined : nameOf(oldState.parent);
  const { one } = subjectOf({
    ...{ operation: "update", urn, type: typeOf(step), name: nameOf(urn), owner },
    ...{ ownerType: undefined, before: oldState, after: undefined, reasons: [] },
  });
  if (newState == null) return say`${one} is GONE: somebody deleted it`;
  const found = refreshedDifferences(step);
  if (found.length === 0) return undefined;
  const paths = found.map(({ path }) => path);
  const shown = paths.slice(0, 3).join(", ") + (paths.length > 3 ? ", …" : "");
  return say`${one} was changed by hand: ${shown}`;
}
