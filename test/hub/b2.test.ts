import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startB2Emulator, type B2Emulator } from "../../sandbox/b2/index.ts";
import { PASSWORD, World } from "./world.ts";

const HOSTS = ["drhorrible", "q", "ursula", "raishan", "joker", "lordhenry", "minos"];
const BUCKET = "fort-backups";
const SYNC = ["listBuckets", "listFiles", "readFiles", "writeFiles"];

let world: World;
let b2: B2Emulator;
let call: (operation: string, body: Record<string, unknown>) => Promise<Record<string, unknown>>;

beforeEach(async () => {
  world = new World(HOSTS);
  b2 = await startB2Emulator({ dataDirectory: join(world.root, "b2") });
  call = await master();
  const { bucketId } = await call("create_bucket", {
    bucketName: BUCKET,
    bucketType: "allPrivate",
  });
  useKeys(await syncKey(bucketId), await syncKey(bucketId));
});

afterEach(async () => {
  await b2.stop();
  await world.close();
});

/** Calls the emulator with the account's master key. */
async function master(): Promise<typeof call> {
  const basic = Buffer.from(`${b2.applicationKeyId}:${b2.applicationKey}`).toString("base64");
  const answer = await fetch(`${b2.url}/b2api/v3/b2_authorize_account`, {
    headers: { authorization: `Basic ${basic}` },
  });
  const { accountId, authorizationToken } = (await answer.json()) as Record<string, string>;
  return async (operation, body) => {
    const response = await fetch(`${b2.url}/b2api/v3/b2_${operation}`, {
      method: "POST",
      headers: { authorization: authorizationToken ?? "" },
      body: JSON.stringify(operation === "list_file_versions" ? body : { accountId, ...body }),
    });
    const result = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(JSON.stringify(result));
    return result;
  };
}

/** A key with what the hub's has: one bucket, and no deleteFiles. */
async function syncKey(bucketId: unknown): Promise<string> {
  const key = await call("create_key", { keyName: "hub-sync", capabilities: SYNC, bucketId });
  return `account = ${String(key.applicationKeyId)}\nkey = ${String(key.applicationKey)}\n`;
}

function useKeys(current: string, next: string): void {
  const remote = (name: string, key: string): string =>
    `[${name}]\ntype = b2\nendpoint = ${b2.url}\n${key}hard_delete = false\n`;
  const rcloneConfig = `${remote("cloud", current)}\n${remote("cloud-next", next)}`;
  world.addCloud({ rcloneConfig, path: `${BUCKET}/restic`, bucket: BUCKET });
}

const BAD_KEY = "account = 000000000000000000000000a\nkey = K000thisisnokeyofanybody\n";

/** Brings everything back from the bucket, and has restic check it. */
async function checkCopy(host: string): Promise<void> {
  const config = join(world.root, "rclone.conf");
  await execa("rclone", ["copy", `cloud:${BUCKET}/restic`, world.cloudData, "--config", config]);
  await world.check(world.cloudData, host);
}

async function versions(): Promise<Record<string, unknown>[]> {
  const { buckets } = await call("list_buckets", { bucketName: BUCKET });
  const [bucket] = buckets as Record<string, unknown>[];
  const listing = await call("list_file_versions", {
    bucketId: bucket?.bucketId,
    maxFileCount: 10_000,
  });
  return listing.files as Record<string, unknown>[];
}

describe("a mirror to B2", { timeout: 120_000 }, () => {
  it("copies seven hosts, and makes at most 10 calls of class B or C when nothing is new", async () => {
    for (const host of HOSTS) await world.seed(host);
    const first = await world.mirror();
    expect(first.stderr).not.toContain("error");
    for (const host of HOSTS) {
      expect(World.host(first, "cloud", host)).toMatchObject({ outcome: "complete", snapshots: 2 });
    }
    await checkCopy("q");
    await checkCopy("minos");
    b2.resetStats();
    const second = await world.mirror();
    expect(second.exitCode).toBe(0);
    const { operations, transactions } = b2.stats();
    expect(transactions.B + transactions.C).toBeLessThanOrEqual(10);
    expect(operations.b2_upload_file ?? 0).toBe(0);
    for (const host of HOSTS) expect(World.host(second, "cloud", host).files).toBe(0);
  });

  it("sends each new file once, without asking for any of them, and deletes nothing", async () => {
    for (const host of HOSTS.slice(0, 3)) await world.seed(host);
    await world.mirror();
    const before = (await versions()).length;
    await world.backup("q", 30_000_000, 12);
    b2.resetStats();
    const run = await world.mirror();
    const { operations, transactions } = b2.stats();
    const { files } = World.host(run, "cloud", "q");
    expect(files).toBeGreaterThan(3);
    expect(operations.b2_upload_file).toBe(files);
    // One listing, then a run of rclone for each of data, index and snapshots.
    expect(transactions.B + transactions.C).toBeLessThanOrEqual(20);
    expect(operations.b2_delete_file_version ?? 0).toBe(0);
    expect(operations.b2_hide_file ?? 0).toBe(0);
    expect(await versions()).toHaveLength(before + files);
    await checkCopy("q");
  });

  it("takes the next key when the current one is refused, and says so", async () => {
    await world.seed("q");
    const { buckets } = await call("list_buckets", { bucketName: BUCKET });
    const [bucket] = buckets as Record<string, unknown>[];
    useKeys(BAD_KEY, await syncKey(bucket?.bucketId));
    const run = await world.mirror();
    expect(run.exitCode).toBe(0);
    expect(run.report.targets.cloud?.credential).toBe("next");
    expect(run.stderr).toContain("owes a deployment");
    expect(World.host(run, "cloud", "q").outcome).toBe("complete");
  });

  it("fails with one line and no secret when both keys are refused", async () => {
    await world.seed("q");
    useKeys(BAD_KEY, BAD_KEY);
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    expect(run.report.targets.cloud?.errors).toHaveLength(1);
    expect(run.report.targets.cloud?.errors[0]).toContain("accepts none of its credentials");
    expect(run.stdout + run.stderr).not.toContain("K000thisisnokey");
  });

  it("goes on through resets and busy servers, and after a full account", async () => {
    await world.seed("q");
    b2.faults.add({ operation: "b2_upload_file", kind: "reset", skip: 1, count: 2 });
    b2.faults.add({ operation: "b2_upload_file", kind: "service-unavailable", skip: 3, count: 2 });
    const run = await world.mirror();
    expect(run.exitCode).toBe(0);
    await world.backup("q", 20_000_000, 8);
    b2.caps.set({ storageBytes: b2.stats().storedBytes + 1_000_000 });
    const full = await world.mirror();
    expect(full.exitCode).toBe(1);
    expect(World.host(full, "cloud", "q")).toMatchObject({ outcome: "incomplete", snapshots: 2 });
    await checkCopy("q");
    b2.caps.set({ storageBytes: null });
    const again = await world.mirror();
    expect(World.host(again, "cloud", "q")).toMatchObject({ outcome: "complete", snapshots: 3 });
    await checkCopy("q");
  });

  it("tells another repository from the hub's by the listing alone", async () => {
    await world.seed("q");
    await world.mirror();
    const config = join(world.at("q"), "config");
    writeFileSync(config, Buffer.alloc(155, "x"), { flush: true });
    const run = await world.mirror();
    expect(run.exitCode).toBe(1);
    expect(World.host(run, "cloud", "q").outcome).toBe("refused");
    expect(run.stdout + run.stderr).not.toContain(PASSWORD);
  });
});
