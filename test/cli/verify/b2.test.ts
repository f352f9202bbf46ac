import { describe, expect, test } from "vitest";
import {
  expectedKeys,
  judgeEnds,
  judgeKey,
  judgeStrangers,
  stackKeys,
} from "../../../cli/verify/b2-keys.ts";
import { judgeSettings } from "../../../cli/verify/b2-settings.ts";
import type { StateResource } from "../../../cli/stack.ts";
import type { Authorization, Bucket, Key } from "../../../sdks/b2/client/types.ts";
import { newCheck } from "./judge.ts";

const NOW = Date.UTC(2026, 10, 23);
const DAY = 24 * 3600 * 1000;

const place = { stack: "prod", target: "cloud" };
const standing = {
  target: { generation: 2, revoked: 0 },
  hosts: { q: { generation: 3, revoked: 0 } },
};
const before = {
  type: "b2" as const,
  generation: 2,
  previous: 1,
  hosts: { q: { generation: 4, previous: 3 } },
};
const expected = expectedKeys(place, standing, before);

function resource(name: string, id: string, more: Partial<StateResource> = {}): StateResource {
  return {
    urn: `urn:pulumi:prod::fort-offsite::…::${name}`,
    type: "b2:index/applicationKey:ApplicationKey",
    inputs: {},
    outputs: { applicationKeyId: id, applicationKey: "secret", keyName: name },
    ...more,
  };
}

function listed(id: string, more: Partial<Key> = {}): Key {
  return {
    accountId: "account",
    applicationKeyId: id,
    keyName: id,
    capabilities: ["listFiles"],
    bucketIds: ["ours"],
    namePrefix: null,
    expirationTimestamp: null,
    ...more,
  };
}

function authorization(
  capabilities: string[],
  buckets: { id: string; name: string | null }[] | null,
  namePrefix: string | null = null,
): Authorization {
  const allowed = { buckets, capabilities, namePrefix };
  const storageApi = { apiUrl: "", downloadUrl: "", s3ApiUrl: "", allowed };
  const sizes = { absoluteMinimumPartSize: 1, recommendedPartSize: 1 };
  return {
    accountId: "account",
    authorizationToken: "token",
    apiInfo: { storageApi: { ...storageApi, ...sizes } },
  };
}

describe("the keys that a stack keeps", () => {
  test("are those of the record: the ones in force, the ones before, and the next to write", () => {
    const named = expected.map(
      ({ name, turn }) => `${name.replace("fort-offsite-prod-cloud-", "")} ${turn}`,
    );
    expect(named.sort()).toEqual([
      "monitor-g1 previous",
      "monitor-g2 current",
      "restore-g1 previous",
      "restore-g2 current",
      "restore-q-g3 previous",
      "restore-q-g4 current",
      "sync-g1 previous",
      "sync-g2 current",
      "sync-g3 next",
    ]);
  });

  test("are told from others of the state, and from what waits to be deleted", () => {
    const [known, other, doomed] = stackKeys(
      [
        resource("fort-offsite-prod-cloud-sync-g2", "1"),
        resource("fort-offsite-prod-cloud-sync-g9", "2"),
        resource("fort-offsite-prod-cloud-sync-g1", "3", { delete: true }),
      ],
      expected,
    );
    expect(known?.expected).toMatchObject({ purpose: "sync", turn: "current" });
    expect(other?.expected).toBeUndefined();
    expect(doomed?.isDoomed).toBe(true);
  });
});

describe("what a key may do", () => {
  const [key] = stackKeys([resource("fort-offsite-prod-cloud-restore-q-g4", "1")], expected);
  const READS = ["listBuckets", "listFiles", "readFiles"];

  test("is right when it is exactly what its holder needs", () => {
    const check = newCheck();
    if (key === undefined) throw new Error("no key");
    judgeKey(key, authorization(READS, [{ id: "ours", name: "bucket" }], "q/"), "ours", check);
    expect(check.errors).toEqual([]);
  });

  test("is wrong with a right more or less, another bucket, and another host's files", () => {
    const check = newCheck();
    if (key === undefined) throw new Error("no key");
    judgeKey(
      key,
      authorization(["listBuckets", "listFiles", "deleteFiles"], null, "q"),
      "ours",
      check,
    );
    expect(check.errors).toEqual([
      expect.stringMatching(/may do more than it must: deleteFiles\. .*pulumi up --refresh/),
      expect.stringMatching(/lacks readFiles/),
      expect.stringMatching(/reaches every bucket/),
      expect.stringMatching(/files that begin with "q", and must reach "q\/" alone/),
    ]);
  });
});

describe("a key's end", () => {
  const keys = stackKeys(
    ["sync-g1", "sync-g2", "sync-g3", "restore-q-g4"].map((name, at) =>
      resource(`fort-offsite-prod-cloud-${name}`, String(at + 1)),
    ),
    expected,
  );
  const ends = (days: number) =>
    ["1", "2", "3", "4"].map((id) => listed(id, { expirationTimestamp: NOW + days * DAY }));
  const judge = (days: number, keyDays?: number) => {
    const check = newCheck();
    judgeEnds(keys, ends(days), { keyDays, target: "cloud", now: NOW }, check);
    return check.errors;
  };

  test("is a finding a month before, with the rotation that replaces it; not for a replaced key", () => {
    expect(judge(31)).toEqual([]);
    expect(judge(29)).toEqual([
      expect.stringMatching(
        /sync-g2" \(2\) ends 2026-12-22.*offsite rotate cloud, and deploy the hub$/,
      ),
      expect.stringMatching(/sync-g3".*rotate cloud, and deploy the hub, twice/),
      expect.stringMatching(/restore-q-g4".*offsite rotate q, and deploy q$/),
    ]);
  });

  test("is a finding in its last third where keys live for a short time", () => {
    expect(judge(11, 30)).toEqual([]);
    expect(judge(9, 30)).toHaveLength(3);
  });
});

describe("strangers", () => {
  const options = {
    bucketId: "ours",
    known: new Set(["known"]),
    prefix: "fort-offsite-prod-cloud-",
    now: NOW,
  };

  test("are keys that reach the bucket and that nobody knows", () => {
    const check = newCheck();
    const count = judgeStrangers(
      [
        listed("known"),
        listed("elsewhere", { bucketIds: ["theirs"] }),
        listed("over", { expirationTimestamp: NOW - 1 }),
        listed("several", { bucketIds: ["theirs", "ours"], namePrefix: "q/" }),
        listed("account", { bucketIds: null, expirationTimestamp: NOW + DAY }),
        listed("old", { keyName: "fort-offsite-prod-cloud-sync-g0" }),
      ],
      options,
      check,
    );
    expect(count).toBe(3);
    expect(check.errors).toEqual([
      expect.stringMatching(
        /"several" \(several\) is not the stack's: it may listFiles below "q\/"; it never ends/,
      ),
      expect.stringMatching(
        /"account" .*in the whole bucket; it ends 2026-11-24.*b2 key delete account.*--known-key account/,
      ),
      expect.stringMatching(/\(old\) has a name like the stack's own/),
    ]);
  });

  test("cannot steer a terminal by the names that they give their keys", () => {
    const check = newCheck();
    judgeStrangers(
      [listed("x", { keyName: "a\u001b[2Jb", capabilities: ["\u0007"] })],
      options,
      check,
    );
    expect(check.errors.join()).not.toMatch(/\p{Cc}/u);
  });
});

describe("a bucket's settings", () => {
  const good: Bucket = {
    accountId: "account",
    bucketId: "ours",
    bucketName: "fort-backups",
    bucketType: "allPrivate",
    lifecycleRules: [
      {
        fileNamePrefix: "",
        daysFromHidingToDeleting: 30,
        daysFromStartingToCancelingUnfinishedLargeFiles: 7,
      },
    ],
    defaultServerSideEncryption: {
      isClientAuthorizedToRead: true,
      value: { mode: "SSE-B2", algorithm: "AES256" },
    },
    fileLockConfiguration: { isClientAuthorizedToRead: true, value: { isFileLockEnabled: false } },
    revision: 2,
  };
  const errors = (change: Partial<Bucket>) => {
    const check = newCheck();
    judgeSettings({ ...good, ...change }, 30, check);
    return check.errors;
  };

  test("are right as the stack sets them", () => {
    const check = newCheck();
    expect(judgeSettings(good, 30, check)).toBe("private, hidden files stay 30 days, SSE-B2");
    expect([...check.errors, ...check.notices]).toEqual([]);
  });

  test.each([
    ["no rule", { lifecycleRules: [] }, /nothing is ever freed/],
    [
      "a rule that forgets sooner",
      { lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: 3 }] },
      /after 3 days instead of 30/,
    ],
    [
      "a rule that hides backups",
      {
        lifecycleRules: [
          { fileNamePrefix: "", daysFromUploadingToHiding: 1, daysFromHidingToDeleting: 30 },
        ],
      },
      /hides files .* 1 days after they were sent/,
    ],
    [
      "a rule that keeps for longer",
      { lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: 60 }] },
      /nothing is ever freed|does not set/,
    ],
    [
      "no encryption",
      { defaultServerSideEncryption: { isClientAuthorizedToRead: true, value: { mode: null } } },
      /does not encrypt/,
    ],
    [
      "a replica elsewhere",
      {
        replicationConfiguration: {
          isClientAuthorizedToRead: true,
          value: { asReplicationSource: { replicationRules: [{ destinationBucketId: "theirs" }] } },
        },
      },
      /replicated to the bucket theirs/,
    ],
    [
      "files that are locked by default",
      {
        fileLockConfiguration: {
          isClientAuthorizedToRead: true,
          value: { isFileLockEnabled: true, defaultRetention: { mode: "compliance" } },
        },
      },
      /locks new files by default \(compliance\)/,
    ],
  ] satisfies [string, Partial<Bucket>, RegExp][])("are wrong with %s", (_, change, message) => {
    expect(errors(change).join("\n")).toMatch(message);
  });
});
