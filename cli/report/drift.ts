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
    drift: [...unique(said.filter(isDrift)).map(words), ...refreshedOf(preview).map(refreshed)],
    warnings: unique(said.filter((each) => !isDrift(each))).map(words),
  };
}

function unique(all: readonly { message: string }[]): string[] {
  return [...new Set(all.map(({ message }) => message))];
}

/** What is outside of the program's settings, or told in another way. */
const PASSING: ReadonlySet<string> = new Set(["revision", "options", "fileCount"]);

/** What a refresh found to be otherwise than the state had it. */
export interface Refreshed {
  readonly step: Step;
  /** undefined where the resource is no longer there. */
  readonly differences: readonly Difference[] | undefined;
}

/** What a refresh found, for every resource that is not as the state had it. */
export function refreshedOf({ steps }: Preview): Refreshed[] {
  const later = new Map(
    steps.filter(({ op }) => op !== "refresh").map((step) => [step.urn, step] as const),
  );
  return steps.flatMap((step): Refreshed[] => {
    const { oldState: before } = step;
    if (step.op !== "refresh" || before?.custom !== true) return [];
    // The engine tells of a refresh before it knows the answer, which is what a later step begins at.
    const next = later.get(step.urn);
    const isGone = step.newState == null || (next?.op === "create" && next.oldState == null);
    if (isGone) return [{ step, differences: undefined }];
    const found = [step.newState, next?.oldState]
      .flatMap((now) => (now == null ? [] : [changedOutputs(before.outputs, now.outputs)]))
      .find(({ length }) => length > 0);
    return found === undefined ? [] : [{ step, differences: found }];
  });
}

function changedOutputs(before: unknown, now: unknown): Difference[] {
  return differences(before, now).filter(({ path }) => !PASSING.has(path.split(/[.[]/)[0] ?? ""));
}

function refreshed({ step, differences: found }: Refreshed): Phrase {
  const { urn, oldState } = step;
  const owner = oldState?.parent === undefined ? undefined : nameOf(oldState.parent);
  const { one } = subjectOf({
    ...{ operation: "update", urn, type: typeOf(step), name: nameOf(urn), owner },
    ...{ ownerType: undefined, before: oldState ?? undefined, after: undefined, reasons: [] },
  });
  if (found === undefined) return say`${one} is GONE: somebody deleted it`;
  const paths = found.map(({ path }) => path);
  const shown = paths.slice(0, 3).join(", ") + (paths.length > 3 ? ", …" : "");
  return say`${one} was changed by hand: ${shown}`;
}
