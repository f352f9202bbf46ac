import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { anchorsOf, linksOf, markdownFiles, ROOT } from "./markdown.ts";

const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");

/** What is wrong with a link in a file, or nothing. */
function deadLink(file: string, href: string): string | undefined {
  // Elsewhere on the web is not ours to ask: a test needs no network.
  if (/^[a-z][a-z+.-]*:/i.test(href)) return undefined;
  const [place, anchor] = href.split("#") as [string, string?];
  const target = place === "" ? file : path.posix.join(path.posix.dirname(file), decodeURI(place));
  if (place.startsWith("/")) return `${file}: ${href} begins at no folder of the project`;
  if (target.startsWith("..")) return `${file}: ${href} leads out of the project`;
  if (!existsSync(path.join(ROOT, target))) return `${file}: ${href} is not there`;
  if (anchor === undefined || !target.endsWith(".md")) return undefined;
  if (statSync(path.join(ROOT, target)).isDirectory()) return undefined;
  return anchorsOf(read(target)).has(decodeURIComponent(anchor))
    ? undefined
    : `${file}: ${href}: ${target} has no heading of that anchor`;
}

describe("the links of all pages", () => {
  const files = markdownFiles();

  it("lead to files and headings that exist", () => {
    expect(files).toContain("README.md");
    const dead = files.flatMap((file) =>
      linksOf(read(file)).flatMap((href) => deadLink(file, href) ?? []),
    );
    expect(dead).toEqual([]);
  });

  it("are many, so that the test above has something to say", () => {
    const inside = files.flatMap((file) =>
      linksOf(read(file)).filter((href) => !/^[a-z]+:/i.test(href)),
    );
    expect(inside.length).toBeGreaterThan(80);
    expect(inside.filter((href) => href.includes("#")).length).toBeGreaterThan(15);
  });
});

describe("a dead link", () => {
  it.each([
    ["nowhere.md", /is not there/],
    ["README.md#no-such-heading", /no heading of that anchor/],
    ["#no-such-heading", /no heading of that anchor/],
    ["../outside.md", /leads out/],
    ["/README.md", /begins at no folder/],
  ])("is seen: %s", (href, expected) => {
    expect(deadLink("README.md", href)).toMatch(expected);
  });
});

describe("an anchor", () => {
  it.each([
    ["# Use it: with real accounts", "use-it-with-real-accounts"],
    ["## `tls: self-signed`", "tls-self-signed"],
    ["## A [link](x.md) & more_things", "a-link--more_things"],
    ["## Größe – 2 GiB", "größe--2-gib"],
    ["# Twice\n# Twice", "twice-1"],
    ['<a id="by-hand"></a>', "by-hand"],
  ])("of %j is %s", (text, anchor) => {
    expect([...anchorsOf(text)]).toContain(anchor);
  });

  it("is of no heading that stands in code", () => {
    expect([...anchorsOf("```sh\n# a comment\n```\n\n# A heading")]).toEqual(["a-heading"]);
  });
});
