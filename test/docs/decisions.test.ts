import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Tokens } from "marked";
import { expect, it } from "vitest";
import { ROOT, plainText, tokensOf } from "./markdown.ts";

const folder = path.join(ROOT, "docs", "adr");
const read = (file: string) => readFileSync(path.join(folder, file), "utf8");
const pages = readdirSync(folder)
  .filter((file) => /^\d{4}-.*\.md$/.test(file))
  .sort();

interface Row {
  readonly number: string;
  readonly title: string;
  readonly file: string;
  readonly status: string;
  readonly summary: string;
}

/** The rows of the index, as its readers see them. */
function rows(): Row[] {
  const table = tokensOf(read("README.md")).find(({ type }) => type === "table") as Tokens.Table;
  return table.rows.map((cells) => {
    const [number = "", title = "", status = "", summary = ""] = cells.map(({ tokens }) =>
      plainText(tokens),
    );
    const link = cells[1]?.tokens.find(({ type }) => type === "link") as Tokens.Link | undefined;
    return { number, title, file: link?.href ?? "", status, summary };
  });
}

/** What a page says of itself: `# 7. Title`, and below it `2026-11-23. Status.` */
function headOf(file: string) {
  const text = read(file);
  const [, number = "", title = ""] = /^# (\d+)\. (.+)$/m.exec(text) ?? [];
  const [, status = ""] = /^\d{4}-\d\d-\d\d\. (.+)$/m.exec(text) ?? [];
  return { number, title, status };
}

it("every decision has its row in the index, with its number, title and status, in order", () => {
  expect(pages.length).toBeGreaterThan(15);
  const listed = rows().map(({ number, title, file, status }) => ({ file, number, title, status }));
  expect(listed).toEqual(pages.map((file) => ({ file, ...headOf(file) })));
});

it("every row of the index says in a line what was decided", () => {
  for (const { summary } of rows()) expect(summary.length).toBeGreaterThan(20);
});

it("every decision's page has its number in its name, and a status", () => {
  for (const file of pages) {
    const { number, status } = headOf(file);
    expect(file.startsWith(`${number.padStart(4, "0")}-`), file).toBe(true);
    expect(status, file).toMatch(/^(Accepted|Superseded|Rejected)/);
  }
});
