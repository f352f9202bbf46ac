/**
 * Rotations by the real program, with hosts that back up and a hub that mirrors without pause. The
 * soak (`npm run soak -- --rotations 100`) does the same with schedules of all kinds.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseEnv, unseal, type Host } from "../../sandbox/hosts.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { PROJECT } from "../../sandbox/world.ts";
import { soakRotations } from "../soak/rotation.ts";
import { startCluster, type Cluster } from "./cluster.ts";

const CLIENT = join(PROJECT, "hub", "nix", "client", "offsite-restic");

let cluster: Cluster;
let hub: Hub;

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"]);
  await cluster.up();
  hub = await cluster.openHub();
  await hub.serve();
  for (const host of cluster.hosts) {
    await deploy(host);
    expect((await restic(host, "init")).exitCode).toBe(0);
  }
});

afterAll(async () => {
  expect(await cluster.end()).toEqual([]);
});

function hostOf(name: string): Host {
  const host = cluster.hosts.find((each) => each.name === name);
  if (host === undefined) throw new Error(name);
  return host;
}

/** Opens the host's file of the bundle as it is now. */
async function deploy({ name, identityFile }: Host): Promise<Record<string, string>> {
  const content = await unseal(join(cluster.bundle, "hosts", `${name}.env.age`), identityFile);
  cluster.world.file(`${name}.env`, content);
  return parseEnv(content);
}

/** restic as a host runs it, through the script that chooses its credential. */
async function restic({ name, passwordFile }: Host, ...args: string[]) {
  const run = cluster.world.folder("run", name);
  return await execa("bash", [CLIENT, join(cluster.world.directory, `${name}.env`), ...args], {
    env: {
      RESTIC_PASSWORD_FILE: passwordFile,
      RESTIC_CACHE_DIR: cluster.world.folder("cache", name),
      RUNTIME_DIRECTORY: run,
      OFFSITE_PAUSE: "0.5",
    },
    stdin: "ignore",
    reject: false,
  });
}

async function backUp(host: Host) {
  writeFileSync(join(host.data, "changing"), randomBytes(1_500_000));
  return await restic(host, "backup", "--limit-upload", "1000", "--host", host.name, host.data);
}

/** Which of its credentials the hub accepted from a host last. */
function accepted({ name }: Host): string {
  return readFileSync(join(cluster.world.folder("run", name), "credential"), "utf8").trim();
}

/** Changes a host's or a target's settings, and runs the update. */
async function rotate(at: "hosts" | "targets", name: string, change: object): Promise<void> {
  Object.assign(cluster.settings[`fort-offsite:${at}`]?.[name] ?? {}, change);
  cluster.stack.configure(cluster.settings);
  await cluster.up();
}

describe("a rotation", () => {
  it("fails no backup and no mirror, whatever is rotated and whoever is deployed first", async () => {
    let busy = true;
    const failures: string[] = [];
    const counts = { backups: 0, mirrors: 0 };
    const loop = async (work: () => Promise<string | undefined>) => {
      while (busy) {
        const failure = await work().catch(String);
        if (failure !== undefined) failures.push(failure);
      }
    };
    const work = [
      ...cluster.hosts.map((host) =>
        loop(async () => {
          const { exitCode, stderr } = await backUp(host);
          counts.backups += 1;
          return exitCode === 0 ? undefined : `${host.name}: ${stderr}`;
        }),
      ),
      loop(async () => {
        await hub.run("mirror", "--limit-upload", "3000");
        counts.mirrors += 1;
        return undefined;
      }),
    ];
    // The hub at once, the host a backup later; then the hub late; then not before the next.
    await rotate("hosts", "q", { generation: 2 });
    await hub.deploy();
    await expect.poll(() => accepted(hostOf("q")), { timeout: 30_000 }).toBe("next");
    await deploy(hostOf("q"));
    await rotate("targets", "peer", { generation: 2 });
    const mirrored = counts.mirrors;
    await expect.poll(() => counts.mirrors, { timeout: 60_000 }).toBeGreaterThan(mirrored + 1);
    await hub.deploy();
    await rotate("targets", "cloud", { generation: 2 });
    busy = false;
    await Promise.all(work);
    await hub.deploy();
    expect(failures).toEqual([]);
    expect(counts.backups).toBeGreaterThan(4);
    await hub.run("mirror");
    await hub.run("verify");
    expect(hub.transcript).toContain("accepted the next credential");
    const { targets } = JSON.parse(await hub.run("status", "--json")) as {
      targets: Record<string, { hosts: Record<string, { credential: { generation: number } }> }>;
    };
    expect(targets.cloud?.hosts.q?.credential.generation).toBe(2);
    // A host's password at the peer turns over with the host and with the target.
    expect(targets.peer?.hosts.q?.credential.generation).toBe(3);
    expect(targets.peer?.hosts.ursula?.credential.generation).toBe(2);
  });

  it("warns a host that is not deployed, and names the way out when it was skipped twice", async () => {
    const q = hostOf("q");
    await rotate("hosts", "q", { generation: 3 });
    await hub.deploy();
    const warned = await backUp(q);
    expect(warned.exitCode, warned.stderr).toBe(0);
    expect(warned.stderr).toContain("this host still owes a deployment");
    expect(accepted(q)).toBe("next");
    await rotate("hosts", "q", { generation: 4 });
    await hub.deploy();
    const refused = await backUp(q);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("refuses every credential");
    expect(refused.stderr).toContain("two rotations without a deployment");
    expect(accepted(q)).toBe("refused");
    await deploy(q);
    expect((await backUp(q)).exitCode).toBe(0);
    expect(accepted(q)).toBe("current");
  });
});

describe("a revocation", () => {
  /** The status that a rest-server answers to a user's password. */
  async function answer(url: string, user: string, password: string): Promise<number> {
    const basic = Buffer.from(`${user}:${password}`).toString("base64");
    const headers = { authorization: `Basic ${basic}` };
    return (await fetch(`${url}config`, { headers })).status;
  }

  /** The status that B2 answers to a key. */
  async function authorize(id: string, key: string): Promise<number> {
    const basic = Buffer.from(`${id}:${key}`).toString("base64");
    const url = `${cluster.emulator.url}/b2api/v3/b2_authorize_account`;
    return (await fetch(url, { headers: { authorization: `Basic ${basic}` } })).status;
  }

  /** What each place answers to all that a host's file holds. */
  async function tryAll(env: Record<string, string>): Promise<Record<string, number>> {
    const url = (name: string) => (env[name] ?? "").replace(/^rest:/, "");
    const atHub = ["RESTIC_REST_PASSWORD", "OFFSITE_HUB_PASSWORD_NEXT"];
    const atPeer = ["OFFSITE_PEER_PASSWORD", "OFFSITE_PEER_PASSWORD_NEXT"];
    const of = (names: string[]) =>
      [...names, `${names[1]?.replace("NEXT", "PREVIOUS")}`].filter((name) => env[name]);
    const answers: Record<string, number> = {};
    for (const name of of(atHub)) {
      answers[name] = await answer(url("RESTIC_REPOSITORY"), "q", env[name] ?? "");
    }
    for (const name of of(atPeer)) {
      answers[name] = await answer(url("OFFSITE_PEER_REPOSITORY"), "q", env[name] ?? "");
    }
    const { RCLONE_CONFIG_CLOUD_ACCOUNT: id, RCLONE_CONFIG_CLOUD_KEY: key } = env;
    answers.cloud = await authorize(id ?? "", key ?? "");
    return answers;
  }

  it("has all that a thief may hold refused everywhere once the hub is deployed", async () => {
    const q = hostOf("q");
    const stolen = await deploy(q);
    const before = await tryAll(stolen);
    expect(before).toMatchObject({ RESTIC_REST_PASSWORD: 200, cloud: 200 });
    await rotate("hosts", "q", { revoked: 5, generation: 6 });
    await hub.deploy();
    const after = await tryAll(stolen);
    expect(Object.keys(after)).toHaveLength(7);
    expect(after).toEqual(Object.fromEntries(Object.keys(after).map((name) => [name, 401])));
    const fresh = await deploy(q);
    expect(fresh.OFFSITE_HUB_PASSWORD_PREVIOUS).toBe("");
    const { exitCode, stderr } = await backUp(q);
    expect(exitCode, stderr).toBe(0);
    await hub.run("mirror");
    expect(await tryAll(fresh)).toMatchObject({
      ...{ RESTIC_REST_PASSWORD: 200, OFFSITE_PEER_PASSWORD: 200, cloud: 200 },
    });
  });
});

it("outlasts a schedule of rotations of all kinds", async () => {
  const lines: string[] = [];
  const options = { rotations: 3, seed: 1, log: (line: string) => lines.push(line) };
  const { problems, ...counts } = await soakRotations(options);
  expect(problems, lines.join("\n")).toEqual([]);
  expect(counts.rotations).toBe(3);
});
