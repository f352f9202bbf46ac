import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSealed } from "../../../cli/bundle/open.ts";

const CONTENT = "[cloud]\nkey = K005\n";
let folder: string;
let age: string;
let other: string;
let ssh: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "offsite-open-"));
  [age, other, ssh] = ["age", "other", "ssh"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const file of [age, other]) await execa("age-keygen", ["--output", file]);
  await execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", ssh]);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Seals with the program that the bundle is sealed with. */
async function sealed(format: "age" | "sops"): Promise<string> {
  const file = join(folder, `rclone.conf.${format}`);
  const recipient = (await execa("age-keygen", ["-y", age])).stdout.trim();
  const env = { DIRECTORY: folder, FILE: file, FORMAT: format, RECIPIENTS: recipient };
  await execa("/bin/sh", ["components/seal.sh", "update"], { input: CONTENT, env });
  return file;
}

describe("a sealed file", () => {
  it("opens with any of the keys that are given, in both formats", async () => {
    for (const format of ["age", "sops"] as const) {
      const file = await sealed(format);
      expect(await openSealed(file, format, [other, age]), format).toEqual({ content: CONTENT });
      expect(await openSealed(file, format, [other]), format).toMatchObject({
        reason: expect.stringMatching(/^cannot be opened with .*other: ./) as string,
      });
    }
  });

  it("opens with an SSH key where it is age's, and says what to do where it is sops's", async () => {
    const file = join(folder, "for-ssh.age");
    const recipient = ["--recipients-file", `${ssh}.pub`, "--output", file];
    await execa("age", ["--encrypt", ...recipient], { input: CONTENT });
    expect(await openSealed(file, "age", [ssh])).toEqual({ content: CONTENT });
    expect(await openSealed(await sealed("sops"), "sops", [ssh])).toMatchObject({
      reason: expect.stringContaining("ssh-to-age -private-key") as string,
    });
  });

  it("says that it is missing, or that it needs a key", async () => {
    expect(await openSealed(join(folder, "none"), "age", [age])).toEqual({
      reason: "is not there",
    });
    expect(await openSealed(await sealed("age"), "age", [])).toEqual({
      reason: "is sealed, and no --identity was given",
    });
    writeFileSync(join(folder, "plain"), CONTENT);
    expect(await openSealed(join(folder, "plain"), "plain", [])).toEqual({ content: CONTENT });
  });
});
