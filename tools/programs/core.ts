/** What fort-offsite, its hub and its peer run. */
import { github, type Catalogue, type ProgramSpec, type Release } from "../spec.ts";

const PULUMI = "3.246.0";
const LANGUAGE_NODEJS = "3.63.0";
const RESTIC = "0.18.1";
const REST_SERVER = "0.14.0";
const RCLONE = "1.75.1";
const COMPOSE = "5.5.1";
const AGE = "1.3.2";
const SOPS = "3.13.3";

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

/** What every run of the sandbox needs. */
export const CORE = {
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
} satisfies Catalogue;
