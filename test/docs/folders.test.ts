/** The picture of the folders, held against every import that there is. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { ROOT } from "./markdown.ts";

const NOT_OURS = new Set(["node_modules", "dist", "sdk"]);

/** The sources of the project, by their paths below it. */
function sources(folder = ""): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) {
      // What begins with a dot is the forges' or a tool's.
      return NOT_OURS.has(entry.name) || entry.name.startsWith(".") ? [] : sources(file);
    }
    return /\.(ts|mjs)$/.test(entry.name) ? [file] : [];
  });
}

/** What a file belongs to in the picture: its folder, or itself. */
function placeOf(file: string): string {
  const [first = "", second = ""] = file.split("/");
  return first === "sdks" ? `${first}/${second}` : first;
}

/** The places that a file imports from, its own left out. */
function importsOf(file: string): string[] {
  const text = readFileSync(path.join(ROOT, file), "utf8");
  const names = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
  const places = names.flatMap((name) => {
    if (name === "@pulumi/b2") return ["sdks/b2"];
    return name.startsWith(".") ? [placeOf(path.posix.join(path.posix.dirname(file), name))] : [];
  });
  return places.filter((place) => place !== placeOf(file) && !place.startsWith("."));
}

/** The arrows of the picture. */
function arrows(): [string, string][] {
  const text = readFileSync(path.join(ROOT, "docs", "pictures", "folders.dot"), "utf8");
  return [...text.matchAll(/^ {2}"?([\w./]+)"? -> "?([\w./]+)"?( \[dir=both)?/gm)].flatMap(
    ([, from = "", to = "", both]): [string, string][] =>
      both === undefined
        ? [[from, to]]
        : [
            [from, to],
            [to, from],
          ],
  );
}

/** Everything that arrows lead to from a place, directly or by way of others. */
function reached(from: string, all: readonly [string, string][]): Set<string> {
  const seen = new Set<string>();
  const ways = [from];
  for (let place = ways.pop(); place !== undefined; place = ways.pop()) {
    for (const [start, end] of all) {
      if (start !== place || seen.has(end)) continue;
      seen.add(end);
      ways.push(end);
    }
  }
  return seen;
}

describe("the picture of the folders", () => {
  const all = arrows();
  const drawn = new Set(all.flat());
  const real = new Map<string, Set<string>>();
  for (const file of sources()) {
    const place = placeOf(file);
    for (const to of importsOf(file)) real.set(place, (real.get(place) ?? new Set()).add(to));
  }

  it("allows every import that there is", () => {
    expect(real.size).toBeGreaterThan(8);
    const more = [...real].flatMap(([from, to]) =>
      drawn.has(from)
        ? [...to]
            .filter((each) => !reached(from, all).has(each))
            .map((each) => `${from} -> ${each}`)
        : [],
    );
    expect(more).toEqual([]);
  });

  it("has no arrow that no import follows", () => {
    expect(all.length).toBeGreaterThan(10);
    expect(all.filter(([from, to]) => real.get(from)?.has(to) !== true)).toEqual([]);
  });

  it("leaves out no folder of sources", () => {
    // The loader of the program and the settings of tools are no part of the whole.
    const folders = [...real.keys()].filter((place) => !/\.(mjs|js)$|^vitest/.test(place));
    expect(folders.filter((place) => !drawn.has(place))).toEqual([]);
  });

  it("keeps sandbox and tests from being imported, and lets the pure folders import each other alone", () => {
    for (const [from, to] of all) {
      if (from !== "sandbox" && from !== "test") expect(["sandbox", "test"]).not.toContain(to);
    }
    expect([...reached("config", all)].sort()).toEqual(["config", "credentials"]);
    expect([...reached("credentials", all)].sort()).toEqual(["config", "credentials"]);
    expect([...reached("sdks/b2", all)]).toEqual([]);
  });
});
