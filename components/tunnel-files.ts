/** What a server's tunnel adds to the bundle: the other end's configuration, and its rules. */
import type { RestServerTargetConfig } from "../config/stack.ts";
import type { TailscaleTunnelConfig } from "../config/targets/tunnel.ts";
import { hubConf, peerConf } from "../credentials/wireguard.ts";
import type { TargetFile } from "./target.ts";

/** The files of a target's tunnel; none without one. */
export function tunnelFiles(
  name: string,
  target: RestServerTargetConfig,
  seed: string,
): TargetFile[] {
  const { tunnel } = target;
  if (tunnel === undefined) return [];
  if (tunnel.type === "tailscale") {
    return [{ path: `tailscale/${name}.json`, content: accessRules(tunnel), readers: "everybody" }];
  }
  const of = { seed, target: name, tunnel, standing: target };
  return [
    { path: `wireguard/${name}.conf`, content: hubConf(of), readers: "hub" },
    // For a peer that runs WireGuard by itself, and for whoever looks into what runs there.
    {
      path: `wireguard/${name}-peer.conf`,
      content: peerConf(of, "wg-quick"),
      readers: "operators",
    },
  ];
}

/**
 * What the tailnet's access rules must say, to be merged into them: the hub reaches the server, and
 * the peer reaches nothing, for no rule has it as a source.
 */
function accessRules({ tags, port }: TailscaleTunnelConfig): string {
  const rules = {
    tagOwners: Object.fromEntries(
      [...tags, "tag:backup-hub"].map((tag) => [tag, ["autogroup:admin"]]),
    ),
    acls: [
      {
        action: "accept",
        src: ["tag:backup-hub"],
        proto: "tcp",
        dst: tags.map((tag) => `${tag}:${port}`),
      },
    ],
    tests: [
      { src: "tag:backup-hub", accept: tags.map((tag) => `${tag}:${port}`) },
      ...tags.map((tag) => ({ src: tag, deny: ["tag:backup-hub:22", "tag:backup-hub:8000"] })),
    ],
  };
  return `${JSON.stringify(rules, null, 2)}\n`;
}
