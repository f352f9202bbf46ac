import { beforeEach, describe, expect, it } from "vitest";
import { HashMemory } from "../../credentials/htpasswd.ts";
import { B2Target } from "../../components/b2-target.ts";
import { parseStackConfig } from "../../config/parse.ts";
import { envFile } from "../../credentials/env-file.ts";
import { raw, SEED, validConfig } from "../config/valid.ts";
import { named, recordRegistrations, settle, valueOf, type Registration } from "./mocks.ts";

const { hosts } = parseStackConfig(raw(validConfig()), "test");
const KEY = "b2:index/applicationKey:ApplicationKey";

function newTarget(
  generation: number,
  { endpoint, region }: { endpoint?: string; region?: string } = {},
): B2Target {
  return new B2Target("cloud", {
    stack: "test",
    hosts,
    seed: SEED,
    hashes: new HashMemory(),
    target: {
      type: "b2",
      bucket: "family-fort-backups",
      keepHiddenDays: 30,
      protect: true,
      generation,
      revoked: 0,
      ...(endpoint !== undefined && { endpoint }),
      ...(region !== undefined && { region }),
    },
  });
}

describe("a B2 target", () => {
  let registrations: Registration[];
  beforeEach(async () => {
    registrations = await recordRegistrations();
  });
  const keys = () => registrations.filter(({ type }) => type === KEY);

  it("has a private, encrypted bucket that removes what was hidden after the days asked for", async () => {
    newTarget(1);
    await settle();
    expect(named(registrations, "cloud-bucket").inputs).toMatchObject({
      bucketName: "family-fort-backups",
      bucketType: "allPrivate",
      defaultServerSideEncryption: { mode: "SSE-B2", algorithm: "AES256" },
      lifecycleRules: [
        {
          fileNamePrefix: "",
          daysFromHidingToDeleting: 30,
          daysFromStartingToCancelingUnfinishedLargeFiles: 7,
        },
      ],
    });
  });

  it("has no key that can delete, or that reaches another bucket", async () => {
    newTarget(1);
    await settle();
    expect(keys()).toHaveLength(4 + Object.keys(hosts).length);
    for (const { inputs } of keys()) {
      expect(inputs.capabilities).not.toContain("deleteFiles");
      expect(inputs.bucketIds).toEqual(["cloud-bucket-bucket-id"]);
    }
  });

  it("gives each key what it is for and no more", async () => {
    newTarget(1);
    await settle();
    const capabilities = (name: string) => named(registrations, name).inputs.capabilities;
    expect(capabilities("cloud-sync-g1")).toEqual([
      "listBuckets",
      "listFiles",
      "readFiles",
      "writeFiles",
    ]);
    expect(capabilities("cloud-sync-g2")).toEqual(capabilities("cloud-sync-g1"));
    expect(capabilities("cloud-hub-restore-g1")).toEqual(["listBuckets", "listFiles", "readFiles"]);
    expect(capabilities("cloud-hub-monitor-g1")).toEqual(["listBuckets", "listFiles"]);
  });

  it("lets a host's key read that host's repository alone", async () => {
    newTarget(1);
    await settle();
    expect(named(registrations, "cloud-restore-q-g3").inputs).toMatchObject({
      capabilities: ["listBuckets", "listFiles", "readFiles"],
      namePrefix: "q/",
      // The host's third generation, the target's first.
      keyName: "fort-offsite-test-cloud-restore-q-g3",
    });
  });

  it("keeps the key that was next when it becomes current", async () => {
    newTarget(1);
    await settle();
    const next = named(registrations, "cloud-sync-g2");
    registrations = await recordRegistrations();
    newTarget(2);
    await settle();
    expect(named(registrations, "cloud-sync-g2")).toEqual(next);
    expect(keys().map(({ name }) => name)).toContain("cloud-sync-g3");
    expect(keys().map(({ name }) => name)).not.toContain("cloud-sync-g1");
  });

  it("gives the hub a remote for each of its keys", async () => {
    const target = newTarget(1, { endpoint: "http://127.0.0.1:1" });
    const remotes = await valueOf(target.rcloneRemotes);
    expect(remotes.map(({ name }) => name)).toEqual([
      "cloud",
      "cloud-next",
      "cloud-restore",
      "cloud-monitor",
    ]);
    expect(remotes[1]?.options).toEqual({
      type: "b2",
      account: "cloud-sync-g2-key-id",
      key: "cloud-sync-g2-secret",
      endpoint: "http://127.0.0.1:1",
    });
  });

  it("gives a host what restic needs to restore through rclone", async () => {
    const lines = await valueOf(newTarget(1).restoreEnvironment("q"));
    const content = envFile(lines);
    expect(content).toContain("OFFSITE_CLOUD_REPOSITORY=rclone:cloud:family-fort-backups/q\n");
    expect(content).toContain("RCLONE_CONFIG_CLOUD_TYPE=b2\n");
    expect(content).toContain("RCLONE_CONFIG_CLOUD_KEY=cloud-restore-q-g3-secret\n");
    expect(() => newTarget(1).restoreEnvironment("nobody")).toThrow(RangeError);
  });

  it("tells the public nothing of its generation and its keys", () => {
    expect(newTarget(1).manifest).toEqual(newTarget(5).manifest);
  });

  it("makes the bucket when the account is in the region that the config names", async () => {
    newTarget(1, { region: "eu-central-003" });
    await settle();
    expect(named(registrations, "cloud-bucket").inputs.bucketName).toBe("family-fort-backups");
  });
});
