/** Reads Markdown as GitHub shows it: what it links to, and which anchors it has. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { marked, type Token, type Tokens } from "marked";

/** The folder of the project. */
export const ROOT = path.resolve(import.meta.dirname, "..", "..");

const NOT_OURS = new Set(["node_modules", "dist", ".git", ".sandbox"]);

/** Every Markdown file below a folder of the project, by its path below the project's. */
export function markdownFiles(folder = ""): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : markdownFiles(file);
    return entry.isFile() && entry.name.endsWith(".md") ? [file] : [];
  });
}

/** All tokens of a text, those within others too. */
export function tokensOf(text: string): Token[] {
  const all: Token[] = [];
  void marked.walkTokens(marked.lexer(text), (token) => void all.push(token));
  return all;
}

/** Where a text's links and pictures lead, those in its HTML too; none that stand in code. */
export function linksOf(text: string): string[] {
  return tokensOf(text).flatMap((token) => {
    if (token.type === "link" || token.type === "image") return [(token as Tokens.Link).href];
    if (token.type !== "html") return [];
    return [...token.raw.matchAll(/\b(?:href|src|srcset)\s*=\s*"([^"\s]+)/g)].map(
      ([, href = ""]) => href,
    );
  });
}

/** The anchors of a text: one for each heading, by GitHub's rules, and those that HTML names. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const token of tokensOf(text)) {
    if (token.type === "html") {
      for (const [, id = ""] of token.raw.matchAll(/\b(?:id|name)\s*=\s*"([^"]+)"/g))
        anchors.add(id);
    }
    if (token.type !== "heading") continue;
    const slug = slugOf(plainText((token as Tokens.Heading).tokens));
    let anchor = slug;
    // A heading that is there twice is numbered from the second on.
    for (let count = 1; anchors.has(anchor); count += 1) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** What a reader sees of tokens: no marks of emphasis, links as their text. */
export function plainText(tokens: readonly Token[]): string {
  return tokens
    .map((token) => {
      if (token.type === "html") return "";
      const { tokens: inner, text = "" } = token as { tokens?: Token[]; text?: string };
      return inner === undefined ? unescape(text) : plainText(inner);
    })
    .join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
};

function unescape(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity] ?? entity);
}

/** GitHub's anchor of a heading: lower case; letters, digits, `_` and `-` stay, a space is a `-`. */
function slugOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
    .replaceAll(" ", "-");
}
