/** The service `caddy`: TLS in front of the server, which then listens at the loopback address alone. */
import { hostPort, localAddress } from "./rest-server.ts";
import type { ListenAddress } from "../../config/rules.ts";
import { bind, CONFINED, healthCheck, type ComposeService } from "./service.ts";

/** The user and group that Caddy runs as, which cannot read the backups. */
export const PROXY_UID = 65_531;

/** TLS in front of a server. */
export interface CaddyService {
  readonly kind: "self-signed" | "acme";
  readonly image: string;
  /** The name or address by which the clients reach it, without brackets: the certificate's. */
  readonly host: string;
  /** Where Caddy listens. */
  readonly listen: ListenAddress;
  /** Where the server itself listens. */
  readonly upstream: ListenAddress;
  /** What names the peer's own authority: with another name it is another one. */
  readonly authority: string;
  readonly email?: string | undefined;
  /** The ACME server's directory. */
  readonly acmeServer?: string | undefined;
  /** In PEM: who vouches for the ACME server itself. */
  readonly acmeRoot?: string | undefined;
  readonly httpPort: number;
}

/** Where Caddy's files are on the peer. */
export interface CaddyPlaces {
  /** The Caddyfile's directory. */
  readonly files: string;
  /** The directory of the peer's own authority. */
  readonly authority: string;
  /** What Caddy keeps: certificates, its account with the ACME server. */
  readonly data: string;
}

/** The service as compose reads it. */
export function caddyService(
  caddy: CaddyService,
  places: CaddyPlaces,
  healthSeconds?: number,
): ComposeService {
  const { listen, kind } = caddy;
  // A server that speaks TLS says this to whoever does not.
  const probe = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${localAddress(listen)} ${listen.port} | grep -q '^HTTP/1.[01] 400'`;
  // The program in the official image carries this right, and does not start where it is out of
  // reach. For a port below 1024 it has to be granted at the start, too.
  const isLow = listen.port < 1024 || (kind === "acme" && caddy.httpPort < 1024);
  const { security_opt, ...confined } = CONFINED;
  return {
    image: caddy.image,
    entrypoint: ["/usr/bin/caddy"],
    command: ["run", "--config=/etc/caddy/Caddyfile", "--adapter=caddyfile"],
    user: `${PROXY_UID}:${PROXY_UID}`,
    network_mode: "host",
    ...confined,
    cap_add: ["NET_BIND_SERVICE"],
    ...(!isLow && { security_opt }),
    volumes: [
      bind(places.files, "/etc/caddy", true),
      ...(kind === "self-signed" ? [bind(places.authority, "/etc/authority", true)] : []),
      bind(places.data, "/data", false),
    ],
    healthcheck: healthCheck(probe, healthSeconds),
  };
}

/** Who issues the certificate. */
function issuer(caddy: CaddyService): string {
  if (caddy.kind === "acme") return "";
  // Caddy renews it when a third of its time is left. Its name is the place where Caddy keeps the
  // certificates, so that those of another authority are not taken for this one's.
  return `
	tls {
		issuer internal {
			ca ${caddy.authority}
			lifetime 2160h
			sign_with_root
		}
	}`;
}

function global(caddy: CaddyService): string[] {
  const { listen, kind } = caddy;
  const common = [
    "admin off",
    "persist_config off",
    "skip_install_trust",
    "storage file_system /data",
    `default_bind ${listen.address}`,
    `https_port ${listen.port}`,
    // A client that knows an address only names nobody.
    `default_sni ${caddy.host}`,
    "grace_period 15s",
  ];
  if (kind === "self-signed") {
    const root = `root {
				format pem_file
				cert /etc/authority/ca.pem
				key /etc/authority/ca.key
			}`;
    return [
      ...common,
      "auto_https disable_redirects",
      `pki {
		ca ${caddy.authority} {
			${root}
		}
	}`,
    ];
  }
  return [
    ...common,
    `http_port ${caddy.httpPort}`,
    ...(caddy.email === undefined ? [] : [`email ${caddy.email}`]),
    ...(caddy.acmeServer === undefined ? [] : [`acme_ca ${caddy.acmeServer}`]),
    ...(caddy.acmeRoot === undefined ? [] : ["acme_ca_root /etc/caddy/acme-root.pem"]),
  ];
}

/**
 * Renders the Caddyfile. What is no request of restic's to a repository goes no further than Caddy.
 * Nothing limits the size of an upload, or its time.
 */
export function caddyfile(caddy: CaddyService): string {
  const site = `https://${hostPort({ ...caddy.listen, address: caddy.host })}`;
  return `{
	${global(caddy).join("\n\t")}
	servers {
		protocols h1 h2
		timeouts {
			read_header 30s
			idle 5m
		}
	}
}

${site} {${issuer(caddy)}
	@repository {
		method GET HEAD POST DELETE
		path_regexp ^/[a-z0-9-]{1,40}/(?:config|(?:data|index|keys|locks|snapshots)/(?:[0-9a-f]{64})?|(?:offsite-canary/.*)?)$
	}
	handle @repository {
		reverse_proxy ${hostPort(caddy.upstream)} {
			flush_interval -1
		}
	}
	handle {
		respond 404
	}
}
`;
}

/** Caddy's files by name. There is no secret among them. */
export function caddyFiles(caddy: CaddyService): Record<string, string> {
  return {
    Caddyfile: caddyfile(caddy),
    ...(caddy.acmeRoot !== undefined && { "acme-root.pem": caddy.acmeRoot }),
  };
}
