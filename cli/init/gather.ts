/** Comes from what is given, what is there and what the operator says to a complete, checked plan. */
import { isDeepStrictEqual } from "node:util";
import { InputError, type Problem } from "../../config/problems.ts";
import { UsageError } from "../../hub/errors.ts";
import type { Answers } from "./answers.ts";
import { at, draftProblems, isMissing, isRecord, withValue, type Draft } from "./draft.ts";
import { Interview } from "./interview.ts";
import { askOne, say } from "./prompts.ts";
import { withProposals } from "./proposals.ts";
import { askSettings } from "./questions.ts";
import type { SettingsFile } from "./settings-file.ts";
import type { Place } from "./where.ts";

/** How the settings come together. */
export interface Given {
  readonly place: Place;
  readonly before: SettingsFile;
  /** The answers' settings with those of `--set` over them; undefined where nothing was given. */
  readonly settings: Draft | undefined;
  readonly isTerminal: boolean;
  /** Whether settings that are filled in already may be replaced. */
  readonly mayReplace: boolean;
}

/** Settings, perhaps with problems, where nobody could be asked. */
export interface Gathered {
  readonly settings: Draft;
  readonly problems: readonly Problem[];
}

/**
 * Comes to the settings. At a terminal they are right in the end; without one the problems say what
 * is missing, and with which flag to give it.
 *
 * @throws UsageError where filled-in settings would be replaced and that was not asked for.
 */
export async function gatherSettings(given: Given): Promise<Gathered> {
  const { before, isTerminal } = given;
  if (before.isFilledIn) return await gatherAgain(given);
  if (isTerminal) {
    return {
      settings: await interview(given, given.settings ?? {}, before.settings),
      problems: [],
    };
  }
  return unattended(given, given.settings ?? before.settings);
}

/** Settings are there: they stay, unless the operator says otherwise. */
async function gatherAgain(given: Given): Promise<Gathered> {
  const { before, place, isTerminal, mayReplace } = given;
  const asked = given.settings;
  if (asked !== undefined && !isSame(asked, before.settings) && !mayReplace) {
    throw new UsageError(
      `${place.file} is filled in already, with other settings. Nothing was changed. To replace them: --replace; to change one, edit the file: \`pulumi preview\` shows what follows`,
    );
  }
  if (asked !== undefined) {
    if (!isTerminal) return unattended(given, asked);
    return { settings: await interview(given, asked, before.settings), problems: [] };
  }
  const wrong = draftProblems(before.settings, place.stack);
  if (!isTerminal) return { settings: before.settings, problems: wrong };
  say(`${place.file} is filled in already.`);
  const choice = await askOne(
    wrong.length === 0 ? "It is right. What now?" : "Something in it is wrong. What now?",
    [
      { value: "keep", name: "keep these settings, and see to what is still missing" },
      { value: "again", name: "go through them again, with them as proposals" },
    ],
    wrong.length === 0 ? "keep" : "again",
  );
  if (choice === "keep") return { settings: before.settings, problems: wrong };
  return { settings: await interview(given, {}, before.settings), problems: [] };
}

/** Whether answers come to the settings that are there. */
function isSame(asked: Draft, settings: Draft): boolean {
  const { draft } = withProposals(asked, settings);
  return isDeepStrictEqual(keepGenerations(draft, settings), settings);
}

async function interview({ place }: Given, given: Draft, before: Draft): Promise<Draft> {
  // What is given and wrong is said before anything is asked.
  const wrong = draftProblems(given, place.stack).filter((problem) => !isMissing(given, problem));
  if (wrong.length > 0) throw new InputError("Invalid answers", wrong);
  const questions = new Interview(given, before, place.stack);
  await askSettings(questions);
  const settings = keepGenerations(questions.draft, before);
  const left = draftProblems(settings, place.stack);
  if (left.length > 0) throw new InputError("Invalid settings", left);
  return settings;
}

/** Without a terminal: what is given, with what would be proposed, and all that is wrong with it. */
function unattended({ place, before }: Given, given: Draft): Gathered {
  const { draft, proposed } = withProposals(given, before.settings);
  const settings = keepGenerations(draft, before.settings);
  for (const path of proposed) say(`${path.join(".")}: ${String(at(settings, path))} (proposed)`);
  const problems = draftProblems(settings, place.stack).map((problem) =>
    isMissing(settings, problem) ? withFlag(problem) : problem,
  );
  return { settings, problems };
}

function withFlag({ path, message }: Problem): Problem {
  const place = path.join(".");
  const flags: Readonly<Record<string, string>> = {
    hosts: "--set hosts.<name>.key=… and --set hosts.<name>.sizeGiB=…",
    targets: "--set targets.<name>.type=b2 and the like",
    hub: "--set hub.host=… and --set hub.url=…",
    seal: "--set seal.format=age and --set seal.directory=…",
  };
  return { path, message: `${message}. Give it with ${flags[place] ?? `--set ${place}=…`}` };
}

/** A generation stays what it was where nothing is said: it must never go down. */
function keepGenerations(settings: Draft, before: Draft): Draft {
  let kept = settings;
  for (const section of ["hosts", "targets", "guests"] as const) {
    const members = settings[section];
    for (const name of isRecord(members) ? Object.keys(members) : []) {
      for (const count of ["generation", "revoked"]) {
        const path = [section, name, count];
        const old = at(before, path);
        if (old === undefined || at(settings, path) !== undefined) continue;
        if (isRecord(at(settings, [section, name]))) kept = withValue(kept, path, old);
      }
    }
  }
  return kept;
}

/** What was given beforehand; undefined where nothing was. */
export function givenSettings(
  answers: Answers | undefined,
  sets: readonly string[],
  before: SettingsFile,
  apply: (settings: Draft, assignments: readonly string[]) => Draft,
): Draft | undefined {
  if (answers === undefined && sets.length === 0) return undefined;
  return apply(answers?.settings ?? before.settings, sets);
}
