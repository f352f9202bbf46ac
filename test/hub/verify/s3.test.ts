/** What verify finds out about buckets that somebody else made, at a real S3 server. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CanaryReport } from "../../../hub/targets/probe.ts";
import { tryS3Bucket, type Protection } from "../../../hub/targets/s3-canary.ts";
import {
  RESTORE_RIGHTS,
  S3Server,
  SYNC_RIGHTS,
  type S3Bucket,
  type S3User,
} from "../../../sandbox/s3.ts";
import { World } from "../../../sandbox/world.ts";
import { ensurePrograms } from "../../../tools/index.ts";

let world: World;
let s3: S3Server;
let sync: S3User;
let restore: S3User;
let count = 0;

beforeAll(async () => {
  const program = (await ensurePrograms(["versitygw"])).get("versitygw")?.path ?? "";
  world = new World();
  s3 = await S3Server.start(world, program);
  [sync, restore] = [await s3.user(), await s3.user()];
  const section = (name: string, { accessKeyId, secretAccessKey }: S3User) =>
    `[${name}]\ntype = s3\nendpoint = ${s3.url}\naccess_key_id = ${accessKeyId}\nsecret_access_key = ${secretAccessKey}\n`;
  const gone = { accessKeyId: "gone", secretAccessKey: "gone" };
  const all = [
    section("attic", sync),
    section("attic-restore", restore),
    section("attic-next", gone),
  ];
  world.file("rclone.conf", all.join("\n"));
});

afterAll(async () => {
  expect(await world.cleanup.run()).toEqual([]);
});

/** What verify says of a new bucket. */
async function judged(
  made: S3Bucket,
  more: readonly string[],
  protection: Protection,
  remotes: { next?: string; restore?: string } = {},
): Promise<CanaryReport> {
  const bucket = `bucket-${(count += 1)}`;
  await s3.bucket(bucket, made);
  await s3.policy(bucket, {
    [sync.accessKeyId]: [...SYNC_RIGHTS, ...more],
    [restore.accessKeyId]: RESTORE_RIGHTS,
  });
  return await tryS3Bucket({
    config: join(world.directory, "rclone.conf"),
    remotes: { current: "attic", restore: "attic-restore", ...remotes },
    generation: 1,
    target: "attic",
    path: `${bucket}/backups`,
    ...{ bucket, protection },
  });
}

const LOCK = { mode: "GOVERNANCE", days: 30 } as const;

describe("a bucket that somebody else made", () => {
  it("is well when it keeps what its settings say", async () => {
    const nothing = { errors: [], notices: [] };
    expect(await judged({ versions: true }, [], "versions")).toMatchObject(nothing);
    expect(await judged({ lock: LOCK }, [], "lock")).toMatchObject(nothing);
    const compliance = { mode: "COMPLIANCE", days: 2 } as const;
    expect(await judged({ lock: compliance }, [], "versions")).toMatchObject(nothing);
  });

  it("fails where it keeps no versions, or the key deletes them", async () => {
    const plain = await judged({}, [], "versions");
    expect(plain.errors).toEqual([expect.stringContaining("versioning is not on")]);
    const deletes = await judged({ versions: true }, ["s3:DeleteObjectVersion"], "versions");
    expect(deletes.errors).toEqual([expect.stringContaining("(s3:DeleteObjectVersion)")]);
    const unlocked = await judged({ versions: true }, [], "lock");
    expect(unlocked.errors).toEqual([expect.stringContaining("no object lock")]);
  });

  it("sees through a lock that the key may bypass, and one that it may not", async () => {
    const rights = ["s3:DeleteObjectVersion"];
    const held = await judged({ lock: LOCK }, rights, "lock");
    expect(held.errors).toEqual([]);
    const bypassed = await judged(
      { lock: LOCK },
      [...rights, "s3:BypassGovernanceRetention"],
      "lock",
    );
    expect(bypassed.errors).toEqual([expect.stringContaining("with s3:BypassGovernanceRetention")]);
  });

  it("fails where the key may change what the bucket keeps", async () => {
    const { errors } = await judged({ versions: true }, ["s3:PutBucketVersioning"], "versions");
    expect(errors).toEqual([expect.stringContaining("bucket's settings (versioning)")]);
  });

  it("stays green where nothing is promised, says so each time, and names the better word", async () => {
    const plain = await judged({}, [], "none");
    expect(plain.errors).toEqual([]);
    expect(plain.notices).toEqual([expect.stringContaining("nothing keeps a thief")]);
    const better = await judged({ versions: true }, [], "none");
    expect(better.notices).toEqual([expect.stringContaining('protection to "versions"')]);
  });

  it("takes a key that is gone for a notice while another one writes, and for an error when none does", async () => {
    const next = await judged({ versions: true }, [], "versions", { next: "attic-next" });
    expect(next.errors).toEqual([]);
    expect(next.notices).toEqual([expect.stringContaining('"attic-next" is refused')]);
    expect(next.keys).toMatchObject([
      { role: "current", generation: 1, accepted: true },
      { role: "next", generation: 2, accepted: false },
      { role: "restore", accepted: true },
    ]);
    const reader = await judged({ versions: true }, [], "versions", { restore: "attic-next" });
    expect(reader.errors).toEqual([expect.stringContaining("is refused")]);
  });
});
