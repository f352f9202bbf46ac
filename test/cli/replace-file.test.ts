import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { replaceFile } from "../../cli/replace-file.ts";
import { settingsFile } from "../../cli/stack.ts";
import { UsageError } from "../../hub/errors.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "replace-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("a settings file", () => {
  it("keeps its mode, and stays behind a link, when its text is replaced", () => {
    const [file, link] = [join(folder, "settings"), join(folder, "link")];
    writeFileSync(file, "before", { mode: 0o600 });
    symlinkSync(file, link);
    replaceFile(link, "before", "after");
    expect(readFileSync(file, "utf8")).toBe("after");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it("is left alone where somebody else has changed it meanwhile", () => {
    const file = join(folder, "other");
    writeFileSync(file, "theirs");
    expect(() => replaceFile(file, "before", "after")).toThrow(UsageError);
    expect(() => replaceFile(file, undefined, "after")).toThrow(/changed meanwhile/);
    expect(readFileSync(file, "utf8")).toBe("theirs");
    expect(readdirSync(folder).filter((name) => name.endsWith(".new"))).toEqual([]);
  });

  it("has the stack's bare name, with whatever owner Pulumi is told it", () => {
    expect(settingsFile("/project", "me/fort-offsite/prod", {})).toBe("/project/Pulumi.prod.yaml");
    expect(settingsFile("/project", "prod", { configFile: "/x.yaml" })).toBe("/x.yaml");
  });
});
