import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { pythonPrograms } from "./python.ts";
import { ConformanceWorld, type Ended, noise } from "./world.ts";

let world: ConformanceWorld;
let program: string;
beforeAll(async () => {
  world = await ConformanceWorld.start();
  program = join(await pythonPrograms(), "b2");
  Object.assign(world.environment, {
    B2_ACCOUNT_INFO: world.path("account-info"),
    B2_ENVIRONMENT: world.emulator.url,
    B2_APPLICATION_KEY_ID: world.emulator.applicationKeyId,
    B2_APPLICATION_KEY: world.emulator.applicationKey,
  });
  await world.write("files", { "a.txt": "hello", "dir/ü b": "odd" });
});
afterAll(async () => world.stop());

async function b2(...parameters: string[]): Promise<string> {
  return world.ok(program, ...parameters);
}

async function json(...parameters: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await b2(...parameters)) as Record<string, unknown>;
}

async function failing(...parameters: string[]): Promise<Ended> {
  const ended = await world.run(program, ...parameters);
  expect(ended.exitCode).not.toBe(0);
  return ended;
}

async function upload(bucket: string, name: string, ...more: string[]): Promise<string> {
  const file = await json(
    "file",
    "upload",
    "--quiet",
    ...more,
    bucket,
    world.path("files/a.txt"),
    name,
  );
  return file.fileId as string;
}

describe("the b2 tool", () => {
  it("creates, updates, reads and deletes buckets", async () => {
    await b2("bucket", "create", "tool-buckets", "allPrivate", "--bucket-info", '{"a": "1"}');
    const rule = {
      fileNamePrefix: "x/",
      daysFromHidingToDeleting: 1,
      daysFromUploadingToHiding: null,
    };
    const updated = await json(
      "bucket",
      "update",
      "--lifecycle-rule",
      JSON.stringify(rule),
      "tool-buckets",
      "allPublic",
    );
    expect(updated).toMatchObject({
      bucketInfo: { a: "1" },
      bucketType: "allPublic",
      lifecycleRules: [rule],
      options: ["s3"],
      revision: 3,
    });
    expect(await b2("bucket", "list")).toContain("tool-buckets");
    await upload("tool-buckets", "a");
    const full = await failing("bucket", "delete", "tool-buckets");
    expect(full.stderr).toContain("cannot_delete_non_empty_bucket");
    await b2("rm", "--versions", "--recursive", "--no-progress", "b2://tool-buckets");
    await b2("bucket", "delete", "tool-buckets");
    const gone = await failing("bucket", "get", "tool-buckets");
    expect(gone.stderr).toContain("tool-buckets");
  });

  it("uploads, lists, hides, unhides, copies, downloads and removes", async () => {
    await b2("bucket", "create", "tool-files", "allPrivate");
    const fileId = await upload("tool-files", "d/a", "--info", "colour=blue");
    await upload("tool-files", "d/b", "--content-type", "text/plain");
    expect(await b2("ls", "b2://tool-files")).toBe("d/");
    expect(await b2("ls", "--recursive", "b2://tool-files")).toBe("d/a\nd/b");
    await b2("file", "hide", "b2://tool-files/d/b");
    expect(await b2("ls", "b2://tool-files/d/")).toBe("d/a");
    expect(await b2("ls", "--versions", "b2://tool-files/d/")).toBe("d/a\nd/b\nd/b");
    await b2("file", "unhide", "b2://tool-files/d/b");
    await b2("file", "server-side-copy", `b2id://${fileId}`, "b2://tool-files/c");
    expect((await json("file", "info", "b2://tool-files/c")).fileInfo).toMatchObject({
      colour: "blue",
    });
    await b2("file", "download", "--quiet", `b2id://${fileId}`, world.path("files/down"));
    const { down, "a.txt": original } = await world.read("files");
    expect(down).toBe(original);
    await b2("rm", "--recursive", "--no-progress", "b2://tool-files/d/");
    expect(await b2("ls", "--recursive", "b2://tool-files")).toBe("c");
    const url = await b2("file", "url", "--with-auth", "b2://tool-files/c");
    expect(await (await fetch(url)).text()).toBe("hello");
  });

  it("syncs a folder with a large file up and down, and copies it between buckets", async () => {
    await b2("bucket", "create", "tool-sync", "allPrivate");
    await b2("bucket", "create", "tool-sync-2", "allPrivate");
    await world.write("sync", { "a.txt": "a", "dir/ü b": "odd", big: noise(12_000_000, 4) });
    const parts = ["--no-progress", "--min-part-size", "5000000"];
    await b2("file", "upload", ...parts, "tool-sync", world.path("sync/big"), "s/big");
    await b2("sync", "--no-progress", world.path("sync"), "b2://tool-sync/s");
    await b2("sync", "--no-progress", "b2://tool-sync/s", "b2://tool-sync-2/s");
    await world.write("synced/.keep", {});
    await b2("sync", "--no-progress", "b2://tool-sync-2/s", world.path("synced"));
    expect(await world.read("synced")).toEqual(await world.read("sync"));
  });

  it("is held to a key's buckets, capabilities and time", async () => {
    await b2("bucket", "create", "tool-keys", "allPrivate");
    await b2("bucket", "create", "tool-keys-2", "allPrivate");
    await upload("tool-keys", "p/a");
    const created = await b2(
      "key",
      "create",
      "--bucket",
      "tool-keys",
      "--name-prefix",
      "p/",
      "--duration",
      "3600",
      "limited",
      "listBuckets,listFiles,readFiles",
    );
    const [keyId = "", key = ""] = created.split(" ");
    expect(await b2("key", "list", "--long")).toContain("limited");
    const limited = { ...world.environment };
    Object.assign(world.environment, {
      B2_APPLICATION_KEY_ID: keyId,
      B2_APPLICATION_KEY: key,
      B2_ACCOUNT_INFO: world.path("limited-info"),
    });
    try {
      expect(await b2("ls", "--recursive", "b2://tool-keys/p/")).toBe("p/a");
      expect((await failing("ls", "b2://tool-keys-2")).stderr).toContain("restricted to buckets");
      const remove = await failing("rm", "--no-progress", "b2://tool-keys/p/a");
      expect(remove.stdout + remove.stderr).toContain("unauthorized for application key");
      const outside = await failing("ls", "b2://tool-keys/q/");
      expect(outside.stderr).toContain("unauthorized for application key");
    } finally {
      Object.assign(world.environment, limited);
    }
    await b2("key", "delete", keyId);
    expect(await b2("key", "list")).not.toContain("limited");
  });

  it("locks files: retention in governance mode, legal hold, and their errors", async () => {
    await b2("bucket", "create", "--file-lock-enabled", "tool-lock", "allPrivate");
    await b2("bucket", "create", "tool-no-lock", "allPrivate");
    const until = ["--retain-until", String(Date.now() + 3_600_000)];
    const retention = ["--file-retention-mode", "governance", ...until];
    const none = await failing(
      "file",
      "upload",
      "--quiet",
      ...retention,
      "tool-no-lock",
      world.path("files/a.txt"),
      "a",
    );
    expect(none.stderr).toContain("The bucket is not file lock enabled (bucket_missing_file_lock)");
    const fileId = await upload("tool-lock", "a", ...retention);
    const info = await json("file", "info", `b2id://${fileId}`);
    expect(info.fileRetention).toMatchObject({ mode: "governance" });
    const refused = await failing("rm", "--no-progress", `b2id://${fileId}`);
    expect(refused.stdout + refused.stderr).toContain("Access Denied for application key");
    const shorter = ["--file-retention-mode", "none", "b2://tool-lock/a"];
    expect((await failing("file", "update", ...shorter)).stderr).toContain(
      "'compliance' mode or bypassGovernance=true parameter missing",
    );
    await b2("file", "update", "--legal-hold", "on", "b2://tool-lock/a");
    await failing("rm", "--no-progress", "--bypass-governance", `b2id://${fileId}`);
    await b2("file", "update", "--legal-hold", "off", "b2://tool-lock/a");
    await b2("rm", "--no-progress", "--bypass-governance", `b2id://${fileId}`);
  });

  it("sets notification and replication rules, which are kept as given", async () => {
    await b2("bucket", "create", "tool-rules", "allPrivate");
    await b2("bucket", "create", "tool-rules-2", "allPrivate");
    const rule = await json(
      "bucket",
      "notification-rule",
      "create",
      "--json",
      "b2://tool-rules",
      "a-rule",
      "--webhook-url",
      "https://example.com/hook",
      "--event-type",
      "b2:ObjectCreated:*",
    );
    expect(rule).toMatchObject({ name: "a-rule", isEnabled: true, isSuspended: false });
    await b2("replication", "setup", "tool-rules", "tool-rules-2");
    const source = await json("bucket", "get", "tool-rules");
    expect(source.replication).toMatchObject({
      asReplicationSource: { replicationRules: [{ isEnabled: true }] },
    });
    const conflict = await failing("bucket", "update", "tool-rules", "--file-lock-enabled");
    expect(conflict.stderr).toContain("not supported for buckets with source replication");
  });
});
