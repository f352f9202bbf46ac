import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeBundle } from "./bundle.ts";
import { evaluate, type System } from "./evaluate.ts";

const root = mkdtempSync(join(tmpdir(), "offsite-tunnels-"));
let system: System | undefined;

beforeAll(async () => {
  writeBundle(join(root, "bundle"));
  const { systems } = await evaluate(join(import.meta.dirname, "configurations.nix"), {
    programs: "/usr",
    store: join(root, "store"),
    bundle: join(root, "bundle"),
    agent: "/run/agent.mjs",
    hubAddress: "127.0.0.1:8000",
    passwordFile: "/run/secrets/restic-password",
  });
  system = systems.tunnels;
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("the hub's end of tunnels", () => {
  it("is brought up from the bundle's file, which root alone reads", () => {
    const path = system?.age["offsite-wireguard-peer"]?.path;
    expect(system?.age["offsite-wireguard-peer"]).toMatchObject({ owner: "root", mode: "0400" });
    expect(system?.tunnels).toEqual({
      "wg-peer": path,
      "a-name-that-is-too-long": "/run/secrets/elsewhere",
    });
  });

  it("is started again with a rotation's deployment, and tells somebody when it fails", () => {
    const service = system?.services["wg-quick-wg-peer"];
    expect(service?.onFailure).toEqual(["notify@%n.service"]);
    expect(service?.restartTriggers).toEqual([
      expect.stringMatching(/wireguard\/peer\.conf\.age$/),
    ]);
  });

  it("lets nothing in that a peer begins, whatever else the firewall allows", () => {
    const rules = system?.nftables["offsite-tunnels"];
    expect(rules).toContain('iifname "wg-peer" ct state != { established, related } drop');
    expect(rules).toMatch(/hook forward[^}]*\n\s*iifname "wg-peer" drop/);
  });

  it("has an interface's name that the kernel takes", () => {
    expect(system?.refused).toEqual([
      "services.offsite.hub.tunnels.<target>.interface: a-name-that-is-too-long: a network interface's name has at most 15 letters, digits, hyphens and underscores",
    ]);
  });
});
