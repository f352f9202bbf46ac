/** What the targets other than b2 and rest-server, the tunnels, TLS and the workflows are tried with. */
import type { Platform } from "../platform.ts";
import { github, type Catalogue, type ProgramSpec } from "../spec.ts";

const VERSITYGW = "1.8.0";
const CADDY = "2.11.9";
/** The newest that Go 1.26 builds. */
const TAILSCALE = "1.102.5";
const HEADSCALE = "0.29.0";
const ACTIONLINT = "1.7.12";

const tailscale = (command: string, purpose: string): ProgramSpec => ({
  version: TAILSCALE,
  serves: ">=1.80.0 <2",
  probe: { args: ["--version"], pattern: /^(\d+\.\d+\.\d+)/m },
  purpose,
  static: true,
  directories: ["/usr/sbin"],
  release: {
    base: "https://pkgs.tailscale.com/stable/",
    asset: ({ os, arch }) => (os === "linux" ? `tailscale_${TAILSCALE}_${arch}.tgz` : undefined),
    checksums: (asset) => `${asset}.sha256`,
    format: "tar.gz",
    members: ({ arch }) => ({ [command]: `tailscale_${TAILSCALE}_${arch}/${command}` }),
  },
  go: {
    module: "tailscale",
    package: `tailscale.com/cmd/${command}`,
    ldflags: ["longStamp", "shortStamp"]
      .map((stamp) => `-X tailscale.com/version.${stamp}=${TAILSCALE}`)
      .join(" "),
    duration: "2 minutes",
  },
});

/** In the order in which they are shown. */
export const TARGETS = {
  versitygw: {
    version: VERSITYGW,
    serves: ">=1.0.0 <2",
    probe: { args: ["--version"], pattern: /^Version\s*:\s*(\S+)/m },
    purpose: "an S3 server: any S3, and what stands in for R2",
    release: {
      base: github("versity/versitygw", `v${VERSITYGW}`),
      asset: (platform) => `${versitygwFolder(platform)}.tar.gz`,
      checksums: "checksums.txt",
      format: "tar.gz",
      members: (platform) => ({ versitygw: `${versitygwFolder(platform)}/versitygw` }),
    },
    go: {
      module: "versitygw",
      package: "github.com/versity/versitygw/cmd/versitygw",
      ldflags: `-X main.Version=${VERSITYGW}`,
      duration: "a minute",
    },
  },
  caddy: {
    version: CADDY,
    serves: ">=2.8.0 <3",
    probe: { args: ["version"], pattern: /^v?(\d\S*)/m },
    purpose: "TLS before the peer's rest-server",
    static: true,
    release: {
      base: github("caddyserver/caddy", `v${CADDY}`),
      asset: ({ os, arch }) => `caddy_${CADDY}_${os === "darwin" ? "mac" : os}_${arch}.tar.gz`,
      checksums: `caddy_${CADDY}_checksums.txt`,
      format: "tar.gz",
      members: () => ({ caddy: "caddy" }),
    },
    go: {
      module: "caddy",
      package: "github.com/caddyserver/caddy/v2/cmd/caddy",
      ldflags: `-X github.com/caddyserver/caddy/v2.CustomVersion=v${CADDY}`,
      // As the maker builds it: no database for a certificate authority of one's own.
      tags: ["nobadger", "nomysql", "nopgx"],
      duration: "2 minutes",
    },
  },
  tailscale: tailscale("tailscale", "the client of a Tailscale tunnel"),
  tailscaled: tailscale("tailscaled", "the daemon of a Tailscale tunnel"),
  headscale: {
    version: HEADSCALE,
    serves: ">=0.26.0 <1",
    probe: { args: ["version"], pattern: /^(?:headscale version )?v?(\d+\.\d+\.\d+\S*)/m },
    purpose: "a login server for Tailscale tunnels",
    release: {
      base: github("juanfont/headscale", `v${HEADSCALE}`),
      asset: ({ os, arch }) => `headscale_${HEADSCALE}_${os}_${arch}`,
      checksums: "checksums.txt",
      format: "binary",
    },
    go: {
      module: "headscale",
      package: "github.com/juanfont/headscale/cmd/headscale",
      ldflags: "",
      duration: "2 minutes",
    },
  },
  "wireguard-go": {
    // As it tells it itself; go.mod pins the commit.
    version: "0.0.20250522",
    probe: { args: ["--version"], pattern: /^wireguard-go v(\S+)/m },
    purpose: "WireGuard where the kernel has none",
    static: true,
    go: {
      module: "wireguard-go",
      package: "golang.zx2c4.com/wireguard",
      ldflags: "",
      duration: "20 seconds",
    },
  },
  wg: {
    version: "any",
    purpose: "sets WireGuard up",
    // The package would bring a service for each file in /etc/wireguard, so its file is taken out.
    packages: { names: ["wireguard-tools"], unpack: ["usr/bin/wg"] },
  },
  "wg-quick": {
    version: "any",
    purpose: "brings a WireGuard interface up as on a hub",
    packages: { names: ["wireguard-tools"], unpack: ["usr/bin/wg-quick"] },
  },
  actionlint: {
    version: ACTIONLINT,
    serves: ">=1.7.0 <2",
    probe: { args: ["-version"], pattern: /^v?(\d+\.\d+\.\d+)/m },
    purpose: "checks the workflows",
    release: {
      base: github("rhysd/actionlint", `v${ACTIONLINT}`),
      asset: ({ os, arch }) => `actionlint_${ACTIONLINT}_${os}_${arch}.tar.gz`,
      checksums: `actionlint_${ACTIONLINT}_checksums.txt`,
      format: "tar.gz",
      members: () => ({ actionlint: "actionlint" }),
    },
    go: {
      module: "actionlint",
      package: "github.com/rhysd/actionlint/cmd/actionlint",
      ldflags: `-X github.com/rhysd/actionlint.version=${ACTIONLINT}`,
      duration: "20 seconds",
    },
  },
} satisfies Catalogue;

/** `uname`'s names, which this maker uses: "Darwin", "x86_64". */
function versitygwFolder({ os, arch }: Platform): string {
  const system = os === "darwin" ? "Darwin" : "Linux";
  return `versitygw_v${VERSITYGW}_${system}_${arch === "amd64" ? "x86_64" : arch}`;
}
