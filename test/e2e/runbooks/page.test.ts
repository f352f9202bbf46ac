/** What the runbooks have in common, and how they are read. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PROJECT } from "../../../sandbox/world.ts";
import { missingLine, readPage } from "./page.ts";

const FOLDER = join(PROJECT, "docs", "runbooks");
const NAMES = readdirSync(FOLDER)
  .filter((name) => name !== "README.md")
  .map((name) => name.replace(/\.md$/, ""));

describe.each(NAMES)("the runbook %s", (name) => {
  const text = readFileSync(join(FOLDER, `${name}.md`), "utf8");

  it("says when it applies and what it takes, and is followed by a test", () => {
    for (const what of ["When", "What you need", "How long"]) {
      expect(text).toMatch(new RegExp(`^\\*\\*${what}:\\*\\*`, "m"));
    }
    const test = join(import.meta.dirname, `${name}.test.ts`);
    expect(readFileSync(test, "utf8")).toMatch(/unfollowed\(.*\)\)\.toEqual\(\[\]\)/);
    expect(readFileSync(join(FOLDER, "README.md"), "utf8")).toContain(`(${name}.md)`);
  });

  it("has commands that say where they are run, and what is seen", () => {
    const { blocks, settings } = readPage(name);
    expect(settings.size).toBeGreaterThan(0);
    expect(blocks.flatMap(({ expected }) => expected)).not.toEqual([]);
  });

  it("leads to pages that are there", () => {
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = ""]) => link);
    expect(links.filter((link) => !existsSync(join(FOLDER, link)))).toEqual([]);
  });
});

describe("what a page says is seen", () => {
  it("is found in its order, with anything in the place of an ellipsis", () => {
    const output = "first\n  q: complete, 12 files\n\u001b[32mlast (really)\u001b[39m\n";
    expect(missingLine(output, ["first", "q: complete, … files", "last (really)"])).toBeUndefined();
    expect(missingLine(output, ["…complete…", "…"])).toBeUndefined();
  });

  it("is missed when it is not there, only a part of a line, or in another order", () => {
    expect(missingLine("identical\n", ["identical", "identical"])).toBe("identical");
    expect(missingLine("not identical\n", ["identical"])).toBe("identical");
    expect(missingLine("b\na\n", ["a", "b"])).toBe("b");
    expect(missingLine("axb\n", ["a.b"])).toBe("a.b");
  });
});
