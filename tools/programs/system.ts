/** Programs that belong to the system: the first place that has them is the distribution. */
import type { Catalogue, ProgramSpec } from "../spec.ts";

/** Daemons are often outside of an ordinary user's PATH. */
const SYSTEM_DIRECTORIES = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin"];

/** Debian and Ubuntu keep PostgreSQL's programs off PATH, in a folder a version. */
const postgresql = (purpose: string): ProgramSpec => ({
  version: "any",
  purpose,
  directories: [18, 17, 16, 15, 14, 13].map((version) => `/usr/lib/postgresql/${version}/bin`),
  packages: { names: ["postgresql"] },
});

const openSsh = (purpose: string): ProgramSpec => ({
  version: "any",
  purpose,
  directories: SYSTEM_DIRECTORIES,
  packages: { names: ["openssh-client"] },
});

/** What the distribution brings. */
export const SYSTEM = {
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
    purpose: "checks the metrics and the alerts in the tests",
    // The package would start a server, so its file is taken out instead.
    packages: { names: ["prometheus"], unpack: ["usr/bin/promtool"] },
  },
  amtool: {
    version: "any",
    purpose: "checks the example for Alertmanager in the tests",
    packages: { names: ["prometheus-alertmanager"], unpack: ["usr/bin/amtool"] },
  },
  prometheus: {
    version: "any",
    serves: ">=2.40.0",
    probe: { args: ["--version"], pattern: /^prometheus, version (\d+\.\d+\.\d+)/m },
    purpose: "asks the dashboard's queries in the tests",
    packages: { names: ["prometheus"], unpack: ["usr/bin/prometheus"] },
  },
  chromium: {
    version: "any",
    purpose: "shows the status page and the dashboard in the tests",
    packages: { names: ["chromium"] },
  },
  time: {
    version: "any",
    purpose: "accounts for a process in the benchmarks",
    directories: SYSTEM_DIRECTORIES,
    packages: { names: ["time"] },
  },
} satisfies Catalogue;
