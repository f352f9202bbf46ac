/** The seed's hosts: keys, small real files, and restic at work on them. */
import { createHash, randomBytes } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { newSshKey, publicKey } from "./peer.ts";
import type { World } from "./world.ts";

/** A host of the seed's inventory with the directories of its services. */
const INVENTORY = {
  drhorrible: { sizeGiB: 5, services: ["forgejo", "pocket-id"] },
  q: { sizeGiB: 10, services: ["outline", "actualbudget", "vikunja"] },
  ursula: { sizeGiB: 2, services: ["jellyfin", "audiobookshelf", "calibre-web"] },
  raishan: { sizeGiB: 0.1, services: ["headscale"] },
  joker: { sizeGiB: 0.1, services: ["ssh"] },
  lordhenry: { sizeGiB: 0.1, services: ["ssh"] },
  minos: { sizeGiB: 0.1, services: ["ssh"] },
} as const;

/** A host of the sandbox. */
export interface Host {
  readonly name: string;
  readonly sizeGiB: number;
  /** The public key that its files are sealed to. */
  readonly key: string;
  /** The private key that opens them. */
  readonly identityFile: string;
  /** What is backed up. */
  readonly data: string;
  /** The repository's password, which Pulumi never sees. */
  readonly passwordFile: string;
}

/** Makes the hosts: every other one with an SSH key, the rest with an age key. */
export async function makeHosts(world: World): Promise<Host[]> {
  return Promise.all(
    Object.entries(INVENTORY).map(async ([name, { sizeGiB, services }], index) => {
      const folder = world.folder("hosts", name);
      const identityFile = join(folder, "identity");
      const key =
        index % 2 === 0 ? await sshIdentity(identityFile, name) : await ageIdentity(identityFile);
      const data = world.folder("hosts", name, "data");
      services.forEach((service) => fill(join(data, "var", "lib", service), sizeGiB));
      return {
        name,
        sizeGiB,
        key,
        identityFile,
        data,
        passwordFile: world.file(
          `hosts/${name}/repository-password`,
          randomBytes(24).toString("hex"),
        ),
      };
    }),
  );
}

async function sshIdentity(file: string, name: string): Promise<string> {
  return publicKey(await newSshKey(file, name));
}

async function ageIdentity(file: string): Promise<string> {
  await execa("age-keygen", ["--output", file]);
  const { stdout } = await execa("age-keygen", ["-y", file]);
  return stdout.trim();
}

/** Files as services leave them: a database, logs of text, odd names, a link, an empty file. */
function fill(folder: string, sizeGiB: number): void {
  mkdirSync(join(folder, "sub folder", "ünïcode"), { recursive: true });
  const kib = Math.ceil(sizeGiB * 64);
  writeFileSync(join(folder, "state.db"), randomBytes(kib * 1024));
  writeFileSync(join(folder, "notes.txt"), "one line and another\n".repeat(kib * 8));
  writeFileSync(join(folder, "sub folder", "ünïcode", "a 'quoted' name"), randomBytes(100));
  writeFileSync(join(folder, "empty"), "");
  symlinkSync("state.db", join(folder, "latest"));
  utimesSync(join(folder, "notes.txt"), 1_600_000_000, 1_600_000_000);
}

/** Opens one of the bundle's files with a machine's own key, as agenix does at its boot. */
export async function unseal(file: string, identityFile: string): Promise<string> {
  const { stdout } = await execa("age", ["--decrypt", "--identity", identityFile, file], {
    stripFinalNewline: false,
  });
  return stdout;
}

/** The variables of an env file. */
export function parseEnv(content: string): Record<string, string> {
  return Object.fromEntries(
    content
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

/** Runs restic for a host; nothing secret is in its arguments. */
export async function restic(
  world: World,
  host: Host,
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  options: { cwd?: string } = {},
): Promise<string> {
  const { stdout } = await execa("restic", args, {
    ...options,
    env: {
      ...env,
      RESTIC_PASSWORD_FILE: host.passwordFile,
      RESTIC_CACHE_DIR: world.folder("cache", host.name),
      RCLONE_CONFIG: "/dev/null",
    },
  });
  return stdout;
}

/**
 * Restores a host's newest snapshot from a target, with what is in the host's env file.
 *
 * @returns the folder that holds it.
 */
export async function restoreFrom(
  world: World,
  host: Host,
  env: Readonly<Record<string, string>>,
  target: string,
): Promise<string> {
  const destination = world.folder("restored", target, host.name);
  const prefix = `OFFSITE_${target.toUpperCase()}`;
  const certificate = env[`${prefix}_CERTIFICATE`];
  const access = {
    ...env,
    RESTIC_REST_PASSWORD: env[`${prefix}_PASSWORD`] ?? "",
    ...(certificate !== undefined && {
      RESTIC_CACERT: world.file(
        `hosts/${target}.pem`,
        Buffer.from(certificate, "base64").toString(),
      ),
    }),
  };
  const from = ["--repo", env[`${prefix}_REPOSITORY`] ?? "", "--no-lock"];
  const what = ["restore", "latest", "--quiet", "--target", destination];
  await restic(world, host, access, [...from, ...what]);
  return destination;
}

/** A line for everything below a folder: name, kind, mode, time, and content by its hash. */
export function fingerprint(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const stat = lstatSync(path);
      const content = stat.isSymbolicLink()
        ? readlinkSync(path)
        : stat.isFile()
          ? createHash("sha256").update(readFileSync(path)).digest("hex")
          : "directory";
      return `${name} ${stat.mode.toString(8)} ${stat.mtimeMs} ${content}`;
    });
}
