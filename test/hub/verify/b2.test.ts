import { createHash, randomBytes } from "node:crypto";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { pathOf } from "../../../hub/repository/layout.ts";
import { BUCKET, Cloud } from "../cloud.ts";
import { World } from "../world.ts";
import { host, verify } from "./agent.ts";
import { Owner } from "./keys.ts";

const PRIVATE = { bucketType: "allPrivate", lifecycleRules: [] };

let world: World;
let cloud: Cloud;
let owner: Owner;

beforeAll(async () => {
  world = new World(["q", "joker"]);
  cloud = await Cloud.start(world);
  owner = await Owner.of(cloud);
  await owner.giveKeys(world);
  await world.seed("q");
  await world.seed("joker");
  await world.mirror();
});

afterAll(async () => {
  await cloud.close();
  await world.close();
});

/** The largest pack of q. */
function pack(): { path: string; file: string } {
  const size = (name: string): number => statSync(join(world.at("q"), pathOf("data", name))).size;
  const [name = ""] = world
    .filesAt(world.repositories, "q", "data")
    .sort((a, b) => size(b) - size(a));
  const path = pathOf("data", name);
  return { path, file: join(world.at("q"), path) };
}

/** Uploads something over a file of q, with the hub's own key; mends it after the test. */
async function overwrite(path: string, content: Buffer): Promise<void> {
  const file = join(world.root, "forged");
  writeFileSync(file, content);
  await cloud.put(file, `q/${path}`);
}

describe("verify of a B2 bucket", () => {
  afterEach(async () => {
    const { path, file } = pack();
    await cloud.put(file, `q/${path}`);
  });

  it("passes where everything is there, with few billable calls", async () => {
    const first = await verify(world);
    expect(first.stderr).not.toContain("error");
    expect(first.exitCode).toBe(0);
    expect(host(first, "cloud", "q")).toMatchObject({ outcome: "ok", snapshots: 2 });
    expect(first.report.targets.cloud?.notices).toEqual([]);
    cloud.b2.resetStats();
    expect((await verify(world)).exitCode).toBe(0);
    const { transactions, operations } = cloud.b2.stats();
    expect(transactions.B + transactions.C).toBeLessThanOrEqual(18);
    // The canary's alone.
    expect(operations.b2_upload_file).toBe(1);
  });

  it("finds other content of the same size by its SHA-1, and reads nothing for it", async () => {
    const { path, file } = pack();
    const content = readFileSync(file);
    content[1000] = (content[1000] ?? 0) ^ 1;
    await overwrite(path, content);
    cloud.b2.resetStats();
    const run = await verify(world);
    expect(run.exitCode).toBe(1);
    expect(host(run, "cloud", "q").wrongHash.paths).toEqual([path]);
    expect(host(run, "cloud", "joker").outcome).toBe("ok");
    expect(run.stderr).toContain("the next mirror sends them again");
  });

  it("finds a truncated file, and one that somebody has hidden", async () => {
    const { path, file } = pack();
    await overwrite(path, readFileSync(file).subarray(0, 1000));
    const cut = await verify(world);
    expect(host(cut, "cloud", "q").wrongSize.paths).toEqual([path]);
    await cloud.rclone("deletefile", `q/${path}`);
    const hidden = await verify(world);
    expect(hidden.exitCode).toBe(1);
    expect(host(hidden, "cloud", "q").missing.paths).toEqual([path]);
  });

  it("reads back with the restore key, and finds what a listing was made to hide", async () => {
    const run = await verify(world, "cloud", "--deep", "--share", "100");
    expect(run.exitCode).toBe(0);
    const q = host(run, "cloud", "q");
    expect(q.read.files).toBe(q.files);
    // Whoever sends a file in parts says himself what SHA-1 the listing is to tell.
    const content = randomBytes(5_500_000);
    const name = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(world.at("joker"), pathOf("data", name)), content);
    expect((await world.mirror()).exitCode).toBe(0);
    const sha1 = createHash("sha1").update(content).digest("hex");
    const path = pathOf("data", name);
    await owner.sendInParts(`restic/joker/${path}`, randomBytes(content.length), sha1);
    expect(host(await verify(world), "cloud", "joker").outcome).toBe("ok");
    const deep = await verify(world, "--deep", "--share", "100");
    await cloud.put(join(world.at("joker"), path), `joker/${path}`);
    expect(deep.exitCode).toBe(1);
    expect(host(deep, "cloud", "joker").read.damaged.paths).toEqual([path]);
  });

  it("names strangers, other repositories, locks and unfinished files", async () => {
    const file = join(world.root, "stranger");
    writeFileSync(file, "x");
    const stranger = pathOf("data", "ab".repeat(32));
    const paths = [`q/${stranger}`, `q/locks/${"cd".repeat(32)}`, "q/data/tmp", "stray/config"];
    for (const path of paths) await cloud.put(file, path);
    const run = await verify(world, "--host", "q");
    for (const path of paths) await cloud.rclone("deletefile", path);
    rmSync(file);
    expect(run.exitCode).toBe(1);
    const q = host(run, "cloud", "q");
    expect(q.strangers.paths).toEqual([stranger]);
    expect(q.notices.join()).toMatch(/1 lock .*1 file .*data\/tmp/);
    expect(run.report.targets.cloud?.notices).toEqual([
      expect.stringContaining('"stray" (1 file)'),
    ]);
  });
});

describe("verify's canary at B2", () => {
  beforeEach(async () => {
    await owner.updateBucket(PRIVATE);
    await owner.giveKeys(world);
  });

  it.each([
    [
      "cloud",
      ["deleteFiles"],
      ["may do more than it must: deleteFiles", "could delete the canary"],
    ],
    ["cloud-restore", ["writeFiles"], ["may do more than it must: writeFiles", "can write"]],
    ["cloud-monitor", ["readFiles"], ["may do more than it must: readFiles", "can read files"]],
  ])("notices that %s may also %s", async (remote, extra, problems) => {
    await owner.giveKeys(world, { [remote]: extra });
    const run = await verify(world, "--host", "q");
    expect(run.exitCode).toBe(1);
    const errors = run.report.targets.cloud?.errors ?? [];
    expect(errors).toHaveLength(problems.length);
    for (const [at, problem] of problems.entries()) {
      expect(errors[at]).toContain(`"${remote}"`);
      expect(errors[at]).toContain(problem);
    }
    expect(host(run, "cloud", "q")).toMatchObject({ outcome: "ok", missing: { count: 0 } });
  });

  it("notices a bucket that anybody can read, and one that hides or forgets too soon", async () => {
    await owner.updateBucket({
      bucketType: "allPublic",
      lifecycleRules: [
        { fileNamePrefix: "a/", daysFromUploadingToHiding: 90, daysFromHidingToDeleting: null },
        { fileNamePrefix: "b/", daysFromUploadingToHiding: null, daysFromHidingToDeleting: 3 },
      ],
    });
    const run = await verify(world, "--host", "q");
    expect(run.exitCode).toBe(1);
    const errors = (run.report.targets.cloud?.errors ?? []).join("\n");
    expect(errors).toContain(`"${BUCKET}" is of type allPublic`);
    expect(errors).toContain("90 days after they were sent");
    expect(errors).toContain("after 3 days instead of 30");
    expect(errors).toContain("anybody can read the bucket");
  });

  it("leaves a canary that no listing shows, whose older versions stay", async () => {
    const run = await verify(world, "--host", "q");
    expect(run.exitCode).toBe(0);
    const versions = (await cloud.versions()).filter((each) =>
      each.fileName.startsWith("restic/offsite-canary/"),
    );
    expect(versions[0]?.action).toBe("hide");
    expect(versions.filter((each) => each.action === "upload").length).toBeGreaterThan(1);
    expect(await cloud.rclone("lsf", "")).toBe("joker/\nq/");
  });

  it("speaks to B2 through the proxy that the environment names", async () => {
    const asked: (string | undefined)[] = [];
    const proxy = createServer().on("connect", ({ url }, client: Duplex) => {
      asked.push(url);
      const { hostname, port } = new URL(`http://${url ?? ""}`);
      const server = connect(Number(port), hostname, () => {
        client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
        client.pipe(server).pipe(client);
      });
    });
    await once(proxy.listen(0, "127.0.0.1"), "listening");
    // rclone reaches 127.0.0.1 without a proxy whatever the environment says.
    vi.stubEnv("HTTP_PROXY", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    const run = await verify(world, "--host", "q");
    vi.unstubAllEnvs();
    proxy.close();
    expect(run.report.targets.cloud?.errors).toEqual([]);
    expect(new Set(asked)).toEqual(new Set([new URL(cloud.b2.url).host]));
  });

  it("says which key is refused, and shows none", async () => {
    const config = join(world.root, "rclone.conf");
    const text = readFileSync(config, "utf8");
    const keys = [...text.matchAll(/^key = (.*)$/gm)].map(([, key = ""]) => key);
    writeFileSync(config, text.replace(keys[3] ?? "", "K000anotherkeyofnobody"));
    const run = await verify(world, "--host", "q");
    expect(run.exitCode).toBe(1);
    expect(run.report.targets.cloud?.errors).toEqual([expect.stringContaining("cloud-monitor")]);
    for (const key of [...keys, "K000another"]) {
      expect(run.stderr + JSON.stringify(run.report)).not.toContain(key);
    }
  });
});
