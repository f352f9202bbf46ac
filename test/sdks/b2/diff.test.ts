import { describe, expect, it } from "vitest";
import { applicationKeyResource } from "../../../sdks/b2/provider/applicationKey.ts";
import { bucketResource } from "../../../sdks/b2/provider/bucket.ts";
import { toDiffResponse, withoutIgnored } from "../../../sdks/b2/provider/response.ts";
import { unknown, type Properties } from "../../../sdks/b2/provider/wire.ts";

// As the bridged Terraform provider leaves it in a state.
const bucketState: Properties = {
  accountId: "account",
  b2BucketId: "id",
  bucketId: "id",
  bucketName: "some-bucket",
  bucketType: "allPrivate",
  bucketInfo: {},
  corsRules: [
    {
      corsRuleName: "from-web",
      allowedOrigins: ["*"],
      allowedOperations: ["s3_get", "s3_put"],
      allowedHeaders: [],
      exposeHeaders: [],
      maxAgeSeconds: 60,
    },
  ],
  defaultServerSideEncryption: { algorithm: "AES256", mode: "SSE-B2" },
  fileLockConfigurations: [{ isFileLockEnabled: false }],
  lifecycleRules: [
    {
      fileNamePrefix: "a/",
      daysFromHidingToDeleting: 30,
      daysFromUploadingToHiding: 0,
      daysFromStartingToCancelingUnfinishedLargeFiles: 0,
    },
    { fileNamePrefix: "b/", daysFromUploadingToHiding: 1 },
  ],
  options: ["s3"],
  revision: 2,
};
const bucketInputs: Properties = {
  bucketName: "some-bucket",
  bucketType: "allPrivate",
  corsRules: [
    {
      corsRuleName: "from-web",
      allowedOrigins: ["*"],
      allowedOperations: ["s3_put", "s3_get"],
      maxAgeSeconds: 60,
    },
  ],
  lifecycleRules: [
    { fileNamePrefix: "b/", daysFromUploadingToHiding: 1 },
    { fileNamePrefix: "a/", daysFromHidingToDeleting: 30 },
  ],
};

const bucketDiff = (more: Properties, state: Properties = {}) =>
  bucketResource.diff(
    { id: "id", properties: { ...bucketState, ...state } },
    { ...bucketInputs, ...more },
  );

describe("a bucket's diff", () => {
  it("is empty over a state of the bridged provider, whatever the order of rules", () => {
    expect(bucketDiff({}).differences).toEqual([]);
    expect(bucketDiff({ fileLockConfigurations: [{}] }).differences).toEqual([]);
    expect(bucketDiff({ defaultServerSideEncryption: { mode: "SSE-B2" } }).differences).toEqual([]);
  });

  it("keeps encryption and lock that the program leaves out", () => {
    const locked = [{ isFileLockEnabled: true, defaultRetention: { mode: "governance" } }];
    expect(bucketDiff({}, { fileLockConfigurations: locked }).differences).toEqual([]);
  });

  it("updates in place what can be updated, and shows where", () => {
    const { differences } = bucketDiff({
      bucketType: "allPublic",
      bucketInfo: { owner: "me" },
      lifecycleRules: [{ fileNamePrefix: "a/", daysFromHidingToDeleting: 7 }],
    });
    expect(differences).toEqual([
      { path: "bucketType", kind: "update", replaces: false },
      { path: "bucketInfo.owner", kind: "add", replaces: false },
      { path: "lifecycleRules[0].daysFromHidingToDeleting", kind: "update", replaces: false },
      { path: "lifecycleRules[1]", kind: "delete", replaces: false },
    ]);
  });

  it("clears rules that the program no longer has", () => {
    expect(bucketDiff({ corsRules: [] }).differences).toEqual([
      { path: "corsRules[0]", kind: "delete", replaces: false },
    ]);
  });

  it("replaces the bucket for its name, the new one first", () => {
    const { differences, deleteBeforeReplace } = bucketDiff({ bucketName: "other-bucket" });
    expect(differences).toEqual([{ path: "bucketName", kind: "update", replaces: true }]);
    expect(deleteBeforeReplace).toBe(false);
  });

  it("replaces the bucket for its lock, the old one going first, because the name is the same", () => {
    const { differences, deleteBeforeReplace } = bucketDiff({
      fileLockConfigurations: [{ isFileLockEnabled: true }],
    });
    expect(differences).toEqual([
      { path: "fileLockConfigurations[0].isFileLockEnabled", kind: "update", replaces: true },
    ]);
    expect(deleteBeforeReplace).toBe(true);
  });

  it("takes an unknown value for a change", () => {
    expect(bucketDiff({ bucketType: unknown }).differences).toHaveLength(1);
  });

  it("leaves out what the program ignores", () => {
    const result = bucketDiff({ bucketType: "allPublic", bucketInfo: { a: "1" } });
    expect(withoutIgnored(result, ["bucketInfo"]).differences.map(({ path }) => path)).toEqual([
      "bucketType",
    ]);
  });
});

const keyState: Properties = {
  applicationKey: "K005secret",
  applicationKeyId: "id",
  b2ApplicationKeyId: "id",
  bucketId: "bucket",
  bucketIds: ["bucket"],
  capabilities: ["listFiles", "readFiles"],
  expirationTimestamp: 0,
  keyName: "some-key",
  namePrefix: "",
  options: ["s3"],
  validDurationInSeconds: 0,
};
const keyDiff = (inputs: Properties) =>
  applicationKeyResource.diff(
    { id: "id", properties: keyState },
    { keyName: "some-key", capabilities: ["readFiles", "listFiles"], ...inputs },
  ).differences;

describe("a key's diff", () => {
  it("is empty whatever the order, and for either way of naming the bucket", () => {
    expect(keyDiff({ bucketIds: ["bucket"] })).toEqual([]);
    expect(keyDiff({ bucketId: "bucket" })).toEqual([]);
  });

  it.each<[string, Properties]>([
    ["keyName", { bucketIds: ["bucket"], keyName: "other" }],
    ["capabilities", { bucketIds: ["bucket"], capabilities: ["listFiles"] }],
    ["bucketIds", { bucketIds: ["bucket", "second"] }],
    ["bucketIds", { bucketIds: [unknown] }],
    ["bucketIds", {}],
    ["namePrefix", { bucketIds: ["bucket"], namePrefix: "x/" }],
    ["validDurationInSeconds", { bucketIds: ["bucket"], validDurationInSeconds: 60 }],
  ])("replaces the key for %s", (path, inputs) => {
    const differences = keyDiff(inputs);
    expect(differences.map((difference) => difference.path)).toEqual([path]);
    expect(differences.every(({ replaces }) => replaces)).toBe(true);
  });
});

describe("the answer to the engine", () => {
  it("names the properties that force a replacement, and only those", () => {
    const response = toDiffResponse(
      bucketDiff({ bucketName: "other-bucket", bucketInfo: { a: "1" } }),
    );
    expect(response.getReplacesList()).toEqual(["bucketName"]);
    expect(response.getDiffsList()).toEqual(["bucketName", "bucketInfo"]);
    const paths = response
      .getDetaileddiffMap()
      .getEntryList()
      .map(([path]) => path);
    expect(paths).toEqual(["bucketInfo.a", "bucketName"]);
  });
});
