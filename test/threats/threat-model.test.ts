/** Every line of docs/threat-model.md has a test behind it that exists and runs. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { marked, type Tokens } from "marked";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { plainText, ROOT } from "../docs/markdown.ts";

const PAGE = "docs/threat-model.md";
const text = readFileSync(path.join(ROOT, PAGE), "utf8");
const UNDEFENDED = "What is not defended";

/** A line of the page: what somebody tries, and the tests that try it. */
interface Line {
  readonly section: string;
  /** Its words in bold. */
  readonly claim: string;
  readonly tests: readonly { readonly file: string; readonly title: string }[];
}

function readPage() {
  const tokens = marked.lexer(text);
  const lines: Line[] = [];
  const sections: string[] = [];
  let section = "";
  for (const token of tokens) {
    if (token.type === "heading" && (token as Tokens.Heading).depth === 2) {
      section = plainText((token as Tokens.Heading).tokens);
      sections.push(section);
    }
    if (token.type !== "list") continue;
    for (const { raw } of (token as Tokens.List).items) {
      const tests = [...raw.matchAll(/\]\(\.\.\/(test\/[^)]+)\): "([^"]+)"/g)].map(
        ([, file = "", title = ""]) => ({ file, title }),
      );
      lines.push({ section, claim: /\*\*(.+?)\*\*/s.exec(raw)?.[1] ?? "", tests });
    }
  }
  const table = tokens.find(({ type }) => type === "table") as Tokens.Table;
  const rows = table.rows.map((row) => row.map((cell) => plainText(cell.tokens)));
  return { lines, sections, rows };
}

const { lines, sections, rows } = readPage();

/** The titles of a file's tests that run: none that is skipped, nor within what is. */
function titlesOf(file: string): Set<string> {
  const source = ts.createSourceFile(
    file,
    readFileSync(path.join(ROOT, file), "utf8"),
    ts.ScriptTarget.Latest,
  );
  const titles = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const names = namesOf(node.expression);
      if (["it", "test", "describe"].includes(names[0] ?? "")) {
        if (names.some((name) => ["skip", "skipIf", "runIf", "todo", "fails"].includes(name)))
          return;
        const [title] = node.arguments;
        if (names[0] !== "describe" && title !== undefined && ts.isStringLiteralLike(title)) {
          titles.add(title.text);
        }
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return titles;
}

/** The names in a chain such as `it.each(table)`. */
function namesOf(expression: ts.Expression): string[] {
  if (ts.isIdentifier(expression)) return [expression.text];
  if (ts.isPropertyAccessExpression(expression)) {
    return [...namesOf(expression.expression), expression.name.text];
  }
  return ts.isCallExpression(expression) ? namesOf(expression.expression) : [];
}

describe("the threat model", () => {
  it("has behind every line a test that exists, with exactly that title, and is not skipped", () => {
    const defended = lines.filter(({ section }) => section !== UNDEFENDED);
    expect(defended.length).toBeGreaterThan(40);
    expect(defended.filter(({ tests }) => tests.length === 0)).toEqual([]);
    const named = defended.flatMap(({ tests }) => tests);
    const titles = new Map<string, Set<string>>();
    const gone = named.filter(({ file, title }) => {
      if (!existsSync(path.join(ROOT, file))) return true;
      if (!titles.has(file)) titles.set(file, titlesOf(file));
      return titles.get(file)?.has(title) !== true;
    });
    expect(gone).toEqual([]);
  });

  it("names a test wherever it links to one, and says in bold what is tried", () => {
    // The page's own test is linked in plain text.
    const links = [...text.matchAll(/\]\(\.\.\/test\//g)].length;
    const named = lines.flatMap(({ tests }) => tests).length;
    expect(links - named).toBe(1);
    expect(lines.filter(({ claim }) => claim === "")).toEqual([]);
  });

  it("has a section for each row of its table, and says what is not defended", () => {
    for (const [who = ""] of rows) expect(text).toMatch(new RegExp(`\\| +\\[${who}\\]\\(#`));
    expect(sections.at(-1)).toBe(UNDEFENDED);
    expect(sections.length - 1).toBe(rows.length);
    expect(lines.filter(({ section }) => section === UNDEFENDED).length).toBeGreaterThan(5);
  });

  // What the design promised before the first line was written.
  it.each([
    ["a host", 2, /^nothing older/],
    ["the hub", 2, /At the cloud: hide, .* At the peer: nothing$/],
    ["the cloud's sync key", 2, /^nothing for keepHiddenDays$/],
    ["the stack's state", 1, /^nothing without the passphrase$/],
    ["the stack's state", 2, /^nothing$/],
    ["passphrase and state", 1, /no repository password/],
    ["passphrase and state", 2, /hide at the cloud, nothing at the peer/],
  ])("keeps what the design says of who has %s (column %d)", (who, column, expected) => {
    expect(rows.find(([name]) => name === who)?.[column]).toMatch(expected);
  });

  it("has behind each nothing of its table a line that says so, with a test", () => {
    for (const [index, [who = "", ...cells]] of rows.entries()) {
      const promised = cells.filter((cell) => /\bnothing\b/i.test(cell)).length;
      const section = sections[index] ?? "";
      const kept = lines.filter(
        (line) =>
          line.section === section && /\bnothing\b/i.test(line.claim) && line.tests.length > 0,
      );
      expect(kept.length, `${who}, below "${section}"`).toBeGreaterThanOrEqual(promised);
    }
  });
});
