/** Changes numbers in a stack's YAML file and nothing else: every other byte stays as it is. */
import { isDeepStrictEqual } from "node:util";
import {
  isMap,
  isNode,
  isScalar,
  parseDocument,
  type Document,
  type Pair,
  type YAMLMap,
} from "yaml";
import { NAMESPACE } from "../../config/parse.ts";
import { UsageError } from "../../hub/errors.ts";

/** Numbers to set for a host, a target or a guest. */
export interface Edit {
  readonly at: "hosts" | "targets" | "guests";
  readonly name: string;
  readonly values: Readonly<Record<string, number>>;
}

interface Splice {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * Sets numbers in the text of a `Pulumi.<stack>.yaml`. A number that is there is replaced where it
 * stands; one that is not gets a line before the first of its siblings.
 *
 * @throws UsageError where the file is written in a way that this cannot edit, with what to set by
 * hand.
 */
export function editSettings(text: string, edits: readonly Edit[]): string {
  const document = parseDocument(text);
  if (document.errors.length > 0) throw new UsageError(`the settings are no valid YAML`);
  const splices = edits.flatMap((edit) => splicesOf(document, text, edit));
  const edited = splices
    .toSorted((a, b) => b.from - a.from)
    .reduce((all, { from, to, text: part }) => all.slice(0, from) + part + all.slice(to), text);
  const wanted = document.clone();
  for (const { at, name, values } of edits) {
    for (const [key, value] of Object.entries(values))
      wanted.setIn([...pathOf(at, name), key], value);
  }
  if (!isDeepStrictEqual(parseDocument(edited).toJS(), wanted.toJS())) throw byHand(edits);
  return edited;
}

function pathOf(at: Edit["at"], name: string): string[] {
  return ["config", `${NAMESPACE}:${at}`, name];
}

function splicesOf(document: Document, text: string, edit: Edit): Splice[] {
  // An alias or a merged map stands for values that others have too.
  const map = document.getIn(pathOf(edit.at, edit.name), true);
  if (!isMap(map)) throw byHand([edit]);
  const missing: string[] = [];
  const splices = Object.entries(edit.values).flatMap(([key, value]): Splice[] => {
    const pair = pairOf(map, key);
    if (pair === undefined) {
      missing.push(`${key}: ${value}`);
      return [];
    }
    if (!isScalar(pair.value) || pair.value.range == null) throw byHand([edit]);
    const [from, to] = pair.value.range;
    return [{ from, to, text: String(value) }];
  });
  return missing.length === 0 ? splices : [...splices, insertion(map, text, missing, edit)];
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find((item) => isScalar(item.key) && item.key.value === key);
}

function insertion(map: YAMLMap, text: string, lines: readonly string[], edit: Edit): Splice {
  const first = map.items[0]?.key;
  if (!isNode(first) || first.range == null) throw byHand([edit]);
  const [from] = first.range;
  const indent = from - (text.lastIndexOf("\n", from - 1) + 1);
  const separator = map.flow === true ? ", " : `\n${" ".repeat(indent)}`;
  return { from, to: from, text: lines.map((line) => line + separator).join("") };
}

function byHand(edits: readonly Edit[]): UsageError {
  const wanted = edits.flatMap(({ at, name, values }) =>
    Object.entries(values).map(([key, value]) => `${at}.${name}.${key} to ${value}`),
  );
  return new UsageError(
    `the settings are written in a way that cannot be edited here (an alias, a secret, or another file). Set ${wanted.join(", ")} by hand, and run: pulumi up`,
  );
}
