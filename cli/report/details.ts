/** What differs in each resource, for those who want to know: folded away in the comment. */
import { structuredPatch } from "diff";
import type { Change } from "./changes.ts";
import { refreshedOf } from "./drift.ts";
import { nameOf, typeOf, type Preview } from "./preview.ts";
import { say, type Phrase } from "./phrase.ts";
import { differences, SECRET, type Difference } from "./values.ts";
import { subjectOf } from "./words.ts";

/** One resource's differences, as lines that begin with `+`, `-`, `!` or a space. */
export interface Detail {
  readonly title: Phrase;
  readonly lines: readonly string[];
}

const SIGNS: Readonly<Record<Change["operation"], string>> = {
  create: "created",
  import: "imported",
  update: "changed",
  replace: "replaced",
  delete: "deleted",
  forget: "forgotten",
};

/** The differences of every change that has any. */
export function detailsOf(preview: Preview, changes: readonly Change[]): Detail[] {
  return [
    ...changes.map(detailOf),
    ...refreshedOf(preview).map(({ step, differences: found = [] }) => {
      const { parent } = step.oldState ?? {};
      const owner = parent === undefined ? [] : say` of ${nameOf(parent)}`;
      const title = say`${nameOf(step.urn)}${owner} (${typeOf(step)}): changed by hand`;
      return { title, lines: found.flatMap(leafLines) };
    }),
  ].filter(({ lines }) => lines.length > 0);
}

function detailOf(change: Change): Detail {
  const { operation, before, after, reasons } = change;
  const title = say`${subjectOf(change).one}: ${[SIGNS[operation]]}`;
  const [old, now] = [before?.inputs ?? {}, operation === "delete" ? {} : (after?.inputs ?? {})];
  if (operation === "delete" || operation === "forget") return { title, lines: [] };
  const all = differences(old, now).filter(({ path }) => !isNoise(path));
  const texts = all.filter(isText);
  const leaves = all.filter((each) => !isText(each));
  const told = new Set(all.map(({ path }) => rootOf(path)));
  // Where both sides are masked, the engine alone knows that they differ.
  const masked = [...new Set(reasons.map(rootOf))].filter((root) => !told.has(root));
  return {
    title,
    lines: [
      ...leaves.flatMap(leafLines),
      ...(operation === "create" ? [] : masked.map((root) => `! ${root}: ${how(now, root)}`)),
      ...texts.flatMap(textLines),
    ],
  };
}

/** What every command of the bundle has, and says nothing of the change. */
function isNoise(path: string): boolean {
  return /^(?:addPreviousOutputInEnv|logging|interpreter\[|environment\.REPAIR$)/.test(path);
}

function how(inputs: Readonly<Record<string, unknown>>, root: string): string {
  return inputs[root] === SECRET ? "changed (secret)" : "changed";
}

function rootOf(path: string): string {
  return path.split(/[.[]/)[0] ?? path;
}

function isText({ before, after }: Difference): boolean {
  return before?.includes("\n") === true || after?.includes("\n") === true;
}

function textLines({ path, before = "", after = "" }: Difference): string[] {
  const { hunks } = structuredPatch(path, path, before, after, "", "", { context: 2 });
  return [`  ${path}:`, ...hunks.flatMap(({ lines }) => ["  …", ...lines.map(cut)])];
}

function leafLines({ path, before, after }: Difference): string[] {
  return [
    ...(before === undefined ? [] : [cut(`- ${path}: ${before}`)]),
    ...(after === undefined ? [] : [cut(`+ ${path}: ${after}`)]),
  ];
}

const LONGEST_LINE = 160;

function cut(line: string): string {
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line;
}

/** The differences of the settings, as a detail of their own. */
export function settingsDetail(all: readonly Difference[]): Detail | undefined {
  const lines = all.flatMap((each) => {
    const bothSecret = each.before === SECRET && each.after === SECRET;
    return bothSecret ? [`! ${each.path}: set anew (secret)`] : leafLines(each);
  });
  return lines.length === 0 ? undefined : { title: say`The settings`, lines };
}
