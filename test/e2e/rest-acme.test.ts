/** A rest-server behind a certificate that a real ACME server has issued, asked for by Caddy. */
import { createHash } from "node:crypto";
import { appendFileSync, chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { manifestSchema } from "../../config/manifest.ts";
import { fingerprint, parseEnv, restic, restoreFrom, unseal } from "../../sandbox/hosts.ts";
import { freePort, waitFor } from "../../sandbox/world.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { caddyImage, caddyPath, changePeer, shownBy } from "./tls-world.ts";

const HTTPS_PORT = 443;

let cluster: Cluster;
/** A loopback address of the world's own: an ACME server asks at port 80 and at no other. */
let address = "";
let domain = "";
let root = "";

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"]);
  const [a = 1, b = 1] = createHash("sha256").update(cluster.world.id).digest();
  address = `127.90.${a}.${(b % 254) + 1}`;
  domain = `backup-${cluster.world.id}.offsite.test`;
  nameInHosts(domain, address);
  const server = await startAcmeServer();
  root = server.root;
  changePeer(cluster, {
    listen: `${address}:${HTTPS_PORT}`,
    ...{ tls: "acme", domain, caddyImage: await caddyImage(cluster) },
    acme: { server: server.directory, root, email: "operator@example.org" },
  });
});

afterAll(async () => {
  expect(await cluster.end()).toEqual([]);
});

/** Lets this machine know the name, as everybody knows a public one, for as long as the world stands. */
function nameInHosts(name: string, at: string): void {
  const file = "/etc/hosts";
  const line = `${at} ${name}\n`;
  appendFileSync(file, `${readFileSync(file, "utf8").endsWith("\n") ? "" : "\n"}${line}`);
  cluster.world.cleanup.add("the name in /etc/hosts", () => {
    writeFileSync(file, readFileSync(file, "utf8").replace(line, ""));
  });
}

/** A second Caddy, which issues certificates to whoever holds a name. */
async function startAcmeServer(): Promise<{ directory: string; root: string }> {
  const { world } = cluster;
  const port = await freePort();
  const data = world.folder("acme");
  chmodSync(data, 0o700);
  const file = world.file(
    "acme/Caddyfile",
    `{
	admin off
	persist_config off
	skip_install_trust
	auto_https disable_redirects
	storage file_system ${data}
	default_bind 127.0.0.1
	default_sni 127.0.0.1
}
https://127.0.0.1:${port} {
	tls internal
	acme_server
}
`,
  );
  const args = ["run", "--config", file, "--adapter", "caddyfile"];
  const daemon = world.start("acme", await caddyPath(), args);
  await waitFor(
    "The ACME server's start",
    async () => (await shownBy("127.0.0.1", port).catch(() => undefined)) !== undefined,
    { failed: daemon.failure },
  );
  const pem = readFileSync(join(data, "pki/authorities/local/root.crt"), "utf8");
  return { directory: `https://127.0.0.1:${port}/acme/local/directory`, root: pem };
}

test("asks for a certificate when the server is put there, and serves backups with it", async () => {
  await cluster.up();
  const shown = await shownBy(address, HTTPS_PORT);
  expect(shown.subjectaltname).toBe(`DNS:${domain}`);
  const { targets } = manifestSchema.parse(
    JSON.parse(readFileSync(join(cluster.bundle, "offsite.json"), "utf8")),
  );
  expect(targets.peer).toMatchObject({ url: `https://${domain}/`, certificate: root });

  const hub = await cluster.openHub();
  await hub.serve();
  for (const host of cluster.hosts) {
    const file = join(cluster.bundle, `hosts/${host.name}.env.age`);
    const env = parseEnv(await unseal(file, host.identityFile));
    await restic(cluster.world, host, env, ["init", "--quiet"]);
    await restic(cluster.world, host, env, ["backup", "--quiet", "."], { cwd: host.data });
  }
  await hub.run("mirror");
  await hub.run("verify");
  await hub.run("drill", "q");
  for (const host of cluster.hosts) {
    const file = join(cluster.bundle, `hosts/${host.name}.env.age`);
    const env = parseEnv(await unseal(file, host.identityFile));
    const restored = await restoreFrom(cluster.world, host, env, "peer");
    expect(fingerprint(restored)).toEqual(fingerprint(host.data));
  }
  const { exitCode, all } = await cluster.offsite("verify", "peer");
  expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
});

test("sends whoever comes without TLS to where it is", async () => {
  const { stdout } = await execa("curl", [
    "-s",
    "-o",
    "/dev/null",
    "-w",
    "%{http_code} %{redirect_url}",
    `http://${domain}/q/config`,
  ]);
  expect(stdout).toBe(`308 https://${domain}/q/config`);
});

test("keeps its certificate through an update, and asks for no other", async () => {
  const before = await shownBy(address, HTTPS_PORT);
  changePeer(cluster, { maxSizeGiB: 2 });
  await cluster.up();
  expect((await shownBy(address, HTTPS_PORT)).serialNumber).toBe(before.serialNumber);
});

test("says that there is no certificate yet, and keeps the server, when the name does not lead there", async () => {
  const nowhere = `nowhere-${cluster.world.id}.offsite.test`;
  changePeer(cluster, { domain: nowhere });
  const { exitCode, output } = await cluster.stack.run(["up", "--yes", "--skip-preview"]);
  expect({ exitCode, output }).toMatchObject({ exitCode: 0 });
  expect(output).toContain(`THERE IS NO CERTIFICATE FOR ${nowhere} YET`);
});

test("names the image whose digest cannot be looked up, and how to pin it, before anything is changed", async () => {
  changePeer(cluster, { domain, image: "restic/rest-server:0.14.0" });
  const { exitCode, output } = await cluster.stack.run(["preview"]);
  expect(exitCode).not.toBe(0);
  expect(output).toContain("targets.peer.image: restic/rest-server:0.14.0 has no digest");
  expect(output).toContain("Pin it: give the image as restic/rest-server:0.14.0@sha256:");
});
