/** The compose file of a peer's rest-server, and of what stands beside it. */
import { stringify } from "yaml";
import { caddyService, type CaddyPlaces, type CaddyService } from "./services/caddy.ts";
import { IN_TUNNEL, tunnelServices, type TunnelServices } from "./services/tunnel.ts";
import { restServerService, type RestServerService } from "./services/rest-server.ts";
import type { ComposeService } from "./services/service.ts";

export { localAddress, maxSize } from "./services/rest-server.ts";
export { SERVER_UID } from "./services/service.ts";

/** What decides the compose file. */
export interface ComposeOptions extends RestServerService {
  /** The compose project's name: lower-case letters, digits, hyphens, underscores. */
  readonly project: string;
  /** TLS in front of the server, which then listens at {@link CaddyService.upstream}. */
  readonly tls?: { readonly caddy: CaddyService; readonly places: CaddyPlaces } | undefined;
  /** A tunnel, in whose network the server listens and in no other. */
  readonly tunnel?: TunnelServices | undefined;
}

/** The services by name; the server itself is `rest-server`. */
export function composeServices(options: ComposeOptions): Record<string, ComposeService> {
  const { tls, tunnel, healthSeconds } = options;
  if (tunnel !== undefined) {
    const { services, server } = tunnelServices({ ...tunnel, healthSeconds });
    const own = restServerService({ ...options, network: IN_TUNNEL });
    return { ...services, "rest-server": { ...own, ...server } };
  }
  if (tls === undefined) return { "rest-server": restServerService(options) };
  const { caddy, places } = tls;
  return {
    "rest-server": restServerService({ ...options, listen: caddy.upstream }),
    caddy: caddyService(caddy, places, healthSeconds),
  };
}

/**
 * Renders the compose file.
 *
 * The container shares the peer's network, and the server itself binds the one address: a port
 * published by Docker is not tried again when the address of a tunnel comes up after Docker at
 * boot, a server that cannot bind is restarted until it can (docs/adr/0002-host-network.md).
 *
 * @returns YAML whose bytes depend on the options alone.
 */
export function composeFile(options: ComposeOptions): string {
  return stringify(
    { name: options.project, services: composeServices(options) },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
}
