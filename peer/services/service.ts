/** What every service of a peer's compose file has in common. */

/** The user and group that the server runs as: an ID that belongs to nobody on the peer. */
export const SERVER_UID = 65_532;

/** A service as compose reads it. */
export type ComposeService = Readonly<Record<string, unknown>> & { readonly image: string };

/** How a container is kept small: no rights, no place to write, no room to grow. */
export const CONFINED = {
  read_only: true,
  cap_drop: ["ALL"],
  security_opt: ["no-new-privileges:true"],
  mem_limit: "512m",
  pids_limit: 256,
  restart: "unless-stopped",
  stop_grace_period: "20s",
  logging: { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } },
} as const;

/** A directory of the peer's in a container. Docker does not make it. */
export function bind(source: string, target: string, readOnly: boolean): object {
  return {
    type: "bind",
    source,
    target,
    read_only: readOnly,
    bind: { create_host_path: false },
  };
}

/**
 * A check that a shell makes inside the container.
 *
 * @param probe - for a shell; compose would take a dollar sign for a variable.
 * @param seconds - between two checks, and what a start takes at least; 10 when left out.
 */
export function healthCheck(probe: string, seconds = 10): object {
  return {
    test: ["CMD", "/bin/sh", "-c", probe],
    interval: `${seconds}s`,
    timeout: "5s",
    retries: 3,
    start_period: "5s",
  };
}
