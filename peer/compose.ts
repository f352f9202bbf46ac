/** The compose file of a peer's rest-server. */
import { stringify } from "yaml";
import type { ListenAddress } from "../config/rules.ts";

/** The user and group that the server runs as: an ID that belongs to nobody on the peer. */
export const SERVER_UID = 65_532;

/** What decides the compose file. */
export interface ComposeOptions {
  /** The compose project's name: lower-case letters, digits, hyphens, underscores. */
  readonly project: string;
  readonly image: string;
  readonly listen: ListenAddress;
  /** The directory of the repositories on the peer. */
  readonly repositories: string;
  /** The directory of the htpasswd file on the peer. */
  readonly auth: string;
  readonly maxSizeGiB: number;
  /** Seconds between two health checks; also what a start takes at least. 10 when left out. */
  readonly healthSeconds?: number;
}

/** Where a client on the peer itself reaches a server that listens on `listen`. */
export function localAddress({ address, wildcard }: ListenAddress): string {
  if (!wildcard) return address;
  return address.includes(":") ? "::1" : "127.0.0.1";
}

/** The limit of all repositories together, in bytes. */
export function maxSize({ maxSizeGiB }: { readonly maxSizeGiB: number }): number {
  return Math.floor(maxSizeGiB * 1024 ** 3);
}

function hostPort({ address, port }: ListenAddress): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
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
  const { listen } = options;
  // A dollar sign would be taken for a variable of compose: none of the values can hold one.
  const probe = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${localAddress(listen)} ${listen.port} | grep -q '^HTTP/1.[01] 401'`;
  return stringify(
    {
      name: options.project,
      services: {
        "rest-server": {
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
          network_mode: "host",
          read_only: true,
          cap_drop: ["ALL"],
          security_opt: ["no-new-privileges:true"],
          mem_limit: "512m",
          pids_limit: 256,
          restart: "unless-stopped",
          stop_grace_period: "20s",
          logging: { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } },
          volumes: [
            bind(options.repositories, "/data", false),
            bind(options.auth, "/etc/rest-server", true),
          ],
          healthcheck: {
            test: ["CMD", "/bin/sh", "-c", probe],
            interval: `${options.healthSeconds ?? 10}s`,
            timeout: "5s",
            retries: 3,
            start_period: "5s",
          },
        },
      },
    },
    { lineWidth: 0 },
  );
}

function bind(source: string, target: string, readOnly: boolean): object {
  return {
    type: "bind",
    source,
    target,
    read_only: readOnly,
    bind: { create_host_path: false },
  };
}
