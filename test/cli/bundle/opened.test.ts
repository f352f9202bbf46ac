import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { DeployedBundle } from "../../../cli/bundle/deployed.ts";
import { requireEmpty, writeOpened } from "../../../cli/bundle/opened.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "offsite-opened-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = { recipients: "", written: undefined };
const bundle: DeployedBundle = {
  directory: "elsewhere",
  files: [
    { ...file, path: "offsite.json", content: "{}\n", format: "public" },
    { ...file, path: "hosts/q.env.age", content: "A=b\n", format: "age" },
    { ...file, path: "rclone.conf.sops", content: "[cloud]\n", format: "sops" },
  ],
};

it("writes every file as it was before it was sealed, for its owner alone", async () => {
  const directory = join(folder, "new");
  const written = await writeOpened(bundle, directory);
  expect(written).toEqual(["hosts/q.env", "offsite.json", "rclone.conf"]);
  expect(readFileSync(join(directory, "hosts/q.env"), "utf8")).toBe("A=b\n");
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "hosts")).mode & 0o777).toBe(0o700);
  for (const path of written) expect(statSync(join(directory, path)).mode & 0o777).toBe(0o600);
});

it("closes an empty directory that others could read, and refuses one with files", async () => {
  rmSync(folder, { recursive: true });
  await writeOpened({ ...bundle, files: [] }, folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  writeFileSync(join(folder, "mine"), "");
  await expect(requireEmpty(folder)).rejects.toThrow(/has files in it\. Name a new directory/);
  await expect(writeOpened(bundle, folder)).rejects.toThrow(/has files in it/);
  expect(readdirSync(folder)).toEqual(["mine"]);
});
