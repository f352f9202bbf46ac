/** Two buckets and two servers in one stack: each is a home of its own, and one of them leaves. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fingerprint, parseEnv, restic, restoreFrom, unseal } from "../../sandbox/hosts.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { freePort } from "../../sandbox/world.ts";
import { startCluster, type Cluster } from "./cluster.ts";

let cluster: Cluster;
let hub: Hub;
/** Where the second server has its data. */
let second: string;

const TARGETS = ["cloud", "archive", "peer", "sister"];

beforeAll(async () => {
  const sister = await freePort();
  cluster = await startCluster(["ursula", "q"], ({ world, peer, emulator }) => {
    second = join(world.directory, "sister");
    return {
      targets: {
        archive: { type: "b2", bucket: `fort-archive-${world.id}`, endpoint: emulator.url },
        sister: {
          type: "rest-server",
          ssh: { host: "127.0.0.1", port: peer.port, user: peer.user, hostKey: peer.hostKey },
          listen: `127.0.0.1:${sister}`,
          dataDir: second,
          maxSizeGiB: 1,
        },
      },
    };
  });
  const targets = cluster.settings["fort-offsite:targets"] ?? {};
  targets.sister = { ...targets.sister, image: targets.peer?.image };
  cluster.stack.configure(cluster.settings);
  await cluster.up();
  hub = await cluster.openHub();
  await hub.serve();
}, 300_000);
afterAll(async () => {
  expect(await cluster.end()).toEqual([]);
}, 60_000);

const q = () => {
  const host = cluster.hosts.find(({ name }) => name === "q");
  if (host === undefined) throw new Error("There is no q");
  return host;
};

/** The settings of all targets but `sister`. */
function others(): Record<string, unknown> {
  const targets = Object.entries(cluster.settings["fort-offsite:targets"] ?? {});
  return Object.fromEntries(targets.filter(([name]) => name !== "sister"));
}

async function environment(): Promise<Record<string, string>> {
  return parseEnv(await unseal(join(cluster.bundle, "hosts", "q.env.age"), q().identityFile));
}

it("copies to all of them, and each gives all of it back", async () => {
  const env = await environment();
  await restic(cluster.world, q(), env, ["init", "--quiet"]);
  await restic(cluster.world, q(), env, ["backup", "--quiet", "."], { cwd: q().data });
  await hub.run("mirror");
  await hub.run("verify");
  for (const target of TARGETS) {
    const restored = await restoreFrom(cluster.world, q(), env, target);
    expect(fingerprint(restored), target).toEqual(fingerprint(q().data));
  }
});

it("holds one back that leaves while it is protected, and touches nothing", async () => {
  cluster.stack.configure({ "fort-offsite:targets": others() });
  const { output, exitCode } = await cluster.stack.run(["up", "--yes", "--skip-preview"]);
  expect(exitCode).not.toBe(0);
  expect(output).toContain("targets.sister: is gone from the config, and protected");
  expect(output).toContain(`the repositories stay in ${second}/repositories`);
  cluster.stack.configure(cluster.settings);
  await cluster.stack.must(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
});

it("lets it go once it is unprotected, leaves its data, and the others go on", async () => {
  const rest = others();
  const sister = { ...cluster.settings["fort-offsite:targets"]?.sister, protect: false };
  const unprotected = { ...rest, sister };
  cluster.stack.configure({ "fort-offsite:targets": unprotected });
  await cluster.up();
  cluster.stack.configure({ "fort-offsite:targets": rest });
  const preview = await cluster.stack.must(["preview"]);
  expect(preview).toContain(
    "sister is no longer in the config: the server at 127.0.0.1 is stopped",
  );
  const before = fingerprint(join(second, "repositories"));
  expect(before.length).toBeGreaterThan(10);
  await cluster.up();
  expect(fingerprint(join(second, "repositories"))).toEqual(before);
  await cluster.stack.must(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
  expect(Object.keys(await environment()).filter((key) => key.includes("SISTER"))).toEqual([]);
  await hub.deploy();
  writeFileSync(join(q().data, "news"), "more\n");
  const env = await environment();
  await restic(cluster.world, q(), env, ["backup", "--quiet", "."], { cwd: q().data });
  await hub.run("mirror");
  await hub.run("verify");
});
