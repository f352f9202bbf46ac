import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COLOURS, drawPictures } from "../../tools/pictures.ts";

const SOURCES = path.resolve(import.meta.dirname, "..", "..", "docs", "pictures");

/** A colour's luminance, as WCAG 2 reckons it. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

describe("the documentation's pictures", () => {
  let drawn: Map<string, string>;
  beforeAll(async () => {
    drawn = await drawPictures(SOURCES);
  });

  it("are the same each time they are drawn, and those that are checked in", async () => {
    expect(drawn.size).toBeGreaterThan(6);
    expect(await drawPictures(SOURCES)).toEqual(drawn);
    for (const [name, svg] of drawn) {
      expect(await readFile(path.join(SOURCES, name), "utf8"), name).toBe(svg);
    }
  });

  it("say what they show to those who do not see them", () => {
    for (const [name, svg] of drawn) {
      expect(/<title id="title">(.+)<\/title>/.exec(svg)?.[1]?.length, name).toBeGreaterThan(10);
      expect(/<desc id="description">(.+)<\/desc>/.exec(svg)?.[1]?.length, name).toBeGreaterThan(
        80,
      );
    }
  });

  it("have no colour that does not change at night", () => {
    const known = new Set(Object.values(COLOURS).map(([day]) => day));
    for (const [name, svg] of drawn) {
      const used = [...svg.matchAll(/ (?:fill|stroke)="([^"]+)"/g)].map(
        ([, colour = ""]) => colour,
      );
      const others = used.filter(
        (each) => !["none", "transparent"].includes(each) && !known.has(each),
      );
      expect(others, name).toEqual([]);
    }
  });

  it.each(["day", "night"] as const)("can be read by %s, whatever text stands on", (time) => {
    const at = (name: string) => COLOURS[name]?.[time === "day" ? 0 : 1] ?? "";
    for (const ground of ["paper", "plain", "made", "data", "secret", "stop"]) {
      expect(contrast(at("ink"), at(ground)), `ink on ${ground}`).toBeGreaterThan(7);
      expect(contrast(at("dim"), at(ground)), `dim on ${ground}`).toBeGreaterThan(4.5);
    }
    for (const ground of ["paper", "plain", "made", "data"]) {
      expect(contrast(at("secretLine"), at(ground)), `secrets on ${ground}`).toBeGreaterThan(4);
    }
  });
});

describe("a source", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "pictures-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each([
    [
      '// title: A\n// description: B\ndigraph a { b [color="@gold"] }',
      /a\.dot: .*called gold; .*paper/,
    ],
    ["// title: A\ndigraph a { b }", /a\.dot: .*description/],
    ["// title: A\n// description: B\ndigraph a { b -> }", /a\.dot: .*syntax error/],
  ])("that is wrong is named, with what is wrong: %j", async (source, expected) => {
    await writeFile(path.join(folder, "a.dot"), source);
    await expect(drawPictures(folder)).rejects.toThrow(expected);
  });
});
