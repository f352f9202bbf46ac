/**
 * The one pinned list of the outside programs: which version is meant, which versions on PATH serve
 * as well, and where each is had. Nothing here acts; `index.ts` follows the list.
 */
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
  | "promtool";

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
  /** The file of SHA-256 checksums in the same folder, in the format of `sha256sum`. */
  checksums: string;
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

const PULUMI = "3.246.0";
const LANGUAGE_NODEJS = "3.63.0";
const RESTIC = "0.18.1";
const REST_SERVER = "0.14.0";
const RCLONE = "1.75.1";
const COMPOSE = "5.5.1";
const AGE = "1.3.2";
const SOPS = "3.13.3";

const github = (repository: string, tag: string) =>
  `https://github.com/${repository}/releases/download/${tag}/`;

/** Daemons are often outside of an ordinary user's PATH. */
const SYSTEM_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin"];

/** Debian and Ubuntu keep PostgreSQL's programs off PATH, in a folder a version. */
const postgresql = (purpose: string): ProgramSpec => ({
  version: "any",
  purpose,
  directories: [18, 17, 16, 15, 14, 13].map((version) => `/usr/lib/postgresql/${version}/bin`),
  packages: { names: ["postgresql"] },
});

const pulumiRelease = (members: readonly string[]): Release => ({
  base: github("pulumi/pulumi", `v${PULUMI}`),
  asset: ({ os, arch }) => `pulumi-v${PULUMI}-${os}-${arch === "amd64" ? "x64" : "arm64"}.tar.gz`,
  checksums: `pulumi-${PULUMI}-checksums.txt`,
  format: "tar.gz",
  members: () => Object.fromEntries(members.map((member) => [member, `pulumi/${member}`])),
});

const ageBuild = (command: string): Pick<ProgramSpec, "go" | "packages"> => ({
  // age's releases are signed in a way of their own and have no file of checksums.
  go: {
    module: "age",
    package: `filippo.io/age/cmd/${command}`,
    ldflags: `-X main.Version=v${AGE}`,
    duration: "20 seconds",
  },
  packages: { names: ["age"] },
});

const openSsh = (purpose: string): ProgramSpec => ({
  version: "any",
  purpose,
  directories: SYSTEM_DIRECTORIES,
  packages: { names: ["openssh-client"] },
});

/** The programs, in the order in which they are shown. */
export const PROGRAMS: Readonly<Record<ProgramName, ProgramSpec>> = {
  pulumi: {
    version: PULUMI,
    serves: ">=3.200.0 <4",
    probe: { args: ["version"], pattern: /^v(\S+)/m },
    purpose: "the engine that runs the program",
    // The archive holds the language host too, which the engine finds beside itself.
    release: pulumiRelease(["pulumi", "pulumi-language-nodejs"]),
    go: {
      module: "pulumi",
      package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
      ldflags: `-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${PULUMI}`,
      duration: "4 minutes",
    },
  },
  "pulumi-language-nodejs": {
    // The last version whose package is part of the module sdk/v3. It has no option that tells its
    // version, so any on PATH serves: the engine takes that one anyway.
    version: LANGUAGE_NODEJS,
    purpose: "the engine's host for Node.js programs",
    beside: "pulumi",
    release: pulumiRelease(["pulumi-language-nodejs"]),
    go: {
      module: "pulumi-language-nodejs",
      package: "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs",
      ldflags: "",
      duration: "30 seconds",
    },
  },
  restic: {
    version: RESTIC,
    serves: ">=0.17.0 <1",
    probe: { args: ["version"], pattern: /^restic (\S+)/m },
    purpose: "makes the backups",
    release: {
      base: github("restic/restic", `v${RESTIC}`),
      asset: ({ os, arch }) => `restic_${RESTIC}_${os}_${arch}.bz2`,
      checksums: "SHA256SUMS",
      format: "bz2",
    },
    go: {
      module: "restic",
      package: "github.com/restic/restic/cmd/restic",
      ldflags: "",
      duration: "a minute",
    },
  },
  "rest-server": {
    version: REST_SERVER,
    serves: ">=0.13.0 <1",
    probe: { args: ["--version"], pattern: /rest-server (\d\S*)/ },
    purpose: "serves restic repositories, at the hub and at the peer",
    static: true,
    release: {
      base: github("restic/rest-server", `v${REST_SERVER}`),
      asset: ({ os, arch }) => `rest-server_${REST_SERVER}_${os}_${arch}.tar.gz`,
      checksums: "SHA256SUMS",
      format: "tar.gz",
      members: ({ os, arch }) => ({
        "rest-server": `rest-server_${REST_SERVER}_${os}_${arch}/rest-server`,
      }),
    },
    go: {
      module: "rest-server",
      package: "github.com/restic/rest-server/cmd/rest-server",
      ldflags: "",
      duration: "20 seconds",
    },
  },
  rclone: {
    version: RCLONE,
    serves: ">=1.68.0 <2",
    probe: { args: ["version"], pattern: /^rclone v(\S+)/m },
    purpose: "copies to the cloud",
    release: {
      base: github("rclone/rclone", `v${RCLONE}`),
      asset: ({ os, arch }) => `rclone-v${RCLONE}-${os === "darwin" ? "osx" : os}-${arch}.zip`,
      checksums: "SHA256SUMS",
      format: "zip",
      members: ({ os, arch }) => ({
        rclone: `rclone-v${RCLONE}-${os === "darwin" ? "osx" : os}-${arch}/rclone`,
      }),
    },
    go: {
      module: "rclone",
      package: ".",
      ldflags: `-X github.com/rclone/rclone/fs.Version=v${RCLONE}`,
      duration: "a minute",
    },
  },
  "docker-compose": {
    version: COMPOSE,
    serves: ">=2.24.0 <6",
    probe: { args: ["version"], pattern: /^Docker Compose version v?(\S+)/m },
    purpose: "the plugin `docker compose`",
    directories: [
      "/usr/local/lib/docker/cli-plugins",
      "/usr/local/libexec/docker/cli-plugins",
      "/usr/lib/docker/cli-plugins",
      "/usr/libexec/docker/cli-plugins",
    ],
    release: {
      base: github("docker/compose", `v${COMPOSE}`),
      asset: ({ os, arch }) => `docker-compose-${os}-${arch === "amd64" ? "x86_64" : "aarch64"}`,
      checksums: "checksums.txt",
      format: "binary",
    },
    go: {
      module: "docker-compose",
      package: "github.com/docker/compose/v5/cmd",
      ldflags: `-X github.com/docker/compose/v5/internal.Version=v${COMPOSE}`,
      duration: "a minute",
    },
  },
  age: {
    version: AGE,
    serves: ">=1.1.0 <2",
    probe: { args: ["--version"], pattern: /^v?(\d\S*)/m },
    purpose: "seals the bundle's files",
    ...ageBuild("age"),
  },
  "age-keygen": {
    version: AGE,
    serves: ">=1.1.0 <2",
    probe: { args: ["--version"], pattern: /^v?(\d\S*)/m },
    purpose: "makes age's keys",
    ...ageBuild("age-keygen"),
  },
  sops: {
    version: SOPS,
    serves: ">=3.8.0 <4",
    probe: { args: ["--disable-version-check", "--version"], pattern: /^sops (\d\S*)/m },
    purpose: "seals the bundle's files for sops-nix",
    release: {
      base: github("getsops/sops", `v${SOPS}`),
      asset: ({ os, arch }) => `sops-v${SOPS}.${os}.${arch}`,
      checksums: `sops-v${SOPS}.checksums.txt`,
      format: "binary",
    },
    go: {
      module: "sops",
      package: "github.com/getsops/sops/v3/cmd/sops",
      ldflags: "",
      duration: "70 seconds",
    },
  },
  "gen-sdk": {
    version: PULUMI,
    // One on PATH would be somebody else's.
    offPath: true,
    purpose: "writes the SDK of @pulumi/b2",
    go: { module: "pulumi", package: "./gen-sdk", ldflags: "", duration: "3 minutes" },
  },
  docker: {
    version: "any",
    serves: ">=20.10.0",
    probe: { args: ["--version"], pattern: /^Docker version (\d+\.\d+\.\d+)/m },
    purpose: "Docker's client",
    packages: { names: ["docker-cli", "docker.io"] },
  },
  dockerd: {
    version: "any",
    serves: ">=20.10.0",
    probe: { args: ["--version"], pattern: /^Docker version (\d+\.\d+\.\d+)/m },
    purpose: "a Docker engine for the sandbox's peer",
    directories: SYSTEM_DIRECTORIES,
    packages: { names: ["docker.io"] },
  },
  sshd: {
    version: "any",
    purpose: "the sandbox's peer is reached through it",
    directories: [...SYSTEM_DIRECTORIES, "/usr/libexec"],
    packages: { names: ["openssh-server"] },
  },
  ssh: openSsh("the way to the peer"),
  "ssh-keygen": openSsh("makes SSH keys"),
  "ssh-keyscan": openSsh("reads a machine's host key"),
  htpasswd: {
    version: "any",
    purpose: "the reference for htpasswd lines",
    directories: SYSTEM_DIRECTORIES,
    packages: { names: ["apache2-utils"] },
  },
  busybox: {
    version: "any",
    purpose: "commands for health checks in an image",
    static: true,
    // The package would push a dynamic busybox off the system, so its file is taken out instead.
    packages: { names: ["busybox-static"], unpack: ["bin/busybox", "usr/bin/busybox"] },
  },
  sqlite3: {
    version: "any",
    purpose: "checks SQLite files in a drill",
    packages: { names: ["sqlite3"] },
  },
  initdb: postgresql("makes a scratch cluster in a drill"),
  postgres: postgresql("loads a dump in a drill"),
  psql: postgresql("loads a dump in a drill"),
  zstd: {
    version: "any",
    purpose: "reads compressed dumps in a drill",
    packages: { names: ["zstd"] },
  },
  curl: {
    version: "any",
    purpose: "asks the hub which credential it accepts, on a NixOS host",
    packages: { names: ["curl"] },
  },
  "systemd-analyze": {
    version: "any",
    purpose: "checks the NixOS modules' units in the tests",
    packages: { names: ["systemd"] },
  },
  "nix-instantiate": {
    version: "any",
    purpose: "evaluates the NixOS modules in the tests",
    packages: { names: ["nix-bin"] },
  },
  promtool: {
    version: "any",
    purpose: "checks the metrics in the tests",
    // The package would start a server, so its file is taken out instead.
    packages: { names: ["prometheus"], unpack: ["usr/bin/promtool"] },
  },
};

/** All names, in the list's order. */
export const PROGRAM_NAMES = Object.keys(PROGRAMS) as ProgramName[];
