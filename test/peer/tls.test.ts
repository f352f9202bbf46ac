import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseStackConfig } from "../../config/parse.ts";
import type { RestServerTargetConfig } from "../../config/stack.ts";
import type { Findings } from "../../peer/drift.ts";
import type { PeerFacts } from "../../peer/facts.ts";
import { composeText, publicFiles } from "../../peer/script.ts";
import { peerServer } from "../../peer/server.ts";
import { ofTls } from "../../peer/tls/drift.ts";
import { certificateIn, nameConstraints, upstreamOf } from "../../peer/tls/server.ts";
import { clearTextOf } from "../../policy/compose/caddyfile.ts";
import { raw, SEED, validConfig } from "../config/valid.ts";

const config = parseStackConfig(raw(validConfig()), "test");

function serverWith(change: Partial<RestServerTargetConfig>) {
  const target = { ...(config.targets.peer as RestServerTargetConfig), ...change };
  return peerServer({ stack: "test", name: "peer", target, hosts: config.hosts, seed: SEED });
}

interface Service {
  readonly command: string[];
  readonly user: string;
  readonly cap_add?: string[];
  readonly security_opt?: string[];
  readonly volumes: { source: string; target: string; read_only: boolean }[];
}

function servicesOf(change: Partial<RestServerTargetConfig>): Record<string, Service> {
  const { services } = parse(composeText(serverWith(change))) as {
    services: Record<string, Service>;
  };
  return services;
}

describe("a server behind TLS", () => {
  it("listens at the loopback address alone, and Caddy at the one in the settings", () => {
    const services = servicesOf({ tls: "self-signed" });
    const listen = services["rest-server"]?.command.find((flag) => flag.startsWith("--listen="));
    expect(listen).toMatch(/^--listen=127\.\d+\.\d+\.\d+:18000$/);
    const { Caddyfile = "" } = publicFiles(serverWith({ tls: "self-signed" }));
    expect(Caddyfile).toContain("default_bind 100.64.0.9\n");
    expect(Caddyfile).toContain("https://100.64.0.9:8000 {");
    expect(Caddyfile).toContain(`reverse_proxy ${String(listen).slice("--listen=".length)} {`);
    expect(clearTextOf(Caddyfile)).toEqual([]);
  });

  it("gives Caddy neither the backups nor the passwords", () => {
    const { caddy } = servicesOf({ tls: "self-signed" });
    const mounts = (caddy?.volumes ?? []).map(({ target, read_only: only }) => [target, only]);
    expect(mounts).toEqual([
      ["/etc/caddy", true],
      ["/etc/authority", true],
      ["/data", false],
    ]);
    for (const { source } of caddy?.volumes ?? []) expect(source).not.toMatch(/repositories|auth$/);
    expect(caddy?.user).not.toMatch(/^0|^65532/);
  });

  it("lets Caddy gain the right to low ports where it has to open one, and no other", () => {
    const high = servicesOf({ tls: "self-signed" }).caddy;
    expect(high?.security_opt).toEqual(["no-new-privileges:true"]);
    const low = servicesOf({ tls: "acme", domain: "backup.example.org" }).caddy;
    expect(low?.security_opt).toBeUndefined();
    expect(low?.cap_add).toEqual(["NET_BIND_SERVICE"]);
  });

  it("asks the ACME server of the settings, which it knows by its root", () => {
    const acme = { server: "https://ca.example/acme", root: "PEM", httpPort: 80 };
    const files = publicFiles(serverWith({ tls: "acme", domain: "backup.example.org", acme }));
    expect(files.Caddyfile).toContain("acme_ca https://ca.example/acme\n");
    expect(files.Caddyfile).toContain("acme_ca_root /etc/caddy/acme-root.pem\n");
    expect(files["acme-root.pem"]).toBe("PEM");
  });

  it("is another release when the Caddyfile is another, so that the one before can come back", () => {
    const folder = (change: Partial<RestServerTargetConfig>) =>
      servicesOf({ tls: "self-signed", ...change }).caddy?.volumes[0]?.source;
    expect(folder({})).toMatch(/\/server\/files\/[0-9a-f]{16}$/);
    expect(folder({ listen: "100.64.0.9:8443" })).not.toBe(folder({}));
  });

  it("has another authority for another host, and after a revocation", () => {
    const authority = (change: Partial<RestServerTargetConfig>) =>
      serverWith({ tls: "self-signed", ...change }).tls?.authority;
    expect(authority({ listen: "100.64.0.9:8443" })).toBe(authority({}));
    expect(authority({ listen: "100.64.0.10:8000" })).not.toBe(authority({}));
    expect(authority({ generation: 3, revoked: 2 })).not.toBe(authority({}));
    expect(authority({ generation: 2 })).toBe(authority({}));
  });

  it("keeps two servers of one machine apart", () => {
    const listen = { address: "0.0.0.0", port: 443, wildcard: true };
    expect(upstreamOf("one", listen).address).not.toBe(upstreamOf("two", listen).address);
    expect(upstreamOf("one", { ...listen, port: 18_000 }).port).toBe(18_001);
  });
});

describe("the peer's own authority", () => {
  it("may vouch for one host, by name or by address, and for nothing of the other kind", () => {
    expect(nameConstraints("backup.example.org")).toBe(
      "permitted;DNS:backup.example.org,permitted;IP:0.0.0.0/255.255.255.255",
    );
    expect(nameConstraints("10.0.0.9")).toContain("permitted;IP:10.0.0.9/255.255.255.255");
    expect(nameConstraints("fd00::9")).toContain("permitted;IP:fd00::9/ffff:ffff:");
    expect(nameConstraints("fd00::9")).toContain("permitted;DNS:fort-offsite.invalid");
  });

  it("is found in what an installation says, among its other lines", () => {
    const der = Buffer.alloc(100, 7).toString("base64");
    const pem = certificateIn(`The server is up\nauthority ${der}\n`);
    expect(pem).toMatch(/^-----BEGIN CERTIFICATE-----\n[\w+/=\n]+-----END CERTIFICATE-----\n$/);
    expect(certificateIn("The server is up\n")).toBeUndefined();
  });
});

describe("a look at TLS", () => {
  const now = Date.parse("2026-11-23T12:00:00Z");
  const DAY = 86_400_000;
  const found = (
    change: Partial<RestServerTargetConfig>,
    certificate: PeerFacts["certificate"],
    changed: string[] = [],
  ) => {
    const findings: Findings = { drift: [], manual: [], notices: [] };
    const facts = {
      now: new Date(now),
      changed: new Set(changed),
      containers: [
        { Config: { Labels: { "com.docker.compose.service": "caddy" } }, State: { Running: true } },
      ],
      ...(certificate !== undefined && { certificate }),
    } as unknown as PeerFacts;
    ofTls(facts, serverWith(change), findings);
    return findings;
  };
  const valid = (days: number, left: number) => ({
    from: new Date(now - (days - left) * DAY),
    until: new Date(now + left * DAY),
  });
  const acme = { tls: "acme", domain: "backup.example.org" } as const;

  it("finds nothing wrong with a certificate in its time, however short that is", () => {
    const nothing = { drift: [], manual: [], notices: [] };
    expect(found({ tls: "self-signed" }, valid(90, 29))).toEqual(nothing);
    expect(found(acme, valid(0.5, 0.2))).toEqual(nothing);
    expect(found({}, undefined)).toEqual(nothing);
  });

  it("has one of the peer's own that was not renewed put right, and leaves ACME's to a person", () => {
    expect(found({ tls: "self-signed" }, valid(90, 14)).drift).toHaveLength(1);
    expect(found(acme, valid(90, 14)).manual).toHaveLength(1);
    expect(found({ tls: "self-signed" }, undefined).drift.join()).toContain("no certificate");
    expect(found(acme, undefined).manual.join()).toContain("Does the name lead to");
  });

  it("sees that the authority was touched, and says what it costs when it is gone", () => {
    const { drift } = found({ tls: "self-signed" }, valid(90, 60), ["tls"]);
    expect(drift.join()).toContain("all machines must be deployed");
  });
});
