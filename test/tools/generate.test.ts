import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { generate, staleFiles, type Generator } from "../../tools/generate.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), "generate-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const generators: Generator[] = [
  { what: "one file", make: () => Promise.resolve(new Map([["a/one.json", "1\n"]])) },
  {
    what: "a folder",
    folders: ["b"],
    make: () => Promise.resolve(new Map([["b/x/two", "2\n"]])),
  },
];

test("what was just written is up to date", async () => {
  await generate(generators, root);
  expect(await readFile(path.join(root, "a/one.json"), "utf8")).toBe("1\n");
  expect(await staleFiles(generators, root)).toEqual([]);
});

test("a check names each file that is missing, out of date or not made any more", async () => {
  await mkdir(path.join(root, "a"));
  await mkdir(path.join(root, "b"));
  await writeFile(path.join(root, "a/one.json"), "0\n");
  await writeFile(path.join(root, "a/other"), "not generated");
  await writeFile(path.join(root, "b/old"), "");
  expect(await staleFiles(generators, root)).toEqual([
    "a/one.json is out of date",
    "b/x/two is missing",
    "b/old is not made any more",
  ]);
  await generate(generators, root);
  expect((await readdir(root, { recursive: true })).sort()).toEqual([
    "a",
    "a/one.json",
    "a/other",
    "b",
    "b/x",
    "b/x/two",
  ]);
});
