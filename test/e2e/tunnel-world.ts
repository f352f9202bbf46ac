/** What the tests of a tunnel have beside a cluster: an image for the peer's end, and the hub's end. */
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { isRoot } from "../../sandbox/world.ts";
import { ensurePrograms, type ProgramName } from "../../tools/index.ts";
import type { Machines } from "./cluster.ts";

/** Where programs are. */
export async function pathsOf<T extends ProgramName>(
  ...names: readonly T[]
): Promise<Record<T, string>> {
  const programs = await ensurePrograms(names);
  return Object.fromEntries(
    names.map((name) => [name, programs.get(name)?.path ?? name]),
  ) as Record<T, string>;
}

/**
 * Makes an image of real programs without a registry: with the shell and the small tools that the
 * official images have, and the libraries that the programs need.
 *
 * @returns the image's ID.
 */
export async function tunnelImage(
  { world, engine, programs }: Machines,
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const root = world.folder(`image-${name}`);
  const put = (from: string, to: string) => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    cpSync(from, join(root, to), { dereference: true });
  };
  put(programs.path("busybox"), "bin/busybox");
  for (const applet of ["sh", "ip", "sleep", "timeout", "grep", "nc", "cat", "rm", "test"]) {
    symlinkSync("busybox", join(root, "bin", applet));
  }
  for (const [to, from] of Object.entries(files)) {
    put(from, to);
    const { stdout } = await execa("ldd", [from], { reject: false });
    for (const [library] of stdout.matchAll(/\/\S+(?= \(0x)/g)) put(library, library);
  }
  for (const folder of ["etc", "run", "tmp", "var/run/wireguard", "var/lib/tailscale"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  const env = { DOCKER_HOST: engine.host };
  const tag = `fort-offsite-${name}:${world.id}`;
  const { stdout: id } = await execa(
    "tar",
    ["--create", "--owner=0", "--group=0", "--directory", root, "."],
    { encoding: "buffer", buffer: false },
  ).pipe("docker", ["import", "-", tag], { env });
  if (!engine.own) {
    world.cleanup.add(`the image ${name}`, async () => {
      await execa("docker", ["rmi", "--force", tag], { env, reject: false });
    });
  }
  return id.trim();
}

/** Runs a program with root's rights. */
export async function asRoot(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  const given = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return await execa(
    isRoot() ? "env" : "sudo",
    [...(isRoot() ? [] : ["-n", "env"]), ...given, program, ...args],
    { all: true, reject: false, stdin: "ignore" },
  );
}

/** The usual server's image, which the settings of the usual target name. */
export async function serverImage(machines: Machines): Promise<string> {
  const { stdout } = await asRoot("docker", [
    "--host",
    machines.engine.host,
    "image",
    "inspect",
    "--format",
    "{{.Id}}",
    `fort-offsite-sandbox:fort-offsite-${machines.world.id}`,
  ]);
  return stdout.trim();
}

/** Whether the machine that runs this reaches the server at an address. */
export async function answers(address: string, at = 8000): Promise<boolean> {
  try {
    const host = address.includes(":") ? `[${address}]` : address;
    await fetch(`http://${host}:${at}/config`, { signal: AbortSignal.timeout(3_000) });
    return true;
  } catch {
    return false;
  }
}
