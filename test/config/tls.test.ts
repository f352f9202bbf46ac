import { describe, expect, it } from "vitest";
import { parseStackConfig } from "../../config/parse.ts";
import { InputError } from "../../config/problems.ts";
import { raw, validConfig } from "./valid.ts";

function withPeer(change: Record<string, unknown>) {
  const config = structuredClone(validConfig());
  Object.assign((config.targets as Record<string, object>).peer ?? {}, change);
  return raw(config);
}

function problemsOf(change: Record<string, unknown>): string {
  try {
    parseStackConfig(withPeer(change), "prod");
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return "";
}

describe("TLS of a rest-server", () => {
  it("needs nothing but the word where the authority is the peer's own", () => {
    const { peer } = parseStackConfig(withPeer({ tls: "self-signed" }), "prod").targets;
    expect(peer).toMatchObject({
      tls: "self-signed",
      caddyImage: expect.stringMatching(/^caddy:[0-9.]+@sha256:[0-9a-f]{64}$/) as string,
    });
  });

  it("may be on every address where that is meant", () => {
    const wildcard = { tls: "acme", domain: "backup.example.org", listen: "0.0.0.0:443" };
    expect(problemsOf({ ...wildcard, expose: "any", url: "https://backup.example.org" })).toBe("");
    expect(problemsOf({ ...wildcard, url: "https://backup.example.org" })).toContain("expose");
  });

  it("by ACME needs a name, and the name is the URL's", () => {
    expect(problemsOf({ tls: "acme" })).toContain("targets.peer.domain: got nothing");
    const named = { tls: "acme", domain: "backup.example.org" };
    expect(problemsOf(named)).toBe("");
    expect(problemsOf({ ...named, url: "https://other.example.org" })).toContain(
      'must be at "backup.example.org"',
    );
    expect(problemsOf({ ...named, listen: "203.0.113.5:80" })).toContain("ACME's questions");
  });

  it("wants an address for a record that listen cannot give", () => {
    const dns = { zoneId: "0".repeat(32) };
    const exposed = { listen: "0.0.0.0:443", expose: "any", url: "https://backup.example.org" };
    const acme = { tls: "acme", domain: "backup.example.org", ...exposed };
    expect(problemsOf({ ...acme, dns })).toContain("targets.peer.dns.address: got nothing");
    expect(problemsOf({ ...acme, dns: { ...dns, address: "203.0.113.5" } })).toBe("");
  });

  it("says all at once what is for ACME alone, and what no longer fits a URL", () => {
    const found = problemsOf({
      tls: "self-signed",
      domain: "backup.example.org",
      dns: { zoneId: "0".repeat(32) },
      url: "http://peer.example.org/backups",
    });
    for (const part of [
      "targets.peer.domain: is for tls: acme",
      "targets.peer.dns: is for tls: acme",
      'must begin with "https://"',
      "must have no path",
    ]) {
      expect(found).toContain(part);
    }
  });

  it("takes no root of an authority that is none", () => {
    const acme = { root: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" };
    expect(problemsOf({ tls: "acme", domain: "backup.example.org", acme })).toContain(
      "certificates of authorities in PEM",
    );
  });
});
