/** What the list of the outside programs says of each: see `programs.ts`. */
import type { Platform } from "./platform.ts";

/** The programs that fort-offsite, its sandbox and its checks run. */
export type ProgramName =
  | "pulumi"
  | "pulumi-language-nodejs"
  | "restic"
  | "rest-server"
  | "rclone"
  | "docker-compose"
  | "age"
  | "age-keygen"
  | "sops"
  | "gen-sdk"
  | "versitygw"
  | "caddy"
  | "tailscale"
  | "tailscaled"
  | "headscale"
  | "wireguard-go"
  | "wg"
  | "wg-quick"
  | "actionlint"
  | "docker"
  | "dockerd"
  | "sshd"
  | "ssh"
  | "ssh-keygen"
  | "ssh-keyscan"
  | "htpasswd"
  | "busybox"
  | "sqlite3"
  | "initdb"
  | "postgres"
  | "psql"
  | "zstd"
  | "curl"
  | "systemd-analyze"
  | "nix-instantiate"
  | "promtool"
  | "amtool"
  | "prometheus"
  | "chromium"
  | "time";

/** How a program tells its version. */
export interface Probe {
  args: readonly string[];
  /** Its first group is the version. Matched against standard output and standard error. */
  pattern: RegExp;
}

/** A file of the maker's release, with the file of checksums published beside it. */
export interface Release {
  /** The release's folder, ending in a slash. */
  base: string;
  /** The file's name for a platform, or undefined where the maker has none. */
  asset: (platform: Platform) => string | undefined;
  /**
   * The file of SHA-256 or SHA-512 checksums in the same folder, as `sha256sum` writes it; or the
   * file that a maker puts beside each of his files, which may hold the bare checksum.
   */
  checksums: string | ((asset: string) => string);
  format: "binary" | "bz2" | "tar.gz" | "zip";
  /** What to take out of an archive: the path inside it by the name that it gets. */
  members?: (platform: Platform) => Readonly<Record<string, string>>;
}

/** A package of a Go module, built inside a module of our own that pins all it depends on. */
export interface GoBuild {
  /** The folder below `tools/go/` with our `go.mod` and `go.sum`. */
  module: string;
  package: string;
  ldflags: string;
  /** Build tags, which leave parts out. */
  tags?: readonly string[];
  /** For the message: about how long it takes on 2 cores with nothing cached. */
  duration: string;
}

/** A package of Debian and Ubuntu. */
export interface SystemPackage {
  /** The package's name, or names of which the first that the distribution knows is meant. */
  names: readonly string[];
  /** Take this file out of the package into our cache and leave the system as it is. */
  unpack?: readonly string[];
}

/** Where one program is had. */
export interface ProgramSpec {
  /** The pinned version, or "any" for what every system has. */
  version: string;
  /** The range of versions on PATH that serve; without it any does. */
  serves?: string;
  probe?: Probe;
  /** What it is for, in a few words. */
  purpose: string;
  /** Must not need a dynamic linker, because it also goes into an empty container image. */
  static?: boolean;
  /** Folders to look in besides PATH. */
  directories?: readonly string[];
  /** Never looked for on PATH. */
  offPath?: boolean;
  /** Look beside this program's own file as well. */
  beside?: ProgramName;
  release?: Release;
  go?: GoBuild;
  packages?: SystemPackage;
}

/** The list as the code uses it. Tests bring their own. */
export type Catalogue = Readonly<Partial<Record<ProgramName, ProgramSpec>>>;

/** The folder of a release on GitHub. */
export const github = (repository: string, tag: string) =>
  `https://github.com/${repository}/releases/download/${tag}/`;
