import type { DnsRecordArgs } from "@pulumi/cloudflare";
import { execa } from "execa";
import { beforeEach, describe, expect, it } from "vitest";
import { HashMemory } from "../../credentials/htpasswd.ts";
import { prepareRestServer, RestServerTarget } from "../../components/rest-server-target.ts";
import type { TargetManifest } from "../../config/manifest.ts";
import { parseStackConfig } from "../../config/parse.ts";
import type { StackRecord } from "../../config/record.ts";
import type { RestServerTargetConfig } from "../../config/stack.ts";
import { envFile } from "../../credentials/env-file.ts";
import { raw, SEED, SSH_KEY, validConfig } from "../config/valid.ts";
import { named, recordRegistrations, reveal, settle, valueOf, type Registration } from "./mocks.ts";

const DNS_RECORD = "cloudflare:index/dnsRecord:DnsRecord";
const config = parseStackConfig(raw(validConfig()), "test");

function newTarget(change: Partial<RestServerTargetConfig> = {}, sshPrivateKey?: string) {
  const target = { ...(config.targets.peer as RestServerTargetConfig), ...change };
  return new RestServerTarget("peer", {
    stack: "test",
    hosts: config.hosts,
    seed: SEED,
    hashes: new HashMemory(),
    sshPrivateKey,
    target,
  });
}

describe("a rest-server target", () => {
  let registrations: Registration[];
  beforeEach(async () => {
    registrations = await recordRegistrations();
  });
  const server = async () => {
    await settle();
    return named(registrations, "peer-server").inputs;
  };

  it("is installed over SSH with the host key pinned", async () => {
    newTarget();
    const inputs = await server();
    expect(reveal(inputs.connection).value).toMatchObject({
      host: "100.64.0.9",
      port: 22,
      user: "root",
      hostKey: SSH_KEY,
    });
  });

  it("works as root, or through sudo, without the settings saying which", async () => {
    newTarget({ ssh: { host: "peer", port: 22, user: "brother", hostKey: SSH_KEY } });
    const other = await server();
    expect(String(other.create)).toMatch(/ sh install$/);
    expect(String(other.delete)).toMatch(/ sh remove$/);
    const { stdout } = await execa("sh", ["-c", String(other.create)], {
      input: 'printf "%s as %s" "$*" "$(id -u)"',
    });
    expect(stdout).toBe("install as 0");
    registrations.length = 0;
    newTarget();
    const { create, update, delete: remove } = await server();
    expect([create, update, remove]).toEqual([other.create, other.update, other.delete]);
  });

  it("keeps the script with the credentials, and the private key, secret", async () => {
    newTarget({}, "a private key");
    const { stdin, connection } = await server();
    expect(reveal(stdin).secret).toBe(true);
    expect(reveal(connection).secret).toBe(true);
    expect(reveal(connection).value).toMatchObject({ privateKey: "a private key" });
  });

  it("sends no password to the peer, only what verifies them", async () => {
    const target = newTarget();
    const { stdin } = await server();
    const script = String(reveal(stdin).value);
    const credentials = await valueOf(target.hubCredentials);
    if (credentials.type !== "rest-server") throw new Error("not a rest-server");
    const decoded = [...script.matchAll(/^\w+_b64='([^']*)'$/gm)].map((match) =>
      Buffer.from(match[1] ?? "", "base64").toString("utf8"),
    );
    expect(decoded).toHaveLength(2);
    for (const { current, next, previous } of Object.values(credentials.users)) {
      for (const password of [current, next, previous]) {
        if (password !== null) expect(script + decoded.join("")).not.toContain(password);
      }
    }
    expect(decoded.join("")).toMatch(/^q:\$2y\$/m);
  });

  it("turns a host's password over with the host's and with the target's generation", async () => {
    const user = async (target: RestServerTarget) => {
      const credentials = await valueOf(target.hubCredentials);
      if (credentials.type !== "rest-server") throw new Error("not a rest-server");
      return credentials.users.q;
    };
    const before = await user(newTarget());
    const after = await user(newTarget({ generation: 2 }));
    expect(before?.generation).toBe(3);
    expect(after?.generation).toBe(4);
    expect(after?.current).toBe(before?.next);
    expect(after?.previous).toBe(before?.current);
  });

  it("gives a host its own credential to restore with", async () => {
    const target = newTarget({ url: "https://peer.example/backups" });
    const content = envFile(await valueOf(target.restoreEnvironment("q")));
    expect(content).toContain("OFFSITE_PEER_REPOSITORY=rest:https://peer.example/backups/q/\n");
    expect(content).toMatch(/^OFFSITE_PEER_PASSWORD=.{43}$/m);
    expect(content).toMatch(/^OFFSITE_PEER_PASSWORD_NEXT=.{43}$/m);
    expect(content).toMatch(/^OFFSITE_PEER_PASSWORD_PREVIOUS=.{43}$/m);
  });

  it("can listen on an address of IPv6", async () => {
    const target = newTarget({ listen: "[fd7a:0:0::9]:8000" });
    const content = envFile(await valueOf(target.restoreEnvironment("q")));
    expect(content).toContain("OFFSITE_PEER_REPOSITORY=rest:http://[fd7a:0:0::9]:8000/q/\n");
    const script = String(reveal((await server()).stdin).value);
    expect(script).toContain("listen_address='fd7a::9'\n");
    expect(script).toContain(`listen_ipv6='fd7a${"0".repeat(27)}9'\n`);
  });

  it("tells the public where it is, and nothing else", () => {
    expect(newTarget().manifest).toEqual({
      type: "rest-server",
      url: "http://100.64.0.9:8000/",
      maxSizeGiB: 200,
      repositories: {
        drhorrible: "rest:http://100.64.0.9:8000/drhorrible/",
        q: "rest:http://100.64.0.9:8000/q/",
        ursula: "rest:http://100.64.0.9:8000/ursula/",
      },
    });
  });
});

describe("a rest-server target with TLS", () => {
  const AUTHORITY = Buffer.alloc(80, 9).toString("base64");
  const stdout = `The server is up\nauthority ${AUTHORITY}\n`;
  const peer = config.targets.peer as RestServerTargetConfig;

  async function make(
    change: Partial<RestServerTargetConfig>,
    options: { preview?: boolean; before?: StackRecord } = {},
  ) {
    const registrations = await recordRegistrations({
      preview: options.preview ?? false,
      outputs: { "command:remote:Command": { stdout }, [DNS_RECORD]: {} },
    });
    const prepared = await prepareRestServer("peer", {
      target: { ...peer, ...change },
      before: options.before,
    });
    const target = new RestServerTarget("peer", {
      ...{ stack: "test", hosts: config.hosts, seed: SEED, hashes: new HashMemory() },
      ...{ before: options.before, ...prepared },
    });
    return { target, registrations };
  }

  it("pins the authority that the peer has made, in the manifest and for every host", async () => {
    const { target } = await make({ tls: "self-signed" });
    const manifest = await valueOf(target.manifest);
    if (manifest.type !== "rest-server") throw new Error("not a rest-server");
    expect(manifest.url).toBe("https://100.64.0.9:8000/");
    expect(manifest.certificate).toContain(AUTHORITY.slice(0, 60));
    const content = envFile(await valueOf(target.restoreEnvironment("q")));
    const encoded = /^OFFSITE_PEER_CERTIFICATE=(.+)$/m.exec(content)?.[1] ?? "";
    expect(Buffer.from(encoded, "base64").toString()).toBe(manifest.certificate);
    const record = await valueOf(target.record);
    expect(record).toMatchObject({ authority: { certificate: manifest.certificate } });
  });

  it("shows in a preview the authority of the last update, and none of another host's", async () => {
    const { target } = await make({ tls: "self-signed" });
    const kept = await valueOf(target.record);
    if (kept.type !== "rest-server" || kept.authority === undefined) throw new Error("no record");
    kept.authority.certificate = "LAST";
    const before = {
      ...{ version: 1 as const, hosts: {}, targets: {}, hashes: {}, directory: "", files: {} },
      kept: { peer: kept },
    };
    const pinned = async (change: Partial<RestServerTargetConfig>, preview: boolean) => {
      const again = await make({ tls: "self-signed", ...change }, { preview, before });
      const manifest: TargetManifest = await valueOf(again.target.manifest);
      return manifest.type === "rest-server" ? manifest.certificate : undefined;
    };
    expect(await pinned({ generation: 2 }, true)).toBe("LAST");
    expect(await pinned({ listen: "100.64.0.10:8000" }, true)).not.toBe("LAST");
    expect(await pinned({}, false)).toContain(AUTHORITY.slice(0, 60));
  });

  it("needs no pin where the world trusts the issuer, and the private one's where it does not", async () => {
    const domain = "backup.example.org";
    const { target } = await make({ tls: "acme", domain });
    expect(target.manifest).toMatchObject({ url: "https://backup.example.org:8000/" });
    expect(await valueOf(target.manifest)).not.toHaveProperty("certificate");
    const acme = { server: "https://ca.example/acme", root: "PEM", httpPort: 80 };
    const other = await make({ tls: "acme", domain, listen: "203.0.113.5:443", acme });
    expect(await valueOf(other.target.manifest)).toMatchObject({
      url: "https://backup.example.org/",
      certificate: "PEM",
    });
  });

  it("leads the name to the peer past Cloudflare's proxies, before anybody asks for a certificate", async () => {
    const dns = { zoneId: "0".repeat(32) };
    const listen = "[2001:db8::5]:443";
    const { registrations } = await make({ tls: "acme", domain: "b.example.org", listen, dns });
    await settle();
    expect(registrations.map(({ type }) => type)).toContain(DNS_RECORD);
    const inputs = named(registrations, "peer-dns").inputs as unknown as DnsRecordArgs;
    expect(inputs).toMatchObject({
      zoneId: dns.zoneId,
      name: "b.example.org",
      type: "AAAA",
      content: "2001:db8::5",
      proxied: false,
    } satisfies Partial<DnsRecordArgs>);
  });

  it("shows policies and reviewers the Caddyfile beside the compose file", async () => {
    const { registrations } = await make({ tls: "self-signed" });
    await settle();
    const { files } = named(registrations, "peer").inputs as { files: Record<string, string> };
    expect(Object.keys(files).sort()).toEqual(["Caddyfile", "compose.yaml"]);
    expect(files["compose.yaml"]).not.toContain("KEY");
  });
});
