import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { envFile } from "../../credentials/env-file.ts";
import { keyName } from "../../credentials/names.ts";
import { rcloneConf } from "../../credentials/rclone-conf.ts";
import { agenixRules, sopsRules } from "../../credentials/recipients.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fort-offsite-test-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("rclone.conf", () => {
  it("is read back by rclone as it was meant", async () => {
    const file = join(folder, "rclone.conf");
    const remotes = [
      {
        name: "cloud",
        options: { type: "b2", account: "001", key: "K001/a+b=", endpoint: "http://x:1" },
      },
      { name: "cloud-next", options: { type: "b2", account: "002", key: "K002" } },
    ];
    writeFileSync(file, rcloneConf(remotes));
    const { stdout } = await execa("rclone", ["config", "dump", "--config", file]);
    expect(JSON.parse(stdout)).toEqual(
      Object.fromEntries(remotes.map(({ name, options }) => [name, options])),
    );
  });

  it("refuses what would break out of its line, without showing it", () => {
    const attempt = () => rcloneConf([{ name: "a", options: { key: "secret\n[other]" } }]);
    expect(attempt).toThrow('The option key of the remote "a" has no valid value');
    expect(() => rcloneConf([{ name: "a]\n[b", options: {} }])).toThrow(RangeError);
  });
});

describe("an env file", () => {
  it("means the same to a shell as what was written", async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[A-Za-z0-9_./:@%+=,-]{1,40}$/), async (value) => {
        const file = join(folder, "env");
        writeFileSync(file, envFile([{ comment: "two\nlines" }, ["NAME", value]]));
        const { stdout } = await execa("sh", ["-c", `. "$1"; printf %s "$NAME"`, "sh", file]);
        expect(stdout).toBe(value);
      }),
      { numRuns: 20 },
    );
  });

  it("refuses a value that would need quoting, without showing it", () => {
    expect(() => envFile([["NAME", "a$(secret)"]])).toThrow("The value of NAME would need quoting");
    expect(() => envFile([["not-a-name", "x"]])).toThrow(RangeError);
  });
});

describe("the name of a B2 key", () => {
  it("is of letters, digits and hyphens whatever the stack's name", () => {
    const name = keyName({ stack: "my_org.prod", target: "cloud", purpose: "sync" }, 2);
    expect(name).toBe("fort-offsite-my-org-prod-cloud-sync-g2");
  });

  it("names the host of a key that opens one repository", () => {
    const name = keyName({ stack: "prod", target: "cloud", purpose: "restore", host: "q" }, 1);
    expect(name).toBe("fort-offsite-prod-cloud-restore-q-g1");
  });
});

describe("the rules on who may read what", () => {
  const files = [{ path: "hosts/q.env.age", recipients: ["age1a", "ssh-ed25519 AAAA"] }];

  it("are agenix's", () => {
    expect(agenixRules(files)).toContain(
      '  "hosts/q.env.age".publicKeys = [\n    "age1a"\n    "ssh-ed25519 AAAA"\n  ];\n',
    );
  });

  it("are sops's, with a pattern for that one path", () => {
    const { creation_rules: rules } = parse(sopsRules(files)) as {
      creation_rules: { path_regex: string; age: string }[];
    };
    expect(rules).toEqual([{ path_regex: "^hosts/q\\.env\\.age$", age: "age1a,ssh-ed25519 AAAA" }]);
  });
});
