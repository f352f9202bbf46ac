/**
 * A rest-server inside a WireGuard tunnel of its own: the hub's end is brought up by the real
 * wg-quick from the bundle's file, the peer's end is what `pulumi up` put there. Both ends are
 * wireguard-go: this machine's kernel may have no WireGuard.
 */
import { networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import { createServer } from "node:http";
import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unseal } from "../../sandbox/hosts.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { freePort } from "../../sandbox/world.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { backUp, envOf, hostOf, restores } from "./family.ts";
import { answers, asRoot, pathsOf, serverImage, tunnelImage } from "./tunnel-world.ts";

let cluster: Cluster;
let hub: Hub;
let tools: Record<"wg" | "wg-quick" | "wireguard-go", string>;
let port: number;
/** Of this test alone: other tunnels may stand on this machine. */
let network: { readonly peer: string; readonly cidr: string };
let hubEnd: string;

beforeAll(async () => {
  tools = await pathsOf("wg", "wg-quick", "wireguard-go");
  port = await freePort();
  const third = 1 + (port % 250);
  network = { peer: `10.99.${third}.1`, cidr: `10.99.${third}.0/29` };
  cluster = await startCluster(["ursula", "q"], async (machines) => {
    const { world, peer } = machines;
    const image = await tunnelImage(machines, "wireguard", {
      "usr/bin/wg": tools.wg,
      "usr/bin/wireguard-go": tools["wireguard-go"],
    });
    const ssh = { host: "127.0.0.1", port: peer.port, user: peer.user, hostKey: peer.hostKey };
    return {
      without: ["cloud", "peer"],
      targets: {
        peer: {
          type: "rest-server",
          ssh,
          tunnel: {
            type: "wireguard",
            endpoint: `127.0.0.1:${port}`,
            network: network.cidr,
            userspace: true,
            image,
          },
          dataDir: join(world.directory, "peer"),
          maxSizeGiB: 1,
          image: await serverImage(machines),
          protect: false,
        },
      },
    };
  });
  // A name of an interface has at most 15 characters, and wg-quick takes the file's.
  hubEnd = `wg${cluster.world.id}`;
  cluster.world.cleanup.add("the hub's end of the tunnel", () => down());
  await cluster.up();
  hub = await cluster.openHub();
  await hub.serve();
  for (const { name } of cluster.hosts) await backUp(cluster, name, true);
  await deployTunnel();
});

afterAll(async () => {
  expect(await cluster.end()).toEqual([]);
});

const quick = (word: "up" | "down") =>
  asRoot(tools["wg-quick"], [word, join(cluster.world.directory, "wireguard", `${hubEnd}.conf`)], {
    PATH: `${dirname(tools.wg)}:${process.env.PATH ?? ""}`,
    WG_QUICK_USERSPACE_IMPLEMENTATION: tools["wireguard-go"],
  });

async function down(): Promise<void> {
  const { exitCode, all } = await quick("down");
  if (exitCode !== 0 && !/is not a WireGuard interface|does not exist/.test(all))
    throw new Error(all);
}

/** Opens the hub's file of the bundle as it is now, and brings the tunnel up with it. */
async function deployTunnel(): Promise<void> {
  const { world, bundle } = cluster;
  const { identityFile } = hostOf(cluster, "ursula");
  await down();
  world.folder("wireguard");
  const conf = await unseal(join(bundle, "wireguard", "peer.conf.age"), identityFile);
  await rm(join(world.directory, "wireguard", `${hubEnd}.conf`), { force: true });
  world.file(`wireguard/${hubEnd}.conf`, conf);
  const { exitCode, all } = await quick("up");
  expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
}

/** Whether somebody in the peer's end of the tunnel reaches a port of the hub's. */
async function peerReaches(address: string, at: number): Promise<boolean> {
  const command = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 4 nc ${address} ${at} | grep -q 200`;
  const id = await cluster.docker("ps", "-q", "--filter", `name=${cluster.project}-tunnel-1`);
  const { exitCode } = await asRoot("docker", [
    ...["--host", cluster.engine.host, "exec", id, "/bin/sh", "-c", command],
  ]);
  return exitCode === 0;
}

describe("a server in a WireGuard tunnel of its own", () => {
  it("is reached by the hub through the tunnel, and on no address of the peer's", async () => {
    expect(await answers(network.peer)).toBe(true);
    const own = Object.values(networkInterfaces())
      .flat()
      .flatMap((each) => (each === undefined || each.scopeid ? [] : [each.address]));
    const id = await cluster.docker("ps", "-q", "--filter", `name=${cluster.project}-network-1`);
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
    const container = (await cluster.docker("inspect", "--format", format, id)).trim();
    const all = [...own, container].filter((address) => address !== network.peer);
    const open = await Promise.all(all.map(async (address) => [address, await answers(address)]));
    expect(open.filter(([, isOpen]) => isOpen)).toEqual([]);
    expect(all).toContain("127.0.0.1");
  });

  it("takes a mirror, stands every check, and gives the host its files back", async () => {
    await hub.run("mirror");
    await hub.run("verify");
    const verified = await cluster.offsite("verify", "peer");
    expect(verified).toMatchObject({ exitCode: 0 });
    for (const how of ["--yes", "--close"]) {
      const { exitCode, all } = await cluster.offsite("prune", "peer", how);
      expect(exitCode, all).toBe(0);
    }
    const env = await envOf(cluster, "q");
    const access = {
      RESTIC_REST_USERNAME: "q",
      RESTIC_REST_PASSWORD: env.OFFSITE_PEER_PASSWORD ?? "",
    };
    expect(await restores(cluster, "q", env.OFFSITE_PEER_REPOSITORY ?? "", access)).toBe(true);
  });

  it("lets the peer reach nothing of the hub's, whatever it knows", async () => {
    const server = createServer((_, response) => response.end("the hub's own"));
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    const { port: at } = server.address() as { port: number };
    const { all } = await asRoot("ip", ["-4", "-o", "address", "show", "dev", hubEnd]);
    const own = /inet ([0-9.]+)/.exec(all)?.[1] ?? "";
    try {
      expect(await answers(own, at)).toBe(true);
      expect(await peerReaches(own, at)).toBe(false);
      // The same without the rules, so that it is they that were tried.
      const rule = ["INPUT", "-i", hubEnd, "-m", "conntrack", "!", "--ctstate"];
      const tail = ["ESTABLISHED,RELATED", "-j", "DROP"];
      await asRoot("iptables", ["-w", "-D", ...rule, ...tail]);
      expect(await peerReaches(own, at)).toBe(true);
      await asRoot("iptables", ["-w", "-I", ...rule, ...tail]);
      expect(await peerReaches(own, at)).toBe(false);
    } finally {
      server.close();
    }
  });

  it("shows its keys to nobody: not in the state, not to Docker, not to other users", async () => {
    const ids = (await cluster.docker("ps", "-q")).split("\n");
    const inspected = await cluster.docker("inspect", ...ids);
    const { all: found } = await asRoot("find", [
      join(cluster.world.directory, "peer", "server", "tunnel"),
      ...["-name", "wg.conf", "-printf", "%m %u %p\n"],
    ]);
    const [, mode, file = ""] = /^(\d+ \w+) (\S+)$/m.exec(found) ?? [];
    expect(mode).toBe("400 root");
    const { all: conf } = await asRoot("cat", [file]);
    const keys = [...conf.matchAll(/^(?:PrivateKey|PresharedKey) = (\S+)$/gm)].map(
      ([, key]) => key,
    );
    expect(keys).toHaveLength(3);
    for (const key of keys) {
      expect(inspected).not.toContain(key);
      expect(cluster.stack.transcript).not.toContain(key);
    }
  });

  it("starts again by itself when its tunnel is killed, and the hub does not notice", async () => {
    const id = await cluster.docker("ps", "-q", "--filter", `name=${cluster.project}-tunnel-1`);
    const before = await cluster.docker("inspect", "--format", "{{.State.StartedAt}}", id);
    await cluster.docker("exec", id, "/bin/sh", "-c", "kill -TERM 1");
    await expect
      .poll(() => cluster.docker("inspect", "--format", "{{.State.StartedAt}}", id), {
        timeout: 30_000,
      })
      .not.toBe(before);
    await expect.poll(() => answers(network.peer), { timeout: 30_000 }).toBe(true);
  });

  it("is seen by a preview to have lost its tunnel, and brought back by an update", async () => {
    await cluster.docker("restart", "--time", "1", `${cluster.project}-network-1`);
    expect(await answers(network.peer)).toBe(false);
    const { output } = await cluster.stack.run(["preview"]);
    const warnings = [...output.matchAll(/warning: (.*)/g)].map(([, text]) => text);
    // And nothing else: what is as it was put there is no drift.
    expect([...new Set(warnings)]).toEqual([
      expect.stringContaining("peer: the server and its tunnel are not in one network"),
    ]);
    await cluster.up();
    expect(await answers(network.peer)).toBe(true);
  });

  it("serves hubs that are not deployed yet after a rotation, and those that are", async () => {
    const target = cluster.settings["fort-offsite:targets"]?.peer ?? {};
    target.generation = 2;
    cluster.stack.configure(cluster.settings);
    await cluster.up();
    await backUp(cluster, "q");
    await hub.run("mirror");
    const { all: before } = await asRoot("ip", ["-4", "-o", "address", "show", "dev", hubEnd]);
    await deployTunnel();
    await hub.deploy();
    await backUp(cluster, "q");
    await hub.run("mirror");
    const { all: after } = await asRoot("ip", ["-4", "-o", "address", "show", "dev", hubEnd]);
    expect(/inet \S+/.exec(after)?.[0]).not.toBe(/inet \S+/.exec(before)?.[0]);
  });

  it("is closed at once to what a thief may hold, when it is revoked", async () => {
    const target = cluster.settings["fort-offsite:targets"]?.peer ?? {};
    Object.assign(target, { generation: 4, revoked: 3 });
    cluster.stack.configure(cluster.settings);
    await cluster.up();
    expect(await answers(network.peer)).toBe(false);
    await deployTunnel();
    await hub.deploy();
    await hub.run("mirror");
  });

  it("leaves no key at the peer when the tunnel is taken away", async () => {
    const target = cluster.settings["fort-offsite:targets"]?.peer ?? {};
    delete target.tunnel;
    target.listen = `127.0.0.1:${await freePort()}`;
    cluster.stack.configure(cluster.settings);
    await cluster.up();
    const { all } = await asRoot("ls", [join(cluster.world.directory, "peer", "server")]);
    expect(all.split("\n")).not.toContain("tunnel");
    const containers = await cluster.docker("ps", "--all", "--format", "{{.Names}}");
    expect(containers.split("\n").filter((each) => each.startsWith(cluster.project))).toEqual([
      `${cluster.project}-rest-server-1`,
    ]);
  });
});
