/** From a target's settings to its tunnel's files and services at the peer. */
import { readFileSync } from "node:fs";
import type { RestServerTargetConfig, TargetSecrets } from "../config/stack.ts";
import { networkOf, peerTunnelAddress, tunnelPort } from "../config/targets/tunnel.ts";
import { peerConf } from "../credentials/wireguard.ts";
import { withVariables } from "./script.ts";
import { TUNNEL_UID, type TunnelServices } from "./services/tunnel.ts";

/** A tunnel as it shall be at a peer. */
export interface PeerTunnel {
  readonly service: Omit<TunnelServices, "files" | "key" | "state">;
  /** What is in its container, by name. WireGuard's keys are among them. */
  readonly files: Readonly<Record<string, string>>;
  /** The auth key with which a node of Tailscale logs in; empty for WireGuard. Secret. */
  readonly authKey: string;
  /** The user and group that its files belong to. */
  readonly uid: number;
}

const script = (name: string) =>
  readFileSync(new URL(`tunnel/${name}.sh`, import.meta.url), "utf8");

/** The tunnel of a target; undefined where it has none. */
export function peerTunnel(
  name: string,
  target: RestServerTargetConfig,
  seed: string,
  secrets: TargetSecrets | undefined,
): PeerTunnel | undefined {
  const { tunnel } = target;
  if (tunnel === undefined) return undefined;
  const { type, image } = tunnel;
  if (tunnel.type === "wireguard") {
    const address = peerTunnelAddress(tunnel);
    const { userspace } = tunnel;
    const bits = String(networkOf(tunnel).bits);
    const variables = { address, bits, userspace: userspace ? "yes" : "" };
    const start = withVariables(script(type), variables);
    const conf = peerConf({ seed, target: name, tunnel, standing: target }, "wg");
    return {
      service: { type, image, port: tunnelPort(tunnel), address, userspace },
      files: { "start.sh": start, "wg.conf": conf },
      authKey: "",
      uid: 0,
    };
  }
  const start = withVariables(script(type), {
    hostname: tunnel.hostname,
    login_server: tunnel.loginServer ?? "",
    // Headscale takes a node's tags from its key, and lets no node with a key ask for any.
    advertise: tunnel.loginServer === undefined ? tunnel.tags.join(",") : "",
    tags: tunnel.tags.join(" "),
  });
  return {
    service: { type, image },
    files: { "start.sh": start },
    authKey: secrets?.tailscaleAuthKey ?? "",
    uid: TUNNEL_UID,
  };
}
