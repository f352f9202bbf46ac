/**
 * Buckets of somebody else's at a real S3 server, as two targets of one stack: one that keeps
 * versions, with a folder and a key that only reads, and one that keeps nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Hub } from "../../sandbox/hub.ts";
import { RESTORE_RIGHTS, S3Server, SYNC_RIGHTS, type S3User } from "../../sandbox/s3.ts";
import { verifyReportSchema } from "../../cli/verify/report.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { backUp, envFileOf, envOf, rclone, restores, tryRun, versitygw } from "./family.ts";

let cluster: Cluster;
let hub: Hub;
let s3: S3Server;
let sync: S3User;
let next: S3User;
let reader: S3User;
let plain: S3User;

const WITHOUT_REMOVAL = SYNC_RIGHTS.filter(
  (right) => right !== "s3:GetBucketObjectLockConfiguration",
);

beforeAll(async () => {
  const program = await versitygw();
  cluster = await startCluster(["ursula", "q"], async ({ world }) => {
    s3 = await S3Server.start(world, program);
    await s3.bucket("family", { versions: true });
    await s3.bucket("spare");
    [sync, next, reader, plain] = [
      await s3.user(),
      await s3.user(),
      await s3.user(),
      await s3.user(),
    ];
    await s3.policy("family", {
      [sync.accessKeyId]: WITHOUT_REMOVAL,
      [next.accessKeyId]: WITHOUT_REMOVAL,
      [reader.accessKeyId]: RESTORE_RIGHTS,
    });
    await s3.policy("spare", { [plain.accessKeyId]: SYNC_RIGHTS });
    const common = { type: "s3", endpoint: s3.url };
    return {
      without: ["cloud", "peer"],
      targets: {
        attic: { ...common, bucket: "family", prefix: "backups/fort", protection: "versions" },
        spare: { ...common, bucket: "spare", protect: false },
      },
      secrets: {
        "fort-offsite:targetSecrets": JSON.stringify({
          attic: { sync, restore: reader },
          spare: { sync: plain },
        }),
      },
    };
  });
  await cluster.up();
  hub = await cluster.openHub();
  await hub.serve();
  for (const { name } of cluster.hosts) await backUp(cluster, name, true);
});

afterAll(async () => {
  expect(await cluster.end()).toEqual([]);
});

async function setSecrets(secrets: unknown): Promise<void> {
  const args = ["config", "set", "--secret", "fort-offsite:targetSecrets"];
  await cluster.stack.must(args, JSON.stringify(secrets));
}

/** `offsite verify --json`. */
async function verified(...targets: string[]) {
  const { stdout, exitCode, stderr } = await cluster.offsite("verify", "--json", ...targets);
  return { report: verifyReportSchema.parse(JSON.parse(stdout)), exitCode, stderr };
}

describe("a bucket at any S3", () => {
  it("gets what the hub has, once, and says at each verify what protects it", async () => {
    const first = JSON.parse(await hub.run("mirror", "--json")) as object;
    expect(JSON.stringify(first)).not.toContain('"failed"');
    const listed = await rclone(hub, "lsf", "-R", "--files-only", "attic:family/backups/fort/q");
    expect(listed.all).toMatch(/^config$/m);
    const versions = { method: "GET", query: { versions: "" } } as const;
    const all = async () => (await s3.client("family").must("versions", versions)).body;
    const before = await all();
    await hub.run("mirror");
    expect(await all()).toBe(before);
    const { ok, said } = await tryRun(hub, "verify", "--deep");
    expect(said).toContain("nothing keeps a thief with the hub's key from destroying");
    expect(said).toContain('"spare"');
    expect(ok, said).toBe(true);
  });

  it("restores a host with its own file of the bundle, with rclone and without", async () => {
    const env = await envOf(cluster, "q");
    expect(await restores(cluster, "q", env.OFFSITE_ATTIC_REPOSITORY ?? "", env)).toBe(true);
    const native = {
      AWS_ACCESS_KEY_ID: env.RCLONE_CONFIG_ATTIC_ACCESS_KEY_ID ?? "",
      AWS_SECRET_ACCESS_KEY: env.RCLONE_CONFIG_ATTIC_SECRET_ACCESS_KEY ?? "",
      AWS_DEFAULT_REGION: env.RCLONE_CONFIG_ATTIC_REGION ?? "",
    };
    expect(await restores(cluster, "q", env.OFFSITE_ATTIC_S3_REPOSITORY ?? "", native)).toBe(true);
    await hub.run("drill", "q", "--json");
  });

  it("gives no host a key that writes", async () => {
    const content = await envFileOf(cluster, "q");
    expect(content).not.toContain(plain.secretAccessKey);
    expect(content).not.toContain(sync.secretAccessKey);
    expect(content).toContain("No restore from spare here");
  });

  it("keeps what a thief with the hub's key removes, where versions are kept", async () => {
    await s3.policy("family", {
      [sync.accessKeyId]: SYNC_RIGHTS,
      [next.accessKeyId]: SYNC_RIGHTS,
      [reader.accessKeyId]: RESTORE_RIGHTS,
    });
    const { all } = await rclone(
      hub,
      "lsf",
      "-R",
      "--files-only",
      "attic:family/backups/fort/q/data",
    );
    const [pack = ""] = all.split("\n");
    const key = `backups/fort/q/data/${pack}`;
    const versions = { method: "GET", query: { versions: "", prefix: key } } as const;
    const found = async () =>
      [
        ...(await s3.client("family").must("versions", versions)).body.matchAll(
          /<Version>[^]*?<VersionId>(.*?)<\/VersionId>/g,
        ),
      ].map(([, id = ""]) => id);
    const [versionId = ""] = await found();
    expect((await rclone(hub, "deletefile", `attic:family/${key}`)).exitCode).toBe(0);
    const thief = s3.client("family", sync);
    for (const bypass of ["false", "true"]) {
      const headers = { "x-amz-bypass-governance-retention": bypass };
      const remove = { method: "DELETE", key, query: { versionId }, headers } as const;
      expect((await thief.call(remove)).status).toBe(403);
    }
    expect(await found()).toEqual([versionId]);
    // Verify sees that it is gone, and the next mirror sends it again.
    expect((await tryRun(hub, "verify")).ok).toBe(false);
    await hub.run("mirror");
    expect((await tryRun(hub, "verify")).ok).toBe(true);
  });

  it("is found out when it keeps less than its settings say", async () => {
    const rights = (more: readonly string[]) => ({
      [sync.accessKeyId]: [...SYNC_RIGHTS, ...more],
      [next.accessKeyId]: SYNC_RIGHTS,
      [reader.accessKeyId]: RESTORE_RIGHTS,
    });
    await s3.policy("family", rights(["s3:DeleteObjectVersion"]));
    const destroyed = await tryRun(hub, "verify");
    expect(destroyed.ok).toBe(false);
    expect(destroyed.said).toContain("may delete versions for good (s3:DeleteObjectVersion)");
    await s3.policy("family", rights(["s3:PutBucketVersioning"]));
    const { report, exitCode } = await verified("attic");
    expect(exitCode).toBe(1);
    expect(JSON.stringify(report)).toContain("may change the bucket's settings (versioning)");
    await s3.policy("family", {
      ...rights([]),
      [reader.accessKeyId]: [...RESTORE_RIGHTS, "s3:PutObject"],
    });
    expect((await tryRun(hub, "verify")).said).toContain("can write, and must only read");
    await s3.policy("family", rights([]));
    const well = await verified();
    expect(well.exitCode, JSON.stringify(well.report)).toBe(0);
    expect(JSON.stringify(well.report.targets.attic)).toContain("versioning on");
    expect(well.report.targets.attic?.hosts.q?.snapshots).toBe(1);
  });

  it("turns its key over without a mirror that fails, and says which key is in use", async () => {
    const secrets = { attic: { sync, syncNext: next, restore: reader }, spare: { sync: plain } };
    await setSecrets(secrets);
    await cluster.up();
    await hub.deploy();
    // The provider took the old key away, and no update was made since.
    await s3.removeUser(sync.accessKeyId);
    await s3.policy("family", {
      [next.accessKeyId]: SYNC_RIGHTS,
      [reader.accessKeyId]: RESTORE_RIGHTS,
    });
    await backUp(cluster, "q");
    const mirrored = await tryRun(hub, "mirror");
    expect(mirrored.ok, mirrored.said).toBe(true);
    expect(mirrored.said).toContain("accepted the next credential");
    await setSecrets({ ...secrets, attic: { sync: next, syncNext: next, restore: reader } });
    Object.assign(cluster.settings["fort-offsite:targets"]?.attic ?? {}, { generation: 2 });
    cluster.stack.configure(cluster.settings);
    await cluster.up();
    await hub.deploy();
    await backUp(cluster, "q");
    const after = await tryRun(hub, "mirror");
    expect(after.ok, after.said).toBe(true);
    expect(after.said).not.toContain("next credential");
    const env = await envOf(cluster, "q");
    expect(await restores(cluster, "q", env.OFFSITE_ATTIC_REPOSITORY ?? "", env)).toBe(true);
  });

  it("leaves the bucket as it is when the target goes", async () => {
    const { spare, ...rest } = cluster.settings["fort-offsite:targets"] ?? {};
    expect(spare).toBeDefined();
    cluster.settings["fort-offsite:targets"] = rest;
    await setSecrets({ attic: { sync: next, restore: reader } });
    cluster.stack.configure(cluster.settings);
    const output = await cluster.up();
    expect(output).toContain("spare is no longer in the config");
    const { body } = await s3
      .client("spare")
      .must("list", { method: "GET", query: { "list-type": "2" } });
    expect(body).toContain("q/config");
  });
});
