/** The service `rest-server`: append-only, with a private repository per host. */
import type { ListenAddress } from "../../config/rules.ts";
import { bind, CONFINED, healthCheck, SERVER_UID, type ComposeService } from "./service.ts";

/** What decides the service. */
export interface RestServerService {
  readonly image: string;
  /** Where the server itself listens, in the network that `network` says. */
  readonly listen: ListenAddress;
  /** compose's `network_mode`: the peer's network when left out (docs/adr/0002-host-network.md). */
  readonly network?: string;
  /** The directory of the repositories on the peer. */
  readonly repositories: string;
  /** The directory of the htpasswd file on the peer. */
  readonly auth: string;
  readonly maxSizeGiB: number;
  /** Seconds between two health checks. */
  readonly healthSeconds?: number | undefined;
}

/** Where a client in the server's own network reaches a server that listens on `listen`. */
export function localAddress({ address, wildcard }: ListenAddress): string {
  if (!wildcard) return address;
  return address.includes(":") ? "::1" : "127.0.0.1";
}

/** The limit of all repositories together, in bytes. */
export function maxSize({ maxSizeGiB }: { readonly maxSizeGiB: number }): number {
  return Math.floor(maxSizeGiB * 1024 ** 3);
}

/** An address and port as programs take them. */
export function hostPort({ address, port }: ListenAddress): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The service as compose reads it. */
export function restServerService(options: RestServerService): ComposeService {
  const { listen } = options;
  const probe = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${localAddress(listen)} ${listen.port} | grep -q '^HTTP/1.[01] 401'`;
  return {
    image: options.image,
    entrypoint: ["/usr/bin/rest-server"],
    command: [
      "--path=/data",
      "--htpasswd-file=/etc/rest-server/htpasswd",
      `--listen=${hostPort(listen)}`,
      "--append-only",
      "--private-repos",
      `--max-size=${maxSize(options)}`,
    ],
    user: `${SERVER_UID}:${SERVER_UID}`,
    network_mode: options.network ?? "host",
    ...CONFINED,
    volumes: [
      bind(options.repositories, "/data", false),
      bind(options.auth, "/etc/rest-server", true),
    ],
    healthcheck: healthCheck(probe, options.healthSeconds),
  };
}
