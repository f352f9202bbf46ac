/**
 * A bucket at R2, from the update to a restore and back: the real program and engine with stand-ins
 * for Cloudflare's plugin, its API and the bucket's lock, over a real S3 server.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  CLOUDFLARE_PLUGIN,
  startCloudflare,
  type Cloudflare,
} from "../../sandbox/cloudflare/index.ts";
import { restic } from "../../sandbox/hosts.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { PROJECT } from "../../sandbox/world.ts";
import { verifyReportSchema } from "../../cli/verify/report.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { backUp, envOf, hostOf, rclone, restores, tryRun, versitygw } from "./family.ts";

const DAY_MS = 86_400_000;
const BUCKET = "family-fort";

let cluster: Cluster;
let hub: Hub;
let cloudflare: Cloudflare;

beforeAll(async () => {
  const program = await versitygw();
  cluster = await startCluster(["ursula", "q"], async ({ world }) => {
    cloudflare = await startCloudflare(world, program);
    const { account, endpoint, env } = cloudflare;
    return {
      without: ["cloud", "peer"],
      targets: {
        cloud: { type: "r2", accountId: account.id, bucket: BUCKET, location: "weur", endpoint },
      },
      env,
      plugins: CLOUDFLARE_PLUGIN,
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

async function change(settings: object): Promise<string> {
  Object.assign(cluster.settings["fort-offsite:targets"]?.cloud ?? {}, settings);
  cluster.stack.configure(cluster.settings);
  return await cluster.up();
}

async function verified() {
  const { stdout, exitCode } = await cluster.offsite("verify", "--json", "cloud");
  return { report: verifyReportSchema.parse(JSON.parse(stdout)), exitCode };
}

/** The commands of the documentation's third step. */
async function freeSpace(): Promise<void> {
  const page = readFileSync(join(PROJECT, "docs", "targets", "r2.md"), "utf8");
  const [, commands = ""] = /```sh\n(rclone lsf[^]*?)```/.exec(page) ?? [];
  expect(commands).toContain("rclone delete");
  await execa("bash", ["-c", commands], {
    cwd: cluster.world.folder("free-space"),
    env: {
      RCLONE_CONFIG: hub.rcloneFile,
      RCLONE_RETRIES: "1",
      BUCKET,
      HOST: "q",
      REPOSITORIES: hub.repositories,
    },
    reject: false,
  });
}

const tokens = () => [...cloudflare.account.tokens.values()].map(({ name }) => name).sort();

describe("a bucket at R2", () => {
  it("is locked for ever, abandons unfinished uploads, and has a token for each use of one bucket", async () => {
    const bucket = cloudflare.account.bucket(BUCKET);
    expect(bucket.lock).toMatchObject([
      { enabled: true, prefix: "", condition: { type: "Indefinite" } },
    ]);
    expect(bucket.lifecycle).toMatchObject([
      { abortMultipartUploadsTransition: { condition: { type: "Age", maxAge: 7 * 86_400 } } },
    ]);
    const name = (rest: string) => `fort-offsite-${cluster.stack.name}-cloud-${rest}`;
    expect(tokens()).toEqual(
      ["restore-g1", "restore-q-g1", "restore-ursula-g1", "sync-g1", "sync-g2"].map(name),
    );
    await cluster.stack.must(["preview", "--expect-no-changes"]);
  });

  it("gets what the hub has, once, and refuses to lose it", async () => {
    await hub.run("mirror");
    const before = await rclone(hub, "lsjson", "-R", "--files-only", `cloud:${BUCKET}`);
    const second = await tryRun(hub, "mirror");
    expect(second.ok, second.said).toBe(true);
    expect((await rclone(hub, "lsjson", "-R", "--files-only", `cloud:${BUCKET}`)).all).toBe(
      before.all,
    );
    const removed = await rclone(hub, "delete", `cloud:${BUCKET}/q`);
    expect(removed.exitCode).not.toBe(0);
    expect(removed.all).toContain("ObjectLockedByBucketPolicy");
    expect((await rclone(hub, "lsjson", "-R", "--files-only", `cloud:${BUCKET}`)).all).toBe(
      before.all,
    );
    const agent = await tryRun(hub, "verify", "--deep");
    expect(agent.ok, agent.said).toBe(true);
    const { report, exitCode } = await verified();
    expect(exitCode, JSON.stringify(report)).toBe(0);
    expect(report.targets.cloud?.hosts.q?.snapshots).toBe(1);
  });

  it("restores a host with its own file of the bundle, with rclone and without", async () => {
    const env = await envOf(cluster, "q");
    expect(await restores(cluster, "q", env.OFFSITE_CLOUD_REPOSITORY ?? "", env)).toBe(true);
    const native = {
      AWS_ACCESS_KEY_ID: env.RCLONE_CONFIG_CLOUD_ACCESS_KEY_ID ?? "",
      AWS_SECRET_ACCESS_KEY: env.RCLONE_CONFIG_CLOUD_SECRET_ACCESS_KEY ?? "",
      AWS_DEFAULT_REGION: env.RCLONE_CONFIG_CLOUD_REGION ?? "",
    };
    expect(await restores(cluster, "q", env.OFFSITE_CLOUD_S3_REPOSITORY ?? "", native)).toBe(true);
    await hub.run("drill", "q", "--json");
  });

  it("is found out when somebody took the lock away, opened the bucket or made a token", async () => {
    const bucket = cloudflare.account.bucket(BUCKET);
    const { lock } = bucket;
    bucket.lock = [];
    bucket.isPublic = true;
    const resources = {
      [`com.cloudflare.edge.r2.bucket.${cloudflare.account.id}_default_${BUCKET}`]: "*",
    };
    const group = { id: "2efd5506f9c8494dacb1fa10a3e7d5b6" };
    const policies = [{ effect: "allow", permission_groups: [group], resources }];
    const { token } = await cloudflare.account.createToken({ name: "a friend's", policies });
    const agent = await tryRun(hub, "verify");
    expect(agent.ok).toBe(false);
    expect(agent.said).toContain("could delete the canary");
    expect(agent.said).toContain("could overwrite the canary");
    const { report, exitCode } = await verified();
    expect(exitCode).toBe(1);
    const said = JSON.stringify(report);
    expect(said).toContain("no lock rule of the bucket");
    expect(said).toContain("anybody can read the bucket");
    expect(said).toContain("a friend's");
    bucket.lock = lock;
    bucket.isPublic = false;
    await cloudflare.account.deleteToken(token.id);
    expect((await tryRun(hub, "verify")).ok).toBe(true);
    expect((await verified()).exitCode).toBe(0);
  });

  it("turns its tokens over with no mirror that fails, whoever is deployed late", async () => {
    await change({ generation: 2 });
    await backUp(cluster, "q");
    const late = await tryRun(hub, "mirror");
    expect(late.ok, late.said).toBe(true);
    await hub.deploy();
    await backUp(cluster, "q");
    const after = await tryRun(hub, "mirror");
    expect(after.ok, after.said).toBe(true);
    const rotated = await cluster.offsite("rotate", "cloud", "--revoke", "--yes");
    expect(rotated.exitCode, rotated.all).toBe(0);
    await backUp(cluster, "q");
    const shutOut = await tryRun(hub, "mirror");
    expect(shutOut.ok).toBe(false);
    expect(shutOut.said).toContain("accepts none of its credentials");
    await hub.deploy();
    const again = await tryRun(hub, "mirror");
    expect(again.ok, again.said).toBe(true);
    const env = await envOf(cluster, "q");
    expect(await restores(cluster, "q", env.OFFSITE_CLOUD_REPOSITORY ?? "", env)).toBe(true);
  });

  it("takes a file that arrived for sent, though its answer was lost and R2 takes no second one", async () => {
    await backUp(cluster, "q");
    cloudflare.faults.lostAnswers = 1;
    const mirrored = await tryRun(hub, "mirror");
    expect(mirrored.ok, mirrored.said).toBe(true);
    expect(cloudflare.faults.lostAnswers).toBe(0);
    const again = await tryRun(hub, "verify");
    expect(again.ok, again.said).toBe(true);
  });

  it("is freed of what the hub has pruned by the way that the documentation tells", async () => {
    const output = await change({
      ...{ keepHiddenDays: 30, protect: false },
      // What the revocation wrote into the stack's file.
      ...{ generation: 4, revoked: 3 },
    });
    expect(output).toContain("what is older can be destroyed by a thief at the hub");
    expect(cloudflare.account.bucket(BUCKET).lock).toMatchObject([
      { condition: { type: "Age", maxAgeSeconds: 30 * 86_400 } },
    ]);
    const files = async () =>
      (await rclone(hub, "lsf", "-R", "--files-only", `cloud:${BUCKET}/q`)).all.split("\n");
    await backUp(cluster, "q");
    await hub.run("mirror");
    // The hub prunes, as the owner of its repositories.
    const repository = join(hub.repositories, "q");
    const forget = ["forget", "--quiet", "--group-by", "host", "--keep-last", "1", "--prune"];
    const access = { RESTIC_REPOSITORY: repository };
    await restic(cluster.world, hostOf(cluster, "q"), access, forget);
    await execa("chown", ["-R", "--reference", hub.repositories, repository]);
    await hub.run("mirror");
    const before = await files();
    expect(before.filter((name) => name.startsWith("snapshots/")).length).toBeGreaterThan(1);
    // Nothing is old enough yet.
    await freeSpace();
    expect(await files()).toEqual(before);
    cloudflare.account.ahead = 31 * DAY_MS;
    await freeSpace();
    cloudflare.account.ahead = 0;
    const after = await files();
    expect(after.filter((name) => name.startsWith("snapshots/"))).toHaveLength(1);
    await change({ keepHiddenDays: "forever" });
    const verified = await tryRun(hub, "verify", "--deep");
    expect(verified.ok, verified.said).toBe(true);
    const env = await envOf(cluster, "q");
    expect(await restores(cluster, "q", env.OFFSITE_CLOUD_REPOSITORY ?? "", env)).toBe(true);
  });

  it("keeps bucket and lock when it leaves, and takes its tokens back", async () => {
    cluster.settings["fort-offsite:targets"] = {
      later: { ...cluster.settings["fort-offsite:targets"]?.cloud, bucket: "another" },
    };
    cluster.stack.configure(cluster.settings);
    expect(await cluster.up()).toContain("cloud is no longer in the config");
    expect(cloudflare.account.bucket(BUCKET).lock).toHaveLength(1);
    expect(tokens().filter((name) => name.includes("-cloud-"))).toEqual([]);
    const env = await envOf(cluster, "q");
    expect(env.OFFSITE_LATER_REPOSITORY).toBe("rclone:later:another/q");
  });
});
