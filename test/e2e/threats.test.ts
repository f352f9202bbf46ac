/** What a thief has of what he took: the lines of docs/threat-model.md that need a whole cluster. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hubCredentialsSchema, type HubCredentials } from "../../config/manifest.ts";
import { parseEnv, restic, unseal } from "../../sandbox/hosts.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { findLeaks, secretsOfEnv, secretsOfHub } from "../../sandbox/leaks.ts";
import { tryWhatMustBeRefused } from "../../sandbox/refusals.ts";
import { PROJECT } from "../../sandbox/world.ts";
import { Client } from "../../sdks/b2/client/client.ts";
import { startCluster, type Cluster } from "./cluster.ts";

const DAY = 86_400_000;
/** Stands in a file that is backed up, and in its name. */
const DIARY = "what-nobody-else-may-read";

let cluster: Cluster;
let hub: Hub;
let credentials: HubCredentials;
/** What each host's file of the bundle holds, by the host's name. */
const envs: Record<string, string> = {};

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"]);
  await cluster.up();
  hub = await cluster.openHub();
  await hub.serve();
  for (const host of cluster.hosts) {
    const file = join(cluster.bundle, "hosts", `${host.name}.env.age`);
    const text = await unseal(file, host.identityFile);
    envs[host.name] = text;
    writeFileSync(join(host.data, DIARY), `${DIARY}\n`.repeat(2_000));
    await restic(cluster.world, host, parseEnv(text), ["init", "--quiet"]);
    await restic(cluster.world, host, parseEnv(text), ["backup", "--quiet", "."], {
      cwd: host.data,
    });
  }
  await hub.run("mirror");
  credentials = hubCredentialsSchema.parse(JSON.parse(hub.secretFiles.credentials));
});

afterAll(async () => expect(await cluster.end()).toEqual([]));

/** The content of every file below a folder, and its name, by its path. */
function everythingBelow(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => [name, `${name}\n${readFileSync(join(folder, name), "latin1")}`]);
  return Object.fromEntries(files) as Record<string, string>;
}

/** Every credential of the bundle, and no password of restic's. */
function credentialsOfTheBundle(): string[] {
  const { rclone, credentials: text } = hub.secretFiles;
  return [...secretsOfHub(rclone, text), ...Object.values(envs).flatMap(secretsOfEnv)];
}

const resticPasswords = () => cluster.hosts.map((each) => readFileSync(each.passwordFile, "utf8"));

/** The state as `pulumi` gives it to whoever has this passphrase. */
async function exportWith(passphrase: string) {
  return await execa(
    "pulumi",
    ["stack", "export", "--show-secrets", "--stack", cluster.stack.name, "--non-interactive"],
    {
      cwd: PROJECT,
      // An undefined variable is taken out of the environment.
      env: {
        ...cluster.stack.env,
        PULUMI_CONFIG_PASSPHRASE_FILE: undefined,
        PULUMI_CONFIG_PASSPHRASE: passphrase,
      },
      reject: false,
    },
  );
}

describe("a thief with the state's files", () => {
  it("finds no secret in any of them, the history and the settings included", () => {
    const places = {
      ...everythingBelow(join(cluster.world.directory, "state")),
      settings: readFileSync(cluster.stack.configFile, "utf8"),
    };
    expect(Object.values(places).filter((text) => text.includes("fort-offsite")).length).not.toBe(
      0,
    );
    const secrets = [
      ...[...credentialsOfTheBundle(), ...resticPasswords()],
      ...[...cluster.stack.secrets, cluster.emulator.applicationKey],
    ];
    expect(findLeaks(secrets, places)).toEqual([]);
  });

  it("is shown nothing under another passphrase", async () => {
    const { exitCode, stdout, stderr } = await exportWith("another passphrase");
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/passphrase/);
    expect(findLeaks(credentialsOfTheBundle(), { stdout, stderr })).toEqual([]);
  });

  it("has with the passphrase what the bundle has, and neither restic's passwords nor the account's key", async () => {
    const passphrase = readFileSync(cluster.stack.env.PULUMI_CONFIG_PASSPHRASE_FILE ?? "", "utf8");
    const { exitCode, stdout } = await exportWith(passphrase);
    expect(exitCode).toBe(0);
    for (const secret of credentialsOfTheBundle()) expect(stdout).toContain(secret);
    const others = [...resticPasswords(), cluster.emulator.applicationKey];
    expect(findLeaks(others, { stdout })).toEqual([]);
    // What the page says of it: the way to the peer is in there where the settings hold its key.
    const [, line = ""] = cluster.peer.privateKey.split("\n");
    expect(stdout).toContain(line);
  });
});

describe("what lies at the peer and at the cloud", () => {
  it("holds nothing of what was backed up, neither content nor name, and no password", () => {
    const secrets = [...credentialsOfTheBundle(), ...resticPasswords(), DIARY];
    const { directory } = cluster.world;
    const peer = everythingBelow(join(directory, "peer"));
    expect(Object.keys(peer).some((name) => name.includes("snapshots"))).toBe(true);
    expect(findLeaks(secrets, peer)).toEqual([]);
    // The emulator keeps what a service would: the secrets of keys that it has to check.
    const cloud = everythingBelow(join(directory, "b2"));
    expect(Object.keys(cloud).length).toBeGreaterThan(5);
    expect(findLeaks([...resticPasswords(), DIARY], cloud)).toEqual([]);
  });

  it("opens nothing at home: the hub takes no password that the peer is shown", async () => {
    const access = credentials.targets.peer;
    if (access?.type !== "rest-server") throw new Error("The peer is no rest-server");
    const at = (password: string) =>
      fetch(`${hub.manifest.hub.url}q/config`, {
        headers: { authorization: `Basic ${Buffer.from(`q:${password}`).toString("base64")}` },
      });
    const own = parseEnv(envs.q ?? "").RESTIC_REST_PASSWORD ?? "";
    expect((await at(own)).status).toBe(200);
    for (const password of Object.values(access.users.q ?? {})) {
      expect((await at(String(password))).status).toBe(401);
    }
  });
});

describe("a thief at the hub", () => {
  it("is refused every deletion, everywhere, and whatever he hides comes back", async () => {
    const refusals = await tryWhatMustBeRefused({
      manifest: hub.manifest,
      credentials,
      rcloneFile: hub.rcloneFile,
      host: { name: "ursula", env: envs.ursula ?? "", victim: "q" },
      repositories: hub.repositories,
    });
    expect(refusals.length).toBeGreaterThan(10);
    expect(refusals.filter(({ refused }) => !refused)).toEqual([]);
  });

  it("has no key of the cloud that deletes a version, changes the bucket or makes a key", async () => {
    const bucketId = await bucketOf(operator());
    const [victim] = await versions("q/");
    const keys = [
      ...keysOfRclone(hub.secretFiles.rclone),
      ...Object.values(envs).flatMap(keysOfEnv),
    ];
    expect(keys.length).toBeGreaterThan(4);
    for (const [applicationKeyId, applicationKey] of keys) {
      const client = new Client({
        applicationKeyId,
        applicationKey,
        endpoint: cluster.emulator.url,
      });
      const attempts: [string, object][] = [
        ["b2_delete_file_version", { fileName: victim?.fileName, fileId: victim?.fileId }],
        ["b2_update_bucket", { accountId: undefined, bucketId, lifecycleRules: [] }],
        ["b2_update_bucket", { accountId: undefined, bucketId, bucketType: "allPublic" }],
        ["b2_delete_bucket", { accountId: undefined, bucketId }],
        ["b2_create_key", { accountId: undefined, keyName: "mine", capabilities: ["deleteFiles"] }],
        ["b2_list_keys", { accountId: undefined }],
      ];
      for (const [operation, body] of attempts) {
        await expect(client.call(operation, body, { needs: [] })).rejects.toThrow(
          /unauthorized|401/,
        );
      }
      await client.close();
    }
  });

  it("is seen by the next verify, and what he hid is kept for keepHiddenDays and no longer", async () => {
    const [snapshot] = await versions("ursula/snapshots/");
    const name = snapshot?.fileName ?? "";
    await hub.run("verify", "cloud");
    const remote = `cloud:${bucketName()}/${name}`;
    await execa("rclone", ["deletefile", remote], { env: { RCLONE_CONFIG: hub.rcloneFile } });
    await expect(hub.run("verify", "cloud")).rejects.toThrow(/ursula.*snapshot/s);

    await advance(29);
    expect((await versions(name)).filter(({ action }) => action === "upload")).toHaveLength(1);
    await advance(3);
    expect((await versions(name)).filter(({ action }) => action === "upload")).toHaveLength(0);

    // The other copy is as it was.
    const ursula = cluster.hosts.find((host) => host.name === "ursula");
    if (ursula === undefined) throw new Error("There is no ursula");
    const env = parseEnv(envs.ursula ?? "");
    const access = { ...env, RESTIC_REST_PASSWORD: env.OFFSITE_PEER_PASSWORD ?? "" };
    const found = await restic(cluster.world, ursula, access, [
      ...["--repo", env.OFFSITE_PEER_REPOSITORY ?? "", "--no-lock"],
      ...["snapshots", "--json"],
    ]);
    expect(name).toContain((JSON.parse(found) as { id: string }[])[0]?.id ?? "none");
  });
});

function bucketName(): string {
  const target = hub.manifest.targets.cloud;
  if (target?.type !== "b2") throw new Error("The cloud is no B2");
  return target.bucket;
}

function operator(): Client {
  const { applicationKeyId, applicationKey, url: endpoint } = cluster.emulator;
  return new Client({ applicationKeyId, applicationKey, endpoint });
}

async function bucketOf(client: Client): Promise<string> {
  const body = { accountId: undefined, bucketName: bucketName() };
  const { buckets } = await client.call<{ buckets: { bucketId: string }[] }>(
    "b2_list_buckets",
    body,
    { needs: [] },
  );
  await client.close();
  return buckets[0]?.bucketId ?? "";
}

interface Version {
  readonly fileName: string;
  readonly fileId: string;
  readonly action: string;
}

/** What the account's own key lists, hidden versions and all. */
async function versions(prefix: string): Promise<Version[]> {
  const bucketId = await bucketOf(operator());
  const client = operator();
  const { files } = await client.call<{ files: Version[] }>(
    "b2_list_file_versions",
    { bucketId, prefix, maxFileCount: 1000 },
    { needs: [] },
  );
  await client.close();
  return files;
}

/** Lets days pass at the cloud. */
async function advance(days: number): Promise<void> {
  const answer = await fetch(`${cluster.emulator.url}/emulator/clock`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ advanceMilliseconds: days * DAY }),
  });
  expect(answer.status).toBe(200);
}

/** The ids and secrets of the keys in an rclone.conf. */
function keysOfRclone(text: string): [string, string][] {
  return [...text.matchAll(/^account = (.+)\nkey = (.+)$/gm)].map((match) => [
    match[1] ?? "",
    match[2] ?? "",
  ]);
}

/** The same of a host's file. */
function keysOfEnv(text: string): [string, string][] {
  const env = parseEnv(text);
  const id = env.RCLONE_CONFIG_CLOUD_ACCOUNT;
  return id === undefined ? [] : [[id, env.RCLONE_CONFIG_CLOUD_KEY ?? ""]];
}
