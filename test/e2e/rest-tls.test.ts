/** A rest-server behind TLS with an authority that the peer has made and the bundle pins. */
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { manifestSchema } from "../../config/manifest.ts";
import { verifyReportSchema } from "../../cli/verify/report.ts";
import {
  fingerprint,
  parseEnv,
  restic,
  restoreFrom,
  unseal,
  type Host,
} from "../../sandbox/hosts.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { waitFor } from "../../sandbox/world.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { caddyImage, changePeer, shownBy } from "./tls-world.ts";

let cluster: Cluster;
let hub: Hub;
let q: Host;
let port = 0;
/** Of the peer's server on this machine. */
let server = "";

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"]);
  changePeer(cluster, { tls: "self-signed", caddyImage: await caddyImage(cluster) });
  const { listen, dataDir } = cluster.settings["fort-offsite:targets"]?.peer ?? {};
  port = Number(String(listen).split(":").at(-1));
  server = join(String(dataDir), "server");
  await cluster.up();
  hub = await cluster.openHub();
  await hub.serve();
  const host = cluster.hosts.find(({ name }) => name === "q");
  if (host === undefined) throw new Error("There is no q");
  q = host;
});

afterAll(async () => {
  expect(await cluster.end()).toEqual([]);
});

const manifest = () =>
  manifestSchema.parse(JSON.parse(readFileSync(join(cluster.bundle, "offsite.json"), "utf8")));

function pinned(): string {
  const { peer } = manifest().targets;
  return (peer?.type === "rest-server" ? peer.certificate : undefined) ?? "";
}

async function envOf(host: Host): Promise<Record<string, string>> {
  return parseEnv(
    await unseal(join(cluster.bundle, `hosts/${host.name}.env.age`), host.identityFile),
  );
}

/** Whether `offsite verify` finds all well, and what it says is not. */
async function verify(): Promise<{ exitCode: number | undefined; errors: string }> {
  const { exitCode, stdout } = await cluster.offsite("verify", "peer", "--json");
  const { targets } = verifyReportSchema.parse(JSON.parse(stdout));
  const errors = (targets.peer?.checks ?? []).flatMap(({ name, errors: lines }) =>
    lines.map((line) => `${name}: ${line}`),
  );
  return { exitCode, errors: errors.join("\n") };
}

/** Why something failed. */
async function failure(action: Promise<unknown>): Promise<string> {
  return await action.then(
    () => "it did not fail",
    (error: unknown) => String(error),
  );
}

test("serves backup, mirror, verify, drill and restore over TLS with the pinned authority", async () => {
  expect(manifest().targets.peer).toMatchObject({ url: `https://127.0.0.1:${port}/` });
  expect(pinned()).toContain("BEGIN CERTIFICATE");
  expect(pinned()).not.toContain("KEY");
  for (const host of cluster.hosts) {
    const env = await envOf(host);
    await restic(cluster.world, host, env, ["init", "--quiet"]);
    await restic(cluster.world, host, env, ["backup", "--quiet", "."], { cwd: host.data });
  }
  await hub.run("mirror");
  await hub.run("verify");
  await hub.run("drill", "q");
  const restored = await restoreFrom(cluster.world, q, await envOf(q), "peer");
  expect(fingerprint(restored)).toEqual(fingerprint(q.data));
  expect(await verify()).toEqual({ exitCode: 0, errors: "" });
  const { exitCode, all } = await cluster.offsite("prune", "peer", "--close");
  expect({ exitCode, all }).toMatchObject({ exitCode: 0 });
});

test("keeps its authority's key on the peer, out of the reach of the server and of everybody", async () => {
  const found = await execa("find", [server, "-name", "ca.key", "-printf", "%m %U"]);
  expect(found.stdout).toBe("400 65531");
  const state = await cluster.stack.must(["stack", "export", "--show-secrets"]);
  expect(state).toContain("BEGIN CERTIFICATE");
  expect(state).not.toMatch(/BEGIN (EC )?PRIVATE KEY/);
});

test("refuses whoever speaks no TLS, and does not pass on what is no request of restic's", async () => {
  const get = async (...args: string[]) =>
    (await execa("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", ...args])).stdout;
  expect(await get(`http://127.0.0.1:${port}/q/config`)).toBe("400");
  const certificate = cluster.world.file("pinned.pem", pinned());
  expect(await get("--cacert", certificate, `https://127.0.0.1:${port}/q/config`)).toBe("401");
  expect(await get("--cacert", certificate, `https://127.0.0.1:${port}/metrics`)).toBe("404");
});

test("leaves the manifest as it is in the preview of a rotation", async () => {
  const targets = cluster.settings["fort-offsite:targets"];
  changePeer(cluster, { generation: 2 });
  const preview = JSON.parse(await cluster.stack.must(["preview", "--json"])) as {
    steps: { op: string; urn: string }[];
  };
  const changed = preview.steps.filter(({ op }) => op !== "same").map(({ urn }) => urn);
  expect(changed.join("\n")).toContain("peer-server");
  expect(changed.join("\n")).not.toContain("offsite.json");
  Object.assign(cluster.settings, { "fort-offsite:targets": targets });
  cluster.stack.configure(cluster.settings);
});

test("renews its certificate by itself, and the pin stays good", async () => {
  const before = await shownBy("127.0.0.1", port);
  await ageCertificate();
  const caddy = `${cluster.project}-caddy-1`;
  await cluster.docker("restart", caddy);
  await waitFor("The renewal of the certificate", async () => {
    const now = await shownBy("127.0.0.1", port).catch(() => undefined);
    const days = (Date.parse(now?.valid_to ?? "") - Date.now()) / 86_400_000;
    return days > 60 && now?.serialNumber !== before.serialNumber;
  });
  await hub.run("verify");
  expect(await verify()).toEqual({ exitCode: 0, errors: "" });
});

/** Puts a certificate of the authority's in Caddy's place that has three days left of ninety. */
async function ageCertificate(): Promise<void> {
  const script = `
    set -eu
    cd "$(mktemp -d)"; trap 'rm -rf "$PWD"' EXIT
    leaf=$(find "$0/caddy/certificates" -name '*.crt'); key=\${leaf%.crt}.key
    ca=$(dirname "$(find "$0/tls" -name ca.key)")
    : >index; echo 01 >serial
    printf '%s\\n' '[ca]' 'default_ca=d' '[d]' 'database=index' 'serial=serial' 'new_certs_dir=.' \\
      'default_md=sha256' 'policy=p' 'x509_extensions=e' '[p]' 'commonName=optional' '[e]' \\
      'subjectAltName=critical,IP:127.0.0.1' '[req]' 'distinguished_name=n' 'prompt=no' '[n]' 'CN=127.0.0.1' >settings
    openssl req -new -config settings -key "$key" -out request
    openssl ca -batch -notext -config settings -cert "$ca/ca.pem" -keyfile "$ca/ca.key" -in request -out old \\
      -startdate "$(date -ud '-87 days' +%Y%m%d%H%M%SZ)" -enddate "$(date -ud '+3 days' +%Y%m%d%H%M%SZ)"
    cat old "$ca/ca.pem" >"$leaf"`;
  await execa("sh", ["-c", script, server]);
}

test("tells nobody in between a password", async () => {
  const heard: string[] = [];
  const folder = cluster.world.folder("impostor");
  const made = ["-newkey", "rsa:2048", "-nodes", "-keyout", join(folder, "key")];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  await execa("openssl", ["req", "-x509", ...made, "-out", join(folder, "cert"), ...subject]);
  await cluster.docker("stop", `${cluster.project}-caddy-1`);
  const impostor = createServer(
    { key: readFileSync(join(folder, "key")), cert: readFileSync(join(folder, "cert")) },
    (request, response) => {
      heard.push(`${request.method ?? ""} ${request.url ?? ""}`);
      response.writeHead(401).end();
    },
  );
  await new Promise<void>((resolve) => void impostor.listen(port, "127.0.0.1", resolve));
  try {
    expect(await failure(hub.run("verify"))).toContain("somebody else may stand between");
    expect(await triedByRestic()).toContain("x509");
    expect((await verify()).errors).toContain("is not to be trusted");
    expect(heard).toEqual([]);
  } finally {
    impostor.closeAllConnections();
    await new Promise((resolve) => impostor.close(resolve));
    await cluster.docker("start", `${cluster.project}-caddy-1`);
  }
});

/** What restic says with the host's env file, before it would try again for minutes. */
async function triedByRestic(): Promise<string> {
  const env = await envOf(q);
  const { stderr } = await execa("restic", ["cat", "config", "--no-lock"], {
    env: {
      RESTIC_REPOSITORY: env.OFFSITE_PEER_REPOSITORY,
      RESTIC_REST_USERNAME: env.RESTIC_REST_USERNAME,
      RESTIC_REST_PASSWORD: env.OFFSITE_PEER_PASSWORD,
      RESTIC_CACERT: cluster.world.file("hosts/peer.pem", pinned()),
      RESTIC_PASSWORD_FILE: q.passwordFile,
      RESTIC_CACHE_DIR: cluster.world.folder("cache", "refused"),
    },
    reject: false,
    timeout: 10_000,
  });
  return stderr;
}

test("makes another authority when the one before may be in a thief's hands", async () => {
  const before = pinned();
  const { stdout } = await execa("find", [server, "-name", "ca.pem"]);
  changePeer(cluster, { generation: 3, revoked: 2 });
  await cluster.up();
  expect(pinned()).toContain("BEGIN CERTIFICATE");
  expect(pinned()).not.toBe(before);
  expect((await execa("find", [server, "-name", "ca.pem"])).stdout).not.toBe(stdout);
  await hub.deploy();
  await hub.run("verify");
  expect(await verify()).toEqual({ exitCode: 0, errors: "" });
});
