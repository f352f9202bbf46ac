import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkApplicationKey } from "../../../sdks/b2/provider/applicationKeyCheck.ts";
import { checkBucket } from "../../../sdks/b2/provider/bucketCheck.ts";
import { checkConfig } from "../../../sdks/b2/provider/config.ts";
import { unknown, type Properties } from "../../../sdks/b2/provider/wire.ts";

const bucket: Properties = { bucketName: "some-bucket", bucketType: "allPrivate" };
const key: Properties = { keyName: "some-key", capabilities: ["listFiles"] };

function bucketProblems(more: Properties, olds: Properties = {}): string[] {
  return checkBucket({ ...bucket, ...more }, olds).map(({ property }) => property);
}
function keyProblems(more: Properties): string[] {
  return checkApplicationKey({ ...key, ...more }).map(({ property }) => property);
}

describe("a bucket's check", () => {
  it("passes a bucket with every setting", () => {
    const more: Properties = {
      bucketInfo: { a: "b" },
      corsRules: [
        {
          corsRuleName: "from-web",
          allowedOrigins: ["https://a.example"],
          allowedOperations: ["s3_get"],
          maxAgeSeconds: 0,
        },
      ],
      lifecycleRules: [
        { fileNamePrefix: "a/", daysFromHidingToDeleting: 1, daysFromUploadingToHiding: 0 },
        { fileNamePrefix: "b/", daysFromUploadingToHiding: 7 },
      ],
      defaultServerSideEncryption: { mode: "SSE-B2", algorithm: "AES256" },
      fileLockConfigurations: [
        {
          isFileLockEnabled: true,
          defaultRetention: { mode: "compliance", period: { duration: 1, unit: "years" } },
        },
      ],
    };
    expect(bucketProblems(more)).toEqual([]);
  });

  it("passes values that only the deployment will know", () => {
    const more: Properties = {
      bucketName: unknown,
      bucketInfo: { a: unknown },
      corsRules: unknown,
      lifecycleRules: [{ fileNamePrefix: unknown, daysFromHidingToDeleting: unknown }],
      fileLockConfigurations: [{ isFileLockEnabled: unknown, defaultRetention: { mode: unknown } }],
    };
    expect(bucketProblems(more)).toEqual([]);
  });

  it("reports everything at once, each with its property", () => {
    const more: Properties = {
      bucketName: "b2-x!",
      bucketType: "public",
      bucketInfo: { "b2-own": "x" },
      corsRules: [{ corsRuleName: "x", allowedOrigins: [], allowedOperations: ["get"] }],
      lifecycleRules: [{ fileNamePrefix: "" }],
      fileLockConfigurations: [{ defaultRetention: { mode: "governance" } }],
      other: 1,
    };
    expect(bucketProblems(more)).toEqual([
      "other",
      "bucketName",
      "bucketName",
      "bucketType",
      'bucketInfo["b2-own"]',
      "corsRules[0].corsRuleName",
      "corsRules[0].allowedOrigins",
      "corsRules[0].allowedOperations[0]",
      "corsRules[0].maxAgeSeconds",
      "fileLockConfigurations[0].defaultRetention",
      "fileLockConfigurations[0].defaultRetention.period",
      "lifecycleRules[0]",
    ]);
  });

  it("tells what is missing", () => {
    expect(checkBucket({}, {})).toEqual([
      { property: "bucketName", reason: "is missing" },
      { property: "bucketType", reason: "is missing" },
    ]);
  });

  it("refuses encryption none, except where the bucket has it already", () => {
    const none = { defaultServerSideEncryption: { mode: "none" } };
    expect(bucketProblems(none)).toEqual(["defaultServerSideEncryption.mode"]);
    expect(bucketProblems(none, none)).toEqual([]);
  });

  it("finds prefixes that overlap, and only those", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 4 }), { maxLength: 6 }), (prefixes) => {
        const rules = prefixes.map((fileNamePrefix) => ({
          fileNamePrefix,
          daysFromHidingToDeleting: 1,
        }));
        const overlap = prefixes.some((a, i) =>
          prefixes.some((b, j) => i < j && (a.startsWith(b) || b.startsWith(a))),
        );
        expect(bucketProblems({ lifecycleRules: rules }).length > 0).toBe(overlap);
      }),
    );
  });

  it("takes the names that Backblaze takes", () => {
    const letter = fc.constantFrom("a", "b", "Z", "0", "2", "-");
    fc.assert(
      fc.property(fc.string({ unit: letter, minLength: 1, maxLength: 70 }), (bucketName) => {
        const valid =
          bucketName.length >= 6 &&
          bucketName.length <= 63 &&
          !bucketName.toLowerCase().startsWith("b2-");
        expect(bucketProblems({ bucketName }).length === 0).toBe(valid);
      }),
    );
  });

  it.each([0.5, -1, "7"])("refuses %j days", (days) => {
    const rule = { fileNamePrefix: "", daysFromHidingToDeleting: days };
    expect(bucketProblems({ lifecycleRules: [rule] })).toEqual([
      "lifecycleRules[0].daysFromHidingToDeleting",
    ]);
  });
});

describe("a key's check", () => {
  it("passes keys for one bucket, several, and all", () => {
    expect(keyProblems({})).toEqual([]);
    expect(keyProblems({ bucketIds: ["a"], namePrefix: "x/" })).toEqual([]);
    expect(keyProblems({ bucketIds: ["a", unknown] })).toEqual([]);
    expect(keyProblems({ bucketId: "a", validDurationInSeconds: 86_400_000 })).toEqual([]);
    expect(keyProblems({ bucketIds: unknown, namePrefix: "x/" })).toEqual([]);
  });

  it("refuses an empty list of buckets, which the service would take for all of them", () => {
    expect(keyProblems({ bucketIds: [] })).toEqual(["bucketIds"]);
    expect(keyProblems({ bucketId: "" })).toEqual(["bucketId"]);
    expect(keyProblems({ bucketIds: ["a", ""] })).toEqual(["bucketIds[1]"]);
  });

  it("names capabilities that do not exist, and what was probably meant", () => {
    const [problem] = checkApplicationKey({ ...key, capabilities: ["readfiles"] });
    expect(problem?.property).toBe("capabilities[0]");
    expect(problem?.reason).toContain('"readFiles" is meant');
  });

  it("refuses capabilities of the account for a key of buckets", () => {
    expect(keyProblems({ capabilities: ["listFiles", "writeKeys"], bucketIds: ["a"] })).toEqual([
      "capabilities[1]",
    ]);
    expect(keyProblems({ capabilities: ["listFiles", "writeKeys"] })).toEqual([]);
  });

  it("refuses what does not go together or is out of range", () => {
    expect(
      keyProblems({
        keyName: "a_b",
        capabilities: [],
        bucketId: "a",
        bucketIds: ["b"],
        validDurationInSeconds: 0,
      }),
    ).toEqual(["keyName", "bucketId", "capabilities", "validDurationInSeconds"]);
    expect(keyProblems({ namePrefix: "x/" })).toEqual(["namePrefix"]);
    expect(keyProblems({ validDurationInSeconds: 86_400_001 })).toEqual(["validDurationInSeconds"]);
  });
});

describe("the config's check", () => {
  const properties = (news: Properties, environment: Record<string, string> = {}) =>
    checkConfig(news, environment).map(({ property }) => property);

  it("passes without credentials, because a preview needs none", () => {
    expect(properties({})).toEqual([]);
  });

  it("joins the stack's config and the environment", () => {
    const environment = { B2_APPLICATION_KEY: "secret" };
    expect(properties({ applicationKeyId: "id" }, environment)).toEqual([]);
    expect(properties({}, environment)).toEqual(["applicationKeyId"]);
    expect(properties({ applicationKeyId: unknown }, environment)).toEqual([]);
  });

  it("never shows a secret", () => {
    const problems = checkConfig({ applicationKey: "K005topsecret", endpoint: "nowhere" }, {});
    expect(problems.map(({ property }) => property)).toEqual(["applicationKeyId", "endpoint"]);
    expect(JSON.stringify(problems)).not.toContain("topsecret");
  });
});
