/** A runbook's page as its test sees it: settings, commands in their order, and what they should say. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { marked } from "marked";
import { PROJECT } from "../../../sandbox/world.ts";

/** Commands for one machine. */
export interface Block {
  /** The heading above it. */
  readonly section: string;
  /** As the page calls it: "your own machine", "the hub", "the host". */
  readonly machine: string;
  readonly commands: string;
  /** Whether the last command is meant to fail, by `sh fails` at the fence. */
  readonly fails: boolean;
  /** Lines that are to be seen, in this order; `…` stands for anything. */
  expected: string[];
}

/** A page. */
export interface Page {
  /** Its first block, which the reader edits: the values by name, as they are written. */
  readonly settings: ReadonlyMap<string, string>;
  readonly blocks: readonly Block[];
}

const SETTING = /^([A-Z_]+)=('[^']*'|\S*)(\s+#.*)?$/;
const MACHINE = /^\*\*On ([^*:]+):?\*\*/;
/** What may stand in a fence without being run. */
const INERT = new Set(["yaml", "nix", "json"]);

/**
 * Reads `docs/runbooks/<name>.md`.
 *
 * @throws Error where a block is in a list, has no machine or another language: it would not be run.
 */
export function readPage(name: string): Page {
  const text = readFileSync(join(PROJECT, "docs", "runbooks", `${name}.md`), "utf8");
  const settings = new Map<string, string>();
  const blocks: Block[] = [];
  let section = "";
  let machine: string | undefined;
  let fences = 0;
  for (const token of marked.lexer(text)) {
    if (token.type === "heading") {
      section = (token as { text: string }).text;
      machine = undefined;
    } else if (token.type === "paragraph") {
      machine = MACHINE.exec(token.raw)?.[1] ?? machine;
    } else if (token.type === "code") {
      const { lang = "", text: content } = token as { lang?: string; text: string };
      const where = `docs/runbooks/${name}.md, ${section}`;
      fences += 1;
      if (lang === "sh" && settings.size === 0) readSettings(content, settings, where);
      else if (lang === "sh" || lang === "sh fails") {
        if (machine === undefined) throw new Error(`${where}: on which machine?\n${content}`);
        blocks.push({ section, machine, commands: content, fails: lang !== "sh", expected: [] });
      } else if (lang === "text") {
        blocks.at(-1)?.expected.push(...content.split("\n").filter((line) => line.trim() !== ""));
      } else if (!INERT.has(lang)) throw new Error(`${where}: a block of "${lang}" is not run`);
    }
  }
  const written = text.match(/^\s*```\S/gm)?.length ?? 0;
  if (written !== fences) throw new Error(`docs/runbooks/${name}.md: a block in a list is not run`);
  return { settings, blocks };
}

function readSettings(content: string, settings: Map<string, string>, where: string): void {
  for (const line of content.split("\n")) {
    const [, key, value] = SETTING.exec(line) ?? [];
    if (key === undefined || value === undefined) {
      throw new Error(`${where}: the first block has settings alone, not "${line}"`);
    }
    settings.set(key, value);
  }
}

/**
 * What is missing in an output.
 *
 * @returns the first expected line that is not there, after those before it; undefined where all are.
 */
export function missingLine(output: string, expected: readonly string[]): string | undefined {
  const lines = stripVTControlCharacters(output)
    .split("\n")
    .map((line) => line.trim());
  let from = 0;
  for (const wanted of expected) {
    const parts = wanted.trim().split("…").map(escape);
    const pattern = new RegExp(`^${parts.join(".*")}$`, "u");
    const at = lines.findIndex((line, index) => index >= from && pattern.test(line));
    if (at < 0) return wanted;
    from = at + 1;
  }
  return undefined;
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}
