/** What the config's checks say of buckets, their keys and their secrets. */
import { describe, expect, it } from "vitest";
import { parseStackConfig } from "../../config/parse.ts";
import { InputError } from "../../config/problems.ts";
import { isPlainAndFar } from "../../config/targets/s3.ts";
import { AGE_KEY, raw, validConfig } from "./valid.ts";

const R2 = { type: "r2", accountId: "0123456789abcdef".repeat(2), bucket: "family-fort" };
const S3 = { type: "s3", endpoint: "https://s3.example.net", bucket: "family-fort" };
const KEY = { accessKeyId: "AKSYNC", secretAccessKey: "a/secret+key=" };
const OTHER = { accessKeyId: "AKREAD", secretAccessKey: "another" };

function problemsOf(
  targets: Record<string, unknown>,
  targetSecrets?: Record<string, unknown>,
  hosts?: Record<string, unknown>,
): string[] {
  const config = {
    ...validConfig(),
    targets,
    ...(targetSecrets !== undefined && { targetSecrets }),
    ...(hosts !== undefined && { hosts }),
  };
  try {
    parseStackConfig(raw(config), "prod");
  } catch (error) {
    if (error instanceof InputError) return error.message.split("\n").slice(1);
    throw error;
  }
  return [];
}

describe("the config of clouds", () => {
  it("takes R2 and S3 targets, several of a type in one stack", () => {
    expect(problemsOf({ cloud: R2, more: { ...R2, bucket: "another" } })).toEqual([]);
    const secrets = { attic: { sync: KEY, restore: OTHER }, loft: { sync: KEY } };
    expect(problemsOf({ attic: S3, loft: { ...S3, bucket: "other" } }, secrets)).toEqual([]);
  });

  it("asks for the keys of an s3 target, and says how to set them", () => {
    expect(problemsOf({ attic: S3 })).toEqual([
      expect.stringMatching(
        /^ {2}targetSecrets\.attic\.sync: got nothing, must be .* pulumi config set --secret --path/,
      ),
    ]);
  });

  it("refuses secrets of no target, of a target of another type, and a host's key that writes", () => {
    const stray = problemsOf({ attic: S3 }, { attic: { sync: KEY }, gone: { sync: KEY } });
    expect(stray).toEqual([expect.stringContaining("targetSecrets.gone: is of no target")]);
    const wrong = problemsOf({ cloud: R2 }, { cloud: { sync: KEY } });
    expect(wrong).toEqual([
      expect.stringContaining('targetSecrets.cloud.sync: is for targets of type "s3"'),
    ]);
    const shared = problemsOf({ attic: S3 }, { attic: { sync: KEY, restore: KEY } });
    expect(shared).toEqual([expect.stringContaining("every host would get it")]);
  });

  it("shows no secret in a problem", () => {
    const secret = "line\nbreak";
    const said = problemsOf(
      { attic: S3 },
      { attic: { sync: { ...KEY, secretAccessKey: secret } } },
    );
    expect(said).toHaveLength(1);
    expect(said.join()).not.toContain("break");
  });

  it("refuses two targets in one bucket, or one within another's folder", () => {
    const secrets = { a: { sync: KEY }, b: { sync: KEY } };
    const both = (a: object, b: object) =>
      problemsOf({ a: { ...S3, ...a }, b: { ...S3, ...b } }, secrets);
    expect(both({}, {})).toEqual([expect.stringContaining("targets.b.bucket")]);
    const respelled = { endpoint: `${S3.endpoint.toUpperCase().replace("HTTPS", "https")}:443/` };
    expect(both({}, respelled)).toEqual([expect.stringContaining("targets.b.bucket")]);
    expect(both({ prefix: "x" }, { prefix: "x/y" })).toEqual([
      expect.stringContaining('targets.b.prefix: got "x/y", which is inside "x"'),
    ]);
    expect(both({}, { prefix: "x" })).toEqual([expect.stringContaining("inside the whole bucket")]);
    expect(both({ prefix: "x" }, { prefix: "xy" })).toEqual([]);
    expect(both({}, { endpoint: "https://elsewhere.example" })).toEqual([]);
    expect(problemsOf({ a: R2, b: { ...R2, jurisdiction: "eu" } })).toEqual([]);
  });

  it("refuses more hosts than Cloudflare has tokens for", () => {
    const host = (index: number) => [`h${index}`, { key: AGE_KEY, sizeGiB: 1 }] as const;
    const hosts = (count: number) =>
      Object.fromEntries([
        ["ursula", { key: AGE_KEY, sizeGiB: 1 }],
        ...Array.from({ length: count - 1 }, (_, index) => host(index)),
      ]) as Record<string, unknown>;
    expect(problemsOf({ cloud: R2 }, undefined, hosts(247))).toEqual([]);
    expect(problemsOf({ cloud: R2 }, undefined, hosts(248))).toEqual([
      expect.stringContaining("leads to 501 API tokens at Cloudflare for 248 hosts"),
    ]);
  });

  it("knows a route that strangers see", () => {
    expect(isPlainAndFar("http://s3.example.net")).toBe(true);
    expect(isPlainAndFar("http://203.0.113.9:9000")).toBe(true);
    for (const near of [
      "https://s3.example.net",
      "http://127.0.0.1:9000",
      "http://[fd7a::9]:9000",
    ]) {
      expect(isPlainAndFar(near)).toBe(false);
    }
    for (const near of ["http://100.64.0.9:9000", "http://nas:9000", "http://nas.tail1.ts.net"]) {
      expect(isPlainAndFar(near)).toBe(false);
    }
  });
});
