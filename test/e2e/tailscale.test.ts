/**
 * A rest-server inside a tailnet of its own: real tailscaled at both ends, and a real Headscale with
 * TLS. The peer's has no network interface and no rights, the hub's has one as on a real hub.
 */
import { createServer } from "node:http";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Hub } from "../../sandbox/hub.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { backUp, envOf, restores } from "./family.ts";
import { Tailnet } from "./tailnet.ts";
import { answers, asRoot, pathsOf, serverImage, tunnelImage } from "./tunnel-world.ts";

let cluster: Cluster;
let hub: Hub;
let tailnet: Tailnet;
let authKey: string;

const SERVER_PORT = 8000;
const owners = { tagOwners: { "tag:offsite": ["fort@"], "tag:backup-hub": ["fort@"] } };
const toServer = {
  action: "accept",
  src: ["tag:backup-hub"],
  proto: "tcp",
  dst: [`tag:offsite:${SERVER_PORT}`],
};

beforeAll(async () => {
  const tools = await pathsOf("tailscale", "tailscaled", "headscale");
  cluster = await startCluster(["ursula", "q"], async (machines) => {
    const { world, peer } = machines;
    tailnet = await Tailnet.start(world, tools);
    await tailnet.allow({ ...owners, acls: [toServer] });
    await tailnet.joinAsHub();
    authKey = await tailnet.key("tag:offsite");
    const image = await tunnelImage(machines, "tailscale", {
      "usr/bin/tailscale": tools.tailscale,
      "usr/bin/tailscaled": tools.tailscaled,
      "etc/ssl/certs/ca-certificates.crt": tailnet.authorityFile,
    });
    return {
      without: ["cloud", "peer"],
      targets: {
        peer: {
          type: "rest-server",
          ssh: { host: "127.0.0.1", port: peer.port, user: peer.user, hostKey: peer.hostKey },
          tunnel: { type: "tailscale", loginServer: tailnet.url, image },
          // The hub's own is the first address, the peer's the second.
          url: `http://${tailnet.prefix}.2:${SERVER_PORT}`,
          dataDir: join(world.directory, "peer"),
          maxSizeGiB: 1,
          image: await serverImage(machines),
        },
      },
      secrets: {
        "fort-offsite:targetSecrets": JSON.stringify({ peer: { tailscaleAuthKey: authKey } }),
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

async function idOf(service: string): Promise<string> {
  return await cluster.docker("ps", "-q", "--filter", `name=${cluster.project}-${service}-1`);
}

/** Whether somebody at the peer's end reaches a port of the hub's, with all that its node may do. */
async function peerReaches(port: number): Promise<boolean> {
  const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 8 tailscale --socket=/run/tailscale/tailscaled.sock nc ${tailnet.prefix}.1 ${port} | grep -q 200`;
  const { exitCode } = await asRoot("docker", [
    ...["--host", cluster.engine.host, "exec", await idOf("tunnel"), "/bin/sh", "-c", ask],
  ]);
  return exitCode === 0;
}

describe("a server in a tailnet", () => {
  it("is reached by the hub over the tailnet, and on no address of the peer's", async () => {
    expect(await answers(`${tailnet.prefix}.2`)).toBe(true);
    const own = Object.values(networkInterfaces())
      .flat()
      .flatMap((each) => (each === undefined || each.scopeid ? [] : [each.address]));
    const open = await Promise.all(own.map(async (each) => [each, await answers(each)]));
    expect(open.filter(([, isOpen]) => isOpen)).toEqual([]);
    expect(own).toContain("127.0.0.1");
  });

  it("takes a mirror, stands every check, and gives the host its files back", async () => {
    await hub.run("mirror");
    await hub.run("verify");
    expect(await cluster.offsite("verify", "peer")).toMatchObject({ exitCode: 0 });
    const env = await envOf(cluster, "q");
    const access = {
      RESTIC_REST_USERNAME: "q",
      RESTIC_REST_PASSWORD: env.OFFSITE_PEER_PASSWORD ?? "",
    };
    expect(await restores(cluster, "q", env.OFFSITE_PEER_REPOSITORY ?? "", access)).toBe(true);
  });

  it("lets the peer reach nothing of the hub's under the rules of the bundle", async () => {
    const rules = JSON.parse(
      readFileSync(join(cluster.bundle, "tailscale", "peer.json"), "utf8"),
    ) as { acls: object[] };
    // Headscale knows its users by other names than Tailscale.
    await tailnet.allow({ ...rules, ...owners });
    const server = createServer((_, response) => response.end("the hub's own"));
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    const { port } = server.address() as { port: number };
    try {
      expect(await peerReaches(port)).toBe(false);
      // With rules that let it: so that it is they that were tried.
      const all = { action: "accept", src: ["*"], dst: ["*:*"] };
      await tailnet.allow({ ...owners, acls: [all] });
      await expect.poll(() => peerReaches(port), { timeout: 30_000 }).toBe(true);
      await tailnet.allow({ ...rules, ...owners });
      await expect.poll(() => peerReaches(port), { timeout: 30_000 }).toBe(false);
    } finally {
      server.close();
    }
  });

  it("has no right over any network, and shows its auth key to nobody", async () => {
    const format =
      "{{.HostConfig.CapAdd}} {{.HostConfig.Devices}} {{.HostConfig.Privileged}} {{.Config.User}}";
    const tunnel = await idOf("tunnel");
    expect(await cluster.docker("inspect", "--format", format, tunnel)).toBe(
      "[] [] false 65530:65530",
    );
    const ids = (await cluster.docker("ps", "-q")).split("\n");
    expect(await cluster.docker("inspect", ...ids)).not.toContain(authKey);
    expect(cluster.stack.transcript).not.toContain(authKey);
    const key = join(cluster.world.directory, "peer", "server", "tunnel", "key", "authkey");
    const { all } = await asRoot("stat", ["--format", "%a %u", key]);
    expect(all).toBe("400 65530");
  });

  it("goes on under another auth key, and keeps who it is when it is started again", async () => {
    const tunnel = await idOf("tunnel");
    const started = () => cluster.docker("inspect", "--format", "{{.State.StartedAt}}", tunnel);
    const before = await started();
    const [node] = await others();
    authKey = await tailnet.key("tag:offsite");
    await cluster.stack.must(
      ["config", "set", "--secret", "fort-offsite:targetSecrets"],
      JSON.stringify({ peer: { tailscaleAuthKey: authKey } }),
    );
    await cluster.up();
    expect(await started()).toBe(before);
    await cluster.docker("restart", "--time", "5", tunnel);
    await expect.poll(() => answers(`${tailnet.prefix}.2`), { timeout: 60_000 }).toBe(true);
    expect((await others()).map(({ id }) => id)).toEqual([node?.id]);
  });

  it("logs in again with its auth key when the tailnet has forgotten it", async () => {
    const [node] = await others();
    await tailnet.forget(node?.id ?? 0);
    await cluster.docker("restart", "--time", "5", await idOf("tunnel"));
    await expect.poll(others, { timeout: 60_000 }).toMatchObject([{ given_name: "offsite-peer" }]);
    const [again] = await others();
    await expect.poll(() => answers(again?.ip_addresses[0] ?? ""), { timeout: 60_000 }).toBe(true);
  });

  it("is logged out when its auth key would give it the rights of a user", async () => {
    const [node] = await others();
    const key = await tailnet.key();
    const file = join(cluster.world.directory, "peer", "server", "tunnel", "key", "authkey");
    await asRoot("sh", ["-c", 'printf %s "$KEY" >"$1"', "sh", file], { KEY: key });
    await tailnet.forget(node?.id ?? 0);
    const tunnel = await idOf("tunnel");
    await cluster.docker("restart", "--time", "5", tunnel);
    await expect
      .poll(() => cluster.docker("logs", "--tail", "400", tunnel), { timeout: 60_000 })
      .toContain("The auth key does not make the node tag:offsite");
    await expect.poll(others, { timeout: 30_000 }).toEqual([]);
  });
});

/** The nodes beside the hub. */
async function others() {
  return (await tailnet.nodes()).filter(({ given_name }) => given_name !== "ursula");
}
