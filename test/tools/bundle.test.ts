import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const PROJECT = path.resolve(import.meta.dirname, "../..");
const LOAD = `import { load } from "./tools/bundled.mjs";
const { answer, here } = await load("program", "index.ts");
console.log(answer, here);`;

let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "bundle-"));
  for (const folder of ["tools", "part", "node_modules"]) mkdirSync(path.join(root, folder));
  for (const file of ["bundle.ts", "bundled.mjs"]) {
    copyFileSync(path.join(PROJECT, "tools", file), path.join(root, "tools", file));
  }
  for (const name of ["esbuild", "tsx"]) {
    symlinkSync(path.join(PROJECT, "node_modules", name), path.join(root, "node_modules", name));
  }
  write("package.json", '{"type":"module"}');
  write("node_modules/.package-lock.json", "{}");
  write("part/text.txt", "text");
  write(
    "part/part.ts",
    'import { readFileSync } from "node:fs";\nexport const here: string = readFileSync(new URL("text.txt", import.meta.url), "utf8");\n',
  );
  write("index.ts", indexOf(1));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const indexOf = (answer: number) =>
  `export { here } from "./part/part.ts";\nexport const answer: number = ${answer};\n`;

function write(file: string, text: string): void {
  writeFileSync(path.join(root, file), text);
}

/** Pulumi maps positions by a package of its own; Node does it by this. */
const MAPPED = { NODE_OPTIONS: "--enable-source-maps" };

async function loaded(env = {}): Promise<string> {
  const { stdout } = await execa(process.execPath, ["--input-type=module", "--eval", LOAD], {
    cwd: root,
    env,
  });
  return stdout;
}

/** What is in dist/ beside the note of what the bundle was made of. */
const bundles = () =>
  readdirSync(path.join(root, "dist")).filter((name) => name !== "program.json");

describe("a program that is run out of its bundle", () => {
  it("does what its sources say, and finds the files that lie beside them", async () => {
    expect(await loaded()).toBe("1 text");
    const note = readFileSync(path.join(root, "dist/program.json"), "utf8");
    expect(await loaded()).toBe("1 text");
    // The second time it was not built again.
    expect(readFileSync(path.join(root, "dist/program.json"), "utf8")).toBe(note);
    expect(bundles()).toHaveLength(1);
  });

  it("follows a change that keeps the size and the time of a file", async () => {
    expect(await loaded()).toBe("1 text");
    const file = path.join(root, "index.ts");
    const { atime, mtime } = statSync(file);
    write("index.ts", indexOf(2));
    utimesSync(file, atime, mtime);
    expect(await loaded()).toBe("2 text");
  });

  it("is built anew when npm has installed something", async () => {
    await loaded();
    const [before] = bundles();
    rmSync(path.join(root, "dist", before ?? ""), { recursive: true });
    expect(await loaded()).toBe("1 text");
    const noted = () => readFileSync(path.join(root, "dist/program.json"), "utf8");
    const note = noted();
    write("node_modules/.package-lock.json", "{ }");
    expect(await loaded()).toBe("1 text");
    expect(noted()).not.toBe(note);
  });

  it("is never run out of what is left of a bundle", async () => {
    await loaded();
    const main = path.join(root, "dist", bundles()[0] ?? "", "main.mjs");
    // As a power cut leaves what was not on disk yet: the program would have nothing in it.
    truncateSync(main);
    expect(await loaded()).toBe("1 text");
    rmSync(main);
    expect(await loaded()).toBe("1 text");
    expect(bundles()).toHaveLength(1);
  });

  it("tells its modules where their sources are, whatever way they ask", async () => {
    mkdirSync(path.join(root, "a part"));
    write("a part/own.js", "export const places = [import.meta.dirname, import.meta.filename];\n");
    write(
      "index.ts",
      'import { places } from "./a part/own.js";\nexport const answer: string = places.join();\nexport const here = "";\n',
    );
    const folder = path.join(root, "a part");
    expect(await loaded()).toBe(`${folder},${path.join(folder, "own.js")} `);
    expect(bundles()).toHaveLength(1);
  });

  it("shows which line of the sources threw an error", async () => {
    write("index.ts", `${indexOf(1)}\nthrow new Error("no such host");\n`);
    // The first time it is built, the second time it is there.
    const runs = [await loaded(MAPPED).catch(String), await loaded(MAPPED).catch(String)];
    for (const run of runs) expect(run).toContain(`${path.join(root, "index.ts")}:4:`);
  });

  it("runs from the sources where no bundle can be written", async () => {
    write("dist", "in the way");
    expect(await loaded()).toBe("1 text");
  });

  it("is told of a mistake by its sources, and runs once that is mended", async () => {
    write("index.ts", "export const answer = ;");
    await expect(loaded()).rejects.toThrow(/index\.ts:1/);
    write("index.ts", indexOf(3));
    expect(await loaded()).toBe("3 text");
  });

  it("is the same for several who start at once, and leaves nothing half made", async () => {
    expect(await Promise.all([loaded(), loaded(), loaded()])).toEqual(Array(3).fill("1 text"));
    expect(bundles()).toHaveLength(1);
    expect(existsSync(path.join(root, "dist", bundles()[0] ?? "", "main.mjs"))).toBe(true);
  });
});
