/** A stack with an SFTP target, from `pulumi up` to a restore, against a thief and through a rotation. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Hub } from "../../sandbox/hub.ts";
import { fingerprint, parseEnv, restic, unseal, type Host } from "../../sandbox/hosts.ts";
import { sftpTarget } from "../../sandbox/sftp.ts";
import { startCluster, type Cluster } from "./cluster.ts";

let cluster: Cluster;
let hub: Hub;
let stopHub: (() => Promise<void>) | undefined;

let q: Host;
let dataDir: string;

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"], async ({ world, peer, programs }) => {
    const busybox = programs.path("busybox");
    const nas = sftpTarget(world, peer, { stack: `test-${world.id}`, name: "nas", busybox });
    dataDir = String(nas.dataDir);
    return await Promise.resolve({
      targets: { nas: { ...nas, protect: false } },
      without: ["peer"],
    });
  });
  const found = cluster.hosts.find(({ name }) => name === "q");
  if (found === undefined) throw new Error("There is no q");
  q = found;
}, 300_000);

afterAll(async () => {
  await stopHub?.();
  expect(await cluster.end()).toEqual([]);
}, 60_000);

const generationOf = (generation: number) => {
  const targets = cluster.settings["fort-offsite:targets"];
  if (targets?.nas !== undefined) targets.nas.generation = generation;
  cluster.stack.configure(cluster.settings);
};

async function envOf(host: Host): Promise<Record<string, string>> {
  return parseEnv(
    await unseal(join(cluster.bundle, "hosts", `${host.name}.env.age`), host.identityFile),
  );
}

/** What the peer's cron does every few minutes. */
async function seal(): Promise<void> {
  await execa("sh", [join(dataDir, "sftp", "seal.sh"), "wait"]);
}

/** The files of the repositories, by whose they are. */
function files(owner: "root" | "hub"): string[] {
  return readdirSync(join(dataDir, "repositories"), { recursive: true, encoding: "utf8" })
    .filter((path) => !path.startsWith("_hosts/"))
    .filter((path) => {
      const stat = statSync(join(dataDir, "repositories", path));
      return stat.isFile() && (owner === "root") === (stat.uid === 0);
    });
}

/** Every file there, with mode, time and content. */
function stored(): string[] {
  return fingerprint(join(dataDir, "repositories")).filter((line) => !line.endsWith(" directory"));
}

/** rclone with the hub's own files, as a thief has them. */
async function rclone(...args: readonly string[]) {
  return await execa(
    "rclone",
    ["--config", hub.rcloneFile, "--retries", "1", "--low-level-retries", "1", ...args],
    {
      all: true,
      reject: false,
    },
  );
}

async function restore(env: Record<string, string>, name: string): Promise<string> {
  const destination = cluster.world.folder("restored", name);
  // As docs/targets/sftp.md has it: the two files, then restic as with any other target.
  const decode = (text: string) => Buffer.from(text, "base64").toString("utf8");
  const key = cluster.world.file(`${name}.key`, decode(env.OFFSITE_NAS_KEY ?? ""));
  const known = cluster.world.file(`${name}.known`, decode(env.OFFSITE_NAS_KNOWN_HOSTS ?? ""));
  await restic(
    cluster.world,
    q,
    { ...env, RCLONE_CONFIG_NAS_KEY_FILE: key, RCLONE_CONFIG_NAS_KNOWN_HOSTS_FILE: known },
    [
      ...["--repo", env.OFFSITE_NAS_REPOSITORY ?? "", "--no-lock"],
      "restore",
      "latest",
      "--target",
      destination,
    ],
  );
  return destination;
}

describe("an SFTP target", () => {
  it("is put on the peer, says what it cannot promise, and takes what the hub mirrors", async () => {
    expect(await cluster.up()).toContain("SFTP knows no append-only");
    hub = await cluster.openHub();
    stopHub = () => hub.stop();
    await hub.serve();
    for (const host of cluster.hosts) {
      const env = await envOf(host);
      await restic(cluster.world, host, env, ["init", "--quiet"]);
      await restic(cluster.world, host, env, ["backup", "--quiet", "."], { cwd: host.data });
    }
    await hub.run("mirror", "nas", "--json");
    expect(files("hub").length).toBeGreaterThan(6);
    await hub.run("verify", "nas", "--deep", "--json");
    await hub.run("drill", "q", "--from", "nas", "--json");
  });

  it("seals what has arrived, so that a thief with the hub's key can destroy none of it", async () => {
    await seal();
    expect(files("hub")).toEqual([]);
    const before = stored();
    const [pack = ""] = files("root").filter((path) => path.startsWith("q/repository/data/"));
    const place = `nas:/_hosts/q/${pack.slice("q/repository/".length)}`;
    const loot = cluster.world.file("loot", "x".repeat(100));
    for (const args of [
      ["deletefile", place],
      ["copyto", "--ignore-times", loot, place],
      ["copyto", "--ignore-times", "--inplace", loot, place],
      ["moveto", place, `${place}.gone`],
      ["purge", "nas:/_hosts/q"],
      ["purge", "nas:/_hosts/q/data"],
    ]) {
      expect((await rclone(...args)).exitCode, args.join(" ")).not.toBe(0);
    }
    expect(stored()).toEqual(before);
    // The mirror goes on beside what is sealed.
    await restic(
      cluster.world,
      q,
      await envOf(q),
      ["backup", "--quiet", "--force", "--tag", "again", "."],
      { cwd: q.data },
    );
    await hub.run("mirror", "nas", "--json");
    expect(files("hub").length).toBeGreaterThan(0);
    await seal();
    await hub.run("verify", "nas", "--deep", "--json");
  });

  it("sets aside what is not what its name says, and the hub sends it again", async () => {
    const name =
      files("root")
        .find((path) => path.startsWith("q/repository/data/"))
        ?.split("/")
        .at(-1) ?? "";
    const forged = `${name.slice(0, 62)}${name.endsWith("00") ? "11" : "00"}`;
    const loot = cluster.world.file("forged", "no pack of restic's");
    const folder = `data/${forged.slice(0, 2)}`;
    expect((await rclone("copyto", loot, `nas:/_hosts/q/${folder}/${forged}`)).exitCode).toBe(0);
    await seal();
    expect(statSync(join(dataDir, "repositories/q/repository", folder, forged)).uid).not.toBe(0);
    expect(readFileSync(join(dataDir, "sftp/sealed"), "utf8")).toMatch(/^\d+ 1 0$/m);
    await rclone("deletefile", `nas:/_hosts/q/${folder}/${forged}`);
    await seal();
  });

  it("gives each host its own repository to read, and nothing else", async () => {
    const env = await envOf(q);
    const restored = await restore(env, "first");
    expect(fingerprint(restored)).toEqual(fingerprint(q.data));
    const { all, exitCode, stdout } = await cluster.offsite("verify", "nas", "--json");
    expect(exitCode, all).toBe(0);
    const report = JSON.parse(stdout) as {
      targets: { nas: { checks: { name: string; state: string; notices: string[] }[] } };
    };
    const checks = new Map(report.targets.nas.checks.map((check) => [check.name, check]));
    expect([...checks.values()].map(({ name, state }) => `${name}: ${state}`)).toEqual(
      ["login", "directory", "hub's key", "hosts' keys", "sealed", "space", "snapshots"].map(
        (name) => `${name}: ok`,
      ),
    );
    expect(checks.get("sealed")?.notices.join()).toContain("SFTP knows no append-only");
  });

  it("is tried by the agent's own canary once that is old enough", async () => {
    const folder = join(dataDir, "repositories/offsite-canary/repository/data");
    const [canary = ""] = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
      (path) => statSync(join(folder, path)).isFile(),
    );
    const old = new Date(Date.now() - 3_600_000);
    for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (statSync(join(folder, path)).isFile()) utimesSync(join(folder, path), old, old);
    }
    expect(canary).not.toBe("");
    await hub.run("verify", "nas", "--json");
  });

  it("turns the keys over in one update, whether the hub is deployed before or after", async () => {
    generationOf(2);
    await cluster.up();
    // The hub holds the key of the new generation as next, until it is deployed.
    expect(await hub.run("mirror", "nas", "--json")).toContain('"next"');
    await hub.run("drill", "q", "--from", "nas", "--json");
    expect((await rclone("lsf", "nas:/_hosts")).exitCode).not.toBe(0);
    await hub.deploy();
    await hub.run("mirror", "nas", "--json");
    // The hub's key turns with the target's generation, and a host's with its own.
    expect(fingerprint(await restore(await envOf(q), "rotated"))).toEqual(fingerprint(q.data));
    const { all, exitCode } = await cluster.offsite("verify", "nas");
    expect(exitCode, all).toBe(0);
  });

  it("loses what the hub no longer has when the operator says so, and nothing else", async () => {
    const snapshots = () => files("root").filter((path) => path.startsWith("q/repository/snap"));
    expect(snapshots()).toHaveLength(2);
    const folder = join(hub.repositories, "q", "snapshots");
    const [oldest = ""] = readdirSync(folder).sort(
      (a, b) => statSync(join(folder, a)).mtimeMs - statSync(join(folder, b)).mtimeMs,
    );
    rmSync(join(folder, oldest));
    const how = ["prune", "nas", "q", "--allow-shrinkage", "q"] as const;
    const look = await cluster.offsite(...how, "--dry-run");
    expect(look.exitCode, look.all).toBe(0);
    expect(snapshots()).toHaveLength(2);
    const { all, exitCode } = await cluster.offsite(...how, "--yes");
    expect(exitCode, all).toBe(0);
    expect(snapshots(), all).toHaveLength(1);
    expect(snapshots().join()).not.toContain(oldest);
    expect(fingerprint(await restore(await envOf(q), "pruned"))).toEqual(fingerprint(q.data));
  });

  it("lets nobody in and keeps the data when it leaves the config", async () => {
    await seal();
    const before = stored();
    const targets = cluster.settings["fort-offsite:targets"] ?? {};
    delete targets.nas;
    cluster.stack.configure(cluster.settings);
    expect(await cluster.up()).toContain("repositories stay");
    expect((await rclone("lsf", "nas:/_hosts")).exitCode).not.toBe(0);
    expect(stored()).toEqual(before);
    expect(existsSync(join(dataDir, "sftp"))).toBe(false);
    expect(readdirSync(cluster.peer.dropins)).toEqual([]);
    const { stdout } = await execa("getent", ["passwd"]);
    expect(stdout).not.toContain(`fort-offsite-test-${cluster.world.id}-nas-sftp`);
  });
});
