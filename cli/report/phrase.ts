/**
 * Sentences with names in them. What is ours and what others chose are kept apart until one of the
 * renderers puts them together, so that no name can be taken for Markdown, HTML or a mention.
 */
import { printable } from "../../hub/format.ts";

type Part = string | { readonly name: string } | { readonly text: string };

/** A sentence: our own words, and names that others chose. */
export type Phrase = readonly Part[];

/** Makes a phrase: every string that is put in is a name; numbers and phrases are our own words. */
export function say(
  words: TemplateStringsArray,
  ...values: readonly (string | number | Phrase)[]
): Phrase {
  return words.flatMap((word, at): Part[] => {
    const value = values[at];
    if (value === undefined) return [word];
    if (typeof value === "string") return [word, { name: value }];
    return typeof value === "number" ? [word, String(value)] : [word, ...value];
  });
}

/** How many names of many are told. */
const NAMES = 8;

/** Names as a list: `a`, `b` and 3 more. */
export function names(all: readonly string[]): Phrase {
  const shown = all.length > NAMES + 1 ? all.slice(0, NAMES) : all;
  const more = all.length - shown.length;
  return shown
    .flatMap((name, at): Part[] => {
      const isLast = at === shown.length - 1 && more === 0;
      const before = at === 0 ? "" : isLast ? " and " : ", ";
      return [before, { name }];
    })
    .concat(more > 0 ? [` and ${more} more`] : []);
}

/** Sentences that somebody else wrote, as an engine's message. */
export function words(text: string): Phrase {
  return [{ text }];
}

/** For programs and terminals. */
export function plain(phrase: Phrase): string {
  return phrase
    .map((part) => {
      if (typeof part === "string") return part;
      return "name" in part ? printable(part.name) : oneLine(part.text);
    })
    .join("");
}

/** For a Markdown comment at GitHub or Forgejo. */
export function markdown(phrase: Phrase): string {
  return phrase
    .map((part) => {
      if (typeof part === "string") return part;
      return "name" in part ? codeSpan(part.name) : escaped(part.text);
    })
    .join("");
}

function oneLine(text: string): string {
  return printable(text.replaceAll(/\s+/g, " ").trim());
}

const LONGEST_NAME = 80;

/** A name as a code span, in which nothing is Markdown, HTML, a mention or a reference. */
export function codeSpan(name: string): string {
  const clean = printable(name).trim();
  const cut = clean.length > LONGEST_NAME ? `${clean.slice(0, LONGEST_NAME)}…` : clean;
  if (cut === "") return "` `";
  const fence = "`".repeat(longestRun(cut, "`") + 1);
  const pad = cut.startsWith("`") || cut.endsWith("`") ? " " : "";
  return fence + pad + cut + pad + fence;
}

/** Text that others wrote, on one line, as text: no Markdown, no HTML, no mention, no link. */
export function escaped(text: string): string {
  return oneLine(text)
    .replaceAll(/[\\`*_[\]|~#]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("@", "@&#8203;")
    .replaceAll("://", ":&#47;/")
    .replaceAll(/www\./gi, "www&#46;");
}

/** A fenced block, whatever is in it. */
export function fenced(text: string, language = ""): string {
  const clean = text.split("\n").map(printable).join("\n");
  const fence = "`".repeat(Math.max(3, longestRun(clean, "`") + 1));
  return `${fence}${language}\n${clean}\n${fence}`;
}

function longestRun(text: string, character: string): number {
  const runs = text.match(new RegExp(`${character}+`, "g")) ?? [];
  return runs.reduce((longest, run) => Math.max(longest, run.length), 0);
}
