import { x25519 } from "@noble/curves/ed25519.js";
import { describe, expect, it } from "vitest";
import { wireguardTunnelSchema } from "../../config/targets/tunnel.ts";
import { hubConf, peerConf, type WireguardTunnel } from "../../credentials/wireguard.ts";
import { SEED } from "../config/valid.ts";

const tunnel = wireguardTunnelSchema.parse({
  type: "wireguard",
  endpoint: "peer.example.org:51820",
});

function at(generation: number, revoked = 0, more: Partial<WireguardTunnel> = {}): WireguardTunnel {
  return { seed: SEED, target: "peer", tunnel, standing: { generation, revoked }, ...more };
}

const all = (text: string, name: string) =>
  [...text.matchAll(new RegExp(`^${name} = (\\S+)$`, "gm"))].map(([, value = ""]) => value);
const one = (text: string, name: string) => all(text, name)[0] ?? "";

/** The public key of a file's own private key. */
function ownKey(conf: string): string {
  const secret = Buffer.from(one(conf, "PrivateKey"), "base64");
  return Buffer.from(x25519.getPublicKey(secret)).toString("base64");
}

/** What a peer's file has for one of the hub's keys. */
function sectionOf(conf: string, publicKey: string): string | undefined {
  return conf.split("[Peer]").find((each) => each.includes(`PublicKey = ${publicKey}\n`));
}

/** Whether two ends get through to each other. */
function agree(hub: WireguardTunnel, peer: WireguardTunnel): boolean {
  const [mine, theirs] = [hubConf(hub), peerConf(peer, "wg")];
  const section = sectionOf(theirs, ownKey(mine));
  return (
    section !== undefined &&
    one(mine, "PublicKey") === ownKey(theirs) &&
    one(section, "PresharedKey") === one(mine, "PresharedKey") &&
    one(section, "AllowedIPs") === one(mine, "Address")
  );
}

describe("a WireGuard key", () => {
  it("never changes: hubs and peers out there hold it", () => {
    expect(one(hubConf(at(1)), "PublicKey")).toBe("L6nfQGWXtzRVwYgtYlfgHReh6cSSaKIMbYlRA/T7vi0=");
    expect(ownKey(hubConf(at(1)))).toBe("lQjuI0hADRv8FFzvUOMtKC6RvVNyUEJCcxcIXJSPM1I=");
    expect(one(hubConf(at(1)), "PresharedKey")).toBe(
      "lllmN8f99ZXdbUNcx3IggY0YGNkm9HiDehkk/8yaMpA=",
    );
  });

  it("is clamped as X25519 has it", () => {
    for (let generation = 1; generation < 40; generation += 1) {
      const key = Buffer.from(one(hubConf(at(generation)), "PrivateKey"), "base64");
      expect(key).toHaveLength(32);
      expect((key[0] ?? 1) & 7).toBe(0);
      expect((key[31] ?? 0) >> 6).toBe(1);
    }
  });

  it("is another for each target, end and generation", () => {
    const keys = [at(1), at(2), at(1, 0, { target: "other" })].flatMap((each) => [
      one(hubConf(each), "PrivateKey"),
      one(hubConf(each), "PresharedKey"),
    ]);
    expect(new Set([...keys, one(peerConf(at(1), "wg"), "PrivateKey")]).size).toBe(7);
  });
});

describe("the two ends of a tunnel", () => {
  it("agree while neither, one or both of them have taken a rotation over", () => {
    for (const generation of [1, 2, 3, 4, 7]) {
      expect(agree(at(generation), at(generation))).toBe(true);
      expect(agree(at(generation), at(generation + 1))).toBe(true);
      expect(agree(at(generation + 1), at(generation))).toBe(true);
      expect(agree(at(generation), at(generation + 2))).toBe(false);
    }
  });

  it("know nothing any more of what was revoked", () => {
    const now = at(4, 3);
    expect(agree(now, now)).toBe(true);
    for (const generation of [1, 2, 3]) expect(agree(at(generation), now)).toBe(false);
    // A thief at the peer had its own key, too.
    expect(one(peerConf(now, "wg"), "PrivateKey")).not.toBe(
      one(peerConf(at(2), "wg"), "PrivateKey"),
    );
    expect(agree(at(5, 3), now)).toBe(true);
  });

  it("have addresses of their own for keys that are accepted side by side", () => {
    for (const generation of [1, 2, 3, 4, 5]) {
      const allowed = all(peerConf(at(generation), "wg"), "AllowedIPs");
      expect(new Set(allowed).size).toBe(generation === 1 ? 2 : 3);
      expect(allowed).not.toContain("10.99.83.1/32");
    }
  });

  it("take an IPv6 network, with rules for it", () => {
    const of = at(1, 0, { tunnel: { ...tunnel, network: "fd99:83::/64" } });
    expect(agree(of, of)).toBe(true);
    expect(one(hubConf(of), "AllowedIPs")).toBe("fd99:83::1/128");
    expect(hubConf(of)).toContain("PreUp = ip6tables -w -I INPUT -i %i");
    expect(peerConf(of, "wg-quick")).toContain("Address = fd99:83::1/64");
  });
});

describe("the hub's end", () => {
  it("drops what the peer begins before the interface is there", () => {
    const lines = hubConf(at(1)).split("\n");
    expect(lines.filter((line) => line.startsWith("PreUp"))).toEqual([
      "PreUp = iptables -w -I INPUT -i %i -m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP",
      "PreUp = iptables -w -I FORWARD -i %i -j DROP",
    ]);
    expect(one(hubConf(at(1)), "AllowedIPs")).toBe("10.99.83.1/32");
  });
});
