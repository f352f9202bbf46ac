/** Programs from Debian's and Ubuntu's packages: daemons and what belongs to the system. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { copyFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import type { SystemPackage } from "./spec.ts";

/** Packages could not be had. The message says why. */
export class PackageError extends Error {
  override name = "PackageError";
}

/** What this module does to the system. Tests bring their own. */
export interface PackageManager {
  /** Why packages cannot be installed here, or undefined when they can. */
  unavailable(): Promise<string | undefined>;
  /** Installs packages, with nothing recommended beside them and no service started. */
  install(packages: readonly SystemPackage[], signal?: AbortSignal): Promise<void>;
  /** Writes the one file that is wanted out of a package. */
  unpack(wanted: SystemPackage, file: string, signal?: AbortSignal): Promise<void>;
}

/** A policy that keeps services from being started (invoke-rc.d(8), "policy-rc.d"). */
const POLICY_FILE = "/usr/sbin/policy-rc.d";
const POLICY_MARK = "# fort-offsite: no service starts while packages are installed";
const POLICY = `#!/bin/sh\n${POLICY_MARK}\nexit 101\n`;

/** apt-get, for Debian and Ubuntu. */
export class Apt implements PackageManager {
  #updated = false;

  async unavailable(): Promise<string | undefined> {
    if (process.platform !== "linux" || (await run(["apt-get", "--version"])).failed) {
      return "there is no apt-get on this system";
    }
    if (process.getuid?.() !== 0) return "only root can install packages";
    return undefined;
  }

  async install(packages: readonly SystemPackage[], signal?: AbortSignal): Promise<void> {
    await this.#update(signal);
    const names = new Set<string>();
    for (const wanted of packages) names.add(await this.#known(wanted));
    await withoutServices(async () => {
      const result = await run(
        [
          "apt-get",
          "install",
          "--yes",
          "--no-install-recommends",
          // To get one program, nothing that is there may go.
          "--no-remove",
          "-o",
          "DPkg::Lock::Timeout=120",
          ...names,
        ],
        signal,
      );
      if (result.failed) throw new PackageError(`apt-get install: ${lastLines(result.stderr)}`);
    });
  }

  async unpack(wanted: SystemPackage, file: string, signal?: AbortSignal): Promise<void> {
    await this.#update(signal);
    const folder = await mkdtemp(path.join(os.tmpdir(), "fort-offsite-package-"));
    try {
      const name = await this.#known(wanted);
      // As root, apt drops to the user "_apt" for downloads, who cannot write to our folder.
      const asRoot = ["-o", "APT::Sandbox::User=root"];
      const download = await run(["apt-get", ...asRoot, "download", name], signal, folder);
      const archive = (await readdir(folder)).find((entry) => entry.endsWith(".deb"));
      if (download.failed || archive === undefined) {
        throw new PackageError(`apt-get download ${name}: ${lastLines(download.stderr)}`);
      }
      const contents = path.join(folder, "contents");
      const extract = await run(["dpkg-deb", "--extract", archive, contents], signal, folder);
      if (extract.failed) throw new PackageError(`dpkg-deb: ${lastLines(extract.stderr)}`);
      const found = (wanted.unpack ?? [])
        .map((member) => path.join(contents, member))
        .find((member) => existsSync(member));
      if (found === undefined) {
        throw new PackageError(`the package ${name} has no ${(wanted.unpack ?? []).join(" or ")}`);
      }
      await copyFile(found, file);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #update(signal?: AbortSignal): Promise<void> {
    if (this.#updated) return;
    // A failure of one source must not matter when the others have the package.
    await run(["apt-get", "update", "-o", "DPkg::Lock::Timeout=120"], signal);
    this.#updated = true;
  }

  async #known(wanted: SystemPackage): Promise<string> {
    for (const name of wanted.names) {
      const policy = await run(["apt-cache", "policy", name]);
      if (/^ {2}Candidate: (?!\(none\))/m.test(policy.stdout)) return name;
    }
    throw new PackageError(`this distribution has no package ${wanted.names.join(" or ")}`);
  }
}

/**
 * Runs an action while Debian's maintainer scripts start no service. A policy that the system has
 * already is left alone; ours goes again whatever happens, and one that a killed run left behind is
 * known by its mark.
 */
export async function withoutServices<T>(
  action: () => Promise<T>,
  policyFile = POLICY_FILE,
): Promise<T> {
  if (existsSync(policyFile) && !readFileSync(policyFile, "utf8").includes(POLICY_MARK)) {
    return await action();
  }
  const remove = () => {
    rmSync(policyFile, { force: true });
  };
  process.once("exit", remove);
  try {
    await writeFile(policyFile, POLICY, { mode: 0o755 });
    return await action();
  } finally {
    remove();
    process.off("exit", remove);
  }
}

/**
 * The command that installs packages here, for the user to run.
 *
 * @param packages - Names as Debian has them.
 */
export function installCommand(packages: readonly string[]): string {
  const names = [...new Set(packages)].sort().join(" ");
  const sudo = process.getuid?.() === 0 ? "" : "sudo ";
  if (existsSync("/usr/bin/apt-get")) {
    return `${sudo}apt-get update && ${sudo}apt-get install --no-install-recommends ${names}`;
  }
  const nix = new Set(packages.map((name) => NIX_NAMES[name] ?? name));
  if (existsSync("/etc/NIXOS") || existsSync("/nix/store")) {
    return `nix-shell -p ${[...nix].sort().join(" ")}`;
  }
  return `your system's package manager: Debian calls the packages ${names}`;
}

const NIX_NAMES: Readonly<Record<string, string>> = {
  "docker.io": "docker",
  "docker-cli": "docker",
  "openssh-client": "openssh",
  "openssh-server": "openssh",
  "apache2-utils": "apacheHttpd",
  "busybox-static": "pkgsStatic.busybox",
  golang: "go",
};

async function run(command: readonly string[], signal?: AbortSignal, cwd?: string) {
  const [file = "", ...args] = command;
  const result = await execa(file, args, {
    reject: false,
    stdin: "ignore",
    env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" },
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  signal?.throwIfAborted();
  return result;
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-3).join("\n    ");
}
