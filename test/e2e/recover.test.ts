/** The state is gone: settings, passphrase, the sealed bundle and `offsite recover` bring it back. */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  fingerprint,
  parseEnv,
  restic,
  restoreFrom,
  unseal,
  type Host,
} from "../../sandbox/hosts.ts";
import { newSshKey, publicKey } from "../../sandbox/peer.ts";
import { findBucket } from "../../sdks/b2/client/buckets.ts";
import { Client } from "../../sdks/b2/client/client.ts";
import { listKeys } from "../../sdks/b2/client/keys.ts";
import { startCluster, type Cluster, type Settings } from "./cluster.ts";

let cluster: Cluster;
let client: Client;
/** The operator's own private key. */
let operator: string;
let q: Host;
let settings: Settings;
let before: Awaited<ReturnType<typeof everything>>;

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"]);
  client = new Client({
    applicationKeyId: cluster.emulator.applicationKeyId,
    applicationKey: cluster.emulator.applicationKey,
    endpoint: cluster.emulator.url,
  });
  operator = join(cluster.world.directory, "operator");
  const key = publicKey(await newSshKey(operator, "operator"));
  ({ settings } = cluster);
  Object.assign(settings["fort-offsite:seal"] ?? {}, { operators: [key] });
  setGeneration(2);
  await cluster.up();
  const found = cluster.hosts.find(({ name }) => name === "q");
  if (found === undefined) throw new Error("There is no q");
  q = found;
  const hub = await cluster.openHub();
  await hub.serve();
  const env = parseEnv(await unseal(join(cluster.bundle, "hosts/q.env.age"), q.identityFile));
  await restic(cluster.world, q, env, ["init", "--quiet"]);
  await restic(cluster.world, q, env, ["backup", "--quiet", "."], { cwd: q.data });
  await hub.run("mirror");
  before = await everything();
});

afterAll(async () => {
  await client.close();
  expect(await cluster.end()).toEqual([]);
});

/** Of the host q. */
function setGeneration(generation: number): void {
  Object.assign(settings["fort-offsite:hosts"]?.q ?? {}, { generation });
  cluster.stack.configure(settings);
}

/** What a loss of the state must not change. */
async function everything() {
  const names = readdirSync(cluster.bundle, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(cluster.bundle, name)).isFile())
    .sort();
  const bundle: Record<string, string> = {};
  for (const name of names) {
    const file = join(cluster.bundle, name);
    bundle[name] = name.endsWith(".age")
      ? await unseal(file, operator)
      : readFileSync(file, "utf8");
  }
  const bucketName = String(settings["fort-offsite:targets"]?.cloud?.bucket);
  const { bucketId = "" } = (await findBucket(client, { bucketName })) ?? {};
  const { files } = await client.call<{ files: { fileId: string }[] }>(
    "b2_list_file_versions",
    { bucketId, maxFileCount: 10_000 },
    { needs: ["listFiles"], reads: true },
  );
  const dataDir = join(cluster.world.directory, "peer");
  const label = `label=com.docker.compose.project=${cluster.project}`;
  const id = await cluster.docker("ps", "--no-trunc", "--quiet", "--filter", label);
  return {
    bundle,
    bucketId,
    files: files.map(({ fileId }) => fileId),
    keys: (await listKeys(client)).map((key) => `${key.applicationKeyId} ${key.keyName}`).sort(),
    repositories: fingerprint(join(dataDir, "repositories")),
    server: await cluster.docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", id),
  };
}

/** The state's folder goes, as with the disk that it was on. */
function loseState(): void {
  rmSync(join(cluster.world.directory, "state"), { recursive: true });
  cluster.world.folder("state");
}

async function stateOf(name: string): Promise<{ id: string; outputs: Record<string, unknown> }> {
  const state = JSON.parse(await cluster.stack.must(["stack", "export"])) as {
    deployment: { resources?: { urn: string; id: string; outputs: Record<string, unknown> }[] };
  };
  const found = state.deployment.resources?.find(({ urn }) => urn.endsWith(`::${name}`));
  if (found === undefined) throw new Error(`${name} is not in the state`);
  return found;
}

const recover = (...args: readonly string[]) => cluster.offsite("recover", ...args);
const keyNames = () => before.keys.map((key) => key.split(" ")[1] ?? "");

describe("after the state was lost", () => {
  it("refuses to begin where Pulumi has no such stack, and says how to make one", async () => {
    loseState();
    const { exitCode, stderr } = await recover("--identity", operator, "--yes");
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`pulumi stack init ${cluster.stack.name}`);
    await cluster.stack.must(["stack", "init"]);
  });

  it("refuses settings that are older than what was deployed, and changes nothing", async () => {
    setGeneration(1);
    const { exitCode, stderr } = await recover("--identity", operator, "--yes");
    setGeneration(2);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("hosts.q.generation: got 1, must be 2");
  });

  it("says what it would do, and does nothing without a terminal and without --yes", async () => {
    const { exitCode, stdout, stderr } = await recover();
    expect(exitCode).toBe(2);
    expect(stderr).toContain("nothing was changed");
    for (const name of keyNames()) expect(stdout).toContain(`cannot come back: ${name}`);
    expect(stdout).toContain("rclone.conf.age: is sealed, and no --identity was given");
    await expect(stateOf("cloud-bucket")).rejects.toThrow(/not in the state/);
  });

  it("brings back the bucket and the keys whose files a key opens, and the rest with another", async () => {
    const own = await recover("--identity", q.identityFile, "--yes");
    expect(own.exitCode, own.all).toBe(1);
    expect(own.all).toContain("1 key back with the same secret");
    expect(own.all).toContain("delete them at Backblaze");
    expect(await stateOf("cloud-bucket")).toMatchObject({ id: before.bucketId });
    const rest = await recover("--identity", q.identityFile, "--identity", operator, "--yes");
    expect(rest.exitCode, rest.all).toBe(0);
    expect(rest.all).toContain("1 key in the state already");
    expect(rest.all).toContain(`${before.keys.length - 1} keys back with the same secret`);
    expect(await everything()).toEqual(before);
  });

  it("does nothing the second time", async () => {
    const { exitCode, stdout } = await recover("--identity", operator, "--yes");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Nothing to import");
  });

  it("shows no secret and leaves none in clear text in the state", () => {
    const secrets = [...(before.bundle["rclone.conf.age"] ?? "").matchAll(/^key = (.+)$/gm)];
    expect(secrets).toHaveLength(4);
    const folder = join(cluster.world.directory, "state");
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((name) => join(folder, name))
      .filter((file) => statSync(file).isFile());
    for (const [, secret = ""] of secrets) {
      for (const file of files) expect(readFileSync(file, "utf8"), file).not.toContain(secret);
    }
  });

  it("then previews no change to bucket and keys, and pulumi up changes no credential", async () => {
    const preview = await cluster.stack.must(["preview"]);
    expect(preview).toMatch(/\+ +\d+ to create/);
    // The bucket gets its protection back, which is a mark in the state and no step.
    expect(preview).not.toMatch(/^ *[-+~]{1,2} +b2:index:/m);
    cluster.emulator.resetStats();
    await cluster.up();
    expect(await everything()).toEqual(before);
    const changing = /upload|hide|delete|create|update|start|finish/;
    const calls = Object.keys(cluster.emulator.stats().operations);
    expect(calls.filter((name) => changing.test(name))).toEqual([]);
    expect(await cluster.stack.must(["preview", "--expect-no-changes"])).toContain("unchanged");
  });

  it("leaves the host with what it has: an old env file restores from cloud and peer", async () => {
    const env = parseEnv(before.bundle["hosts/q.env.age"] ?? "");
    for (const target of ["cloud", "peer"]) {
      const restored = await restoreFrom(cluster.world, q, env, target);
      expect(fingerprint(restored), target).toEqual(fingerprint(q.data));
    }
  });
});

describe("offsite bundle", () => {
  it("finds what was deleted, writes it from the state, and keeps every other file's bytes", async () => {
    const bytes = () => fingerprint(cluster.bundle).filter((line) => !line.includes("directory"));
    const before = bytes();
    const lost = join(cluster.bundle, "hosts/q.env.age");
    rmSync(lost);
    const checked = await cluster.offsite("bundle", "--check", "--json");
    expect(checked.exitCode, checked.all).toBe(1);
    expect(JSON.parse(checked.stdout)).toMatchObject({
      version: 1,
      upToDate: false,
      files: [{ path: "hosts/q.env.age", status: "missing" }],
      owed: [],
    });
    const written = await cluster.offsite("bundle");
    expect(written.exitCode, written.all).toBe(0);
    expect(await unseal(lost, q.identityFile)).toBe((await everything()).bundle["hosts/q.env.age"]);
    const changed = bytes().filter((line) => !before.includes(line));
    expect(changed.map((line) => line.split(" ")[0])).toEqual([".fort-offsite", "hosts/q.env.age"]);
    const again = await cluster.offsite("bundle", "--check");
    expect(again.exitCode, again.all).toBe(0);
  });
});

describe("offsite cost", () => {
  it("tells the cost of the settings, and what they change against what is deployed", async () => {
    Object.assign(settings["fort-offsite:hosts"]?.q ?? {}, { sizeGiB: 1010 });
    cluster.stack.configure(settings);
    const { exitCode, stdout, all } = await cluster.offsite("cost", "--json");
    Object.assign(settings["fort-offsite:hosts"]?.q ?? {}, { sizeGiB: 10 });
    cluster.stack.configure(settings);
    expect(exitCode, all).toBe(0);
    const report = JSON.parse(stdout) as { difference: { targets: { cloud: { change: number } } } };
    // 1000 GiB more, and a tenth of them hidden, at 6.95 USD a TB.
    expect(report.difference.targets.cloud.change).toBeCloseTo(8.2086, 3);
  });
});

describe("a key that was imported by its id alone", () => {
  it("ends the update with the way out, and no file of the bundle becomes wrong", async () => {
    const name = "cloud-hub-monitor-g1";
    const { id } = await stateOf(name);
    const exported = JSON.parse(await cluster.stack.must(["stack", "export"])) as {
      deployment: { resources: { urn: string; outputs?: Record<string, unknown> }[] };
    };
    const found = exported.deployment.resources.find(({ urn }) => urn.endsWith(`::${name}`));
    delete found?.outputs?.applicationKey;
    const file = join(cluster.world.directory, "without-secret.json");
    writeFileSync(file, JSON.stringify(exported));
    await cluster.stack.must(["stack", "import", "--file", file]);
    const { exitCode, output } = await cluster.stack.run(["up", "--yes", "--skip-preview"]);
    expect(exitCode).not.toBe(0);
    expect(output).toContain(`The key ${id} is in the state without its secret`);
    expect(await everything()).toEqual(before);
  });
});
