/**
 * The services of a tunnel: `network` holds the network that `tunnel` and the server share, so that
 * each of the two can be started again without the other losing its own (docs/adr/0016-tunnels.md).
 */
import { bind, CONFINED, healthCheck, type ComposeService } from "./service.ts";

/** The user and group that Tailscale runs as, which cannot read the backups. */
export const TUNNEL_UID = 65_530;

/** What decides the services. */
export interface TunnelServices {
  readonly type: "tailscale" | "wireguard";
  readonly image: string;
  /** The directory of the tunnel's files on the peer. */
  readonly files: string;
  /** The directory of Tailscale's auth key. */
  readonly key: string;
  /** The directory where Tailscale keeps who it is. */
  readonly state: string;
  /** WireGuard's UDP port on the peer. */
  readonly port?: number;
  /** WireGuard's address in the tunnel. */
  readonly address?: string;
  /** Whether WireGuard is a program, and not the kernel's. */
  readonly userspace?: boolean;
  /** Seconds between two health checks. */
  readonly healthSeconds?: number | undefined;
}

/** What makes a service share the tunnel's network. */
export const IN_TUNNEL = "service:network";

/** Where the tunnel's files are in its container. */
const FILES = "/etc/tunnel";

/** A container that does nothing, and ends when it is told to. */
const HOLD = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait; done";

/** The services as compose reads them, and what the server needs in addition. */
export function tunnelServices(options: TunnelServices): {
  readonly services: Readonly<Record<"network" | "tunnel", ComposeService>>;
  readonly server: object;
} {
  const network = networkService(options);
  const tunnel = {
    image: options.image,
    entrypoint: ["/bin/sh"],
    command: [`${FILES}/start.sh`],
    network_mode: IN_TUNNEL,
    ...CONFINED,
    ...(options.type === "wireguard" ? wireguard(options) : tailscale(options)),
    depends_on: { network: { condition: "service_healthy" } },
  };
  return {
    services: { network, tunnel },
    server: { depends_on: { tunnel: { condition: "service_healthy" } } },
  };
}

function networkService({
  image,
  type,
  port,
  address,
  healthSeconds,
}: TunnelServices): ComposeService {
  return {
    image,
    entrypoint: ["/bin/sh"],
    command: ["-c", HOLD],
    user: `${TUNNEL_UID}:${TUNNEL_UID}`,
    ...CONFINED,
    // Who comes through the tunnel goes no further than this network.
    sysctls: {
      "net.ipv4.ip_forward": "0",
      ...(address?.includes(":") === true && { "net.ipv6.conf.all.disable_ipv6": "0" }),
    },
    ...(type === "wireguard" && port !== undefined && { ports: [`${port}:${port}/udp`] }),
    volumes: [],
    healthcheck: healthCheck("true", healthSeconds),
  };
}

/** The one right that WireGuard needs is over the network that it shares, and over no other. */
function wireguard({ files, address, userspace, healthSeconds }: TunnelServices): object {
  const probe = `wg show wg0 >/dev/null && ip address show dev wg0 | grep -qF ' ${address ?? ""}/'`;
  return {
    user: "0:0",
    cap_add: ["NET_ADMIN"],
    ...(userspace === true && {
      devices: ["/dev/net/tun:/dev/net/tun"],
      tmpfs: ["/var/run/wireguard:size=1m,mode=0700"],
    }),
    volumes: [bind(files, FILES, true)],
    healthcheck: healthCheck(probe, healthSeconds),
  };
}

function tailscale({ files, key, state, healthSeconds }: TunnelServices): object {
  const probe = `test -e /run/tailscale/joined && timeout 4 tailscale --socket=/run/tailscale/tailscaled.sock status --json --peers=false | grep -q '"BackendState": "Running"'`;
  return {
    user: `${TUNNEL_UID}:${TUNNEL_UID}`,
    tmpfs: [`/run/tailscale:size=1m,mode=0700,uid=${TUNNEL_UID},gid=${TUNNEL_UID}`],
    volumes: [
      bind(files, FILES, true),
      bind(key, "/etc/tunnel-key", true),
      bind(state, "/var/lib/tailscale", false),
    ],
    healthcheck: healthCheck(probe, healthSeconds),
  };
}
