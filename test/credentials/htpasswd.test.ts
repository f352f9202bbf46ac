import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { derivePassword } from "../../credentials/derive.ts";
import { HashMemory, htpasswdFile } from "../../credentials/htpasswd.ts";
import { SEED } from "../config/valid.ts";

const user = (host: string, generation = 1) => ({
  owner: { at: "target", target: "peer", host } as const,
  generation,
});

const htpasswdLine = (seed: string, of: ReturnType<typeof user>) =>
  htpasswdFile(seed, [of]).trimEnd();

describe("an htpasswd file", () => {
  let folder = "";
  let file = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "fort-offsite-test-"));
    file = join(folder, "htpasswd");
    writeFileSync(file, htpasswdFile(SEED, [user("q", 3), user("drhorrible")]));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const verify = (host: string, password: string) =>
    execa("htpasswd", ["-v", "-i", file, host], { input: password, reject: false });

  it("is accepted by htpasswd -v with the password of its generation", async () => {
    const result = await verify("q", derivePassword(SEED, user("q").owner, 3));
    expect(result.stderr).toContain("correct");
    expect(result.exitCode).toBe(0);
  });

  it("refuses the passwords of the generations before and after", async () => {
    for (const generation of [2, 4]) {
      const result = await verify("q", derivePassword(SEED, user("q").owner, generation));
      expect(result.exitCode).toBe(3);
    }
  });

  it("refuses another host's password", async () => {
    const result = await verify("q", derivePassword(SEED, user("drhorrible").owner, 1));
    expect(result.exitCode).toBe(3);
  });

  it("is sorted, so that the order of the config does not matter", () => {
    expect(htpasswdFile(SEED, [user("a"), user("b")])).toBe(
      htpasswdFile(SEED, [user("b"), user("a")]),
    );
  });
});

describe("a line", () => {
  it("keeps its bytes as long as its password stays the same", () => {
    expect(htpasswdLine(SEED, user("q"))).toBe(htpasswdLine(SEED, user("q")));
    expect(htpasswdLine(SEED, user("q"))).toBe(
      "q:$2y$05$D0IOj1uxUYTYe6hhuCcGnO2dsA13X6ZO.l.NtNfYV6U/M.dIifmNK",
    );
  });

  it("changes with the generation, salt and all", () => {
    const salt = (generation: number) => htpasswdLine(SEED, user("q", generation)).slice(9, 31);
    expect(salt(1)).not.toBe(salt(2));
  });

  it("is bcrypt as Apache names it", () => {
    expect(htpasswdLine(SEED, user("q"))).toMatch(/^q:\$2y\$05\$[./A-Za-z0-9]{53}$/);
  });
});

describe("a memory of hashes", () => {
  it("gives the same file without reckoning, and keeps what is used alone", () => {
    const users = [user("q", 3), user("drhorrible")];
    const first = new HashMemory();
    const content = htpasswdFile(SEED, users, first);
    const marked = Object.fromEntries(Object.keys(first.used).map((salt) => [salt, "remembered"]));
    expect(htpasswdFile(SEED, users, new HashMemory(first.used))).toBe(content);
    expect(htpasswdFile(SEED, users, new HashMemory(marked))).toBe(
      "drhorrible:remembered\nq:remembered\n",
    );
    const next = new HashMemory({ ...first.used, stale: "x" });
    const rotated = htpasswdFile(SEED, [user("q", 4), user("drhorrible")], next);
    expect(rotated).not.toContain(content.split("\n")[1]);
    expect(Object.keys(next.used)).toHaveLength(2);
    expect(next.used).not.toHaveProperty("stale");
  });

  it("knows no hash of another seed", () => {
    const memory = new HashMemory();
    htpasswdFile(SEED, [user("q")], memory);
    const other = "f".repeat(63) + "0";
    expect(htpasswdFile(other, [user("q")], new HashMemory(memory.used))).toBe(
      htpasswdFile(other, [user("q")]),
    );
  });
});
