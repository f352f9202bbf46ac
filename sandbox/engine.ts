/** The peer's container engine: the one that runs here already, or one of the sandbox's own. */
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { execa } from "execa";
import { isRoot, waitFor, type World } from "./world.ts";

/** A container engine and how a shell reaches it. */
export interface Engine {
  /** For DOCKER_HOST. */
  readonly host: string;
  /** For DOCKER_CONFIG: a folder with compose as the client's plugin. */
  readonly config: string;
  /** Whether it is the sandbox's own. */
  readonly own: boolean;
  readonly version: string;
}

/** The programs that the engine needs, by where they are. */
export interface EnginePrograms {
  readonly dockerCompose: string;
  readonly restServer: string;
  readonly busybox: string;
  /** Asked for only when no engine runs. */
  readonly dockerd: () => Promise<string>;
}

async function answers(host: string): Promise<string | undefined> {
  const { stdout, exitCode } = await execa(
    "docker",
    ["version", "--format", "{{.Server.Version}}"],
    { env: { DOCKER_HOST: host }, reject: false, timeout: 20_000 },
  );
  return exitCode === 0 ? stdout : undefined;
}

/** Finds a running engine, or starts one of the world's own. */
export async function startEngine(world: World, programs: EnginePrograms): Promise<Engine> {
  const config = world.folder("docker");
  mkdirSync(join(config, "cli-plugins"));
  symlinkSync(programs.dockerCompose, join(config, "cli-plugins", "docker-compose"));

  const running = process.env.DOCKER_HOST ?? "unix:///var/run/docker.sock";
  if (!running.startsWith("unix://")) {
    throw new Error(
      `DOCKER_HOST is ${running}, but the sandbox is all on this machine. Unset it, or set it to a unix:// address`,
    );
  }
  const version = await answers(running);
  if (version !== undefined) return { host: running, config, own: false, version };

  if (!isRoot()) {
    throw new Error(
      `No Docker engine answers at ${running}, and only root can start one. Start Docker, or run this as root`,
    );
  }
  const host = `unix://${join(world.directory, "docker.sock")}`;
  // The server shares the peer's network: no bridge, and no rule of the firewall is touched.
  const engine = world.start("dockerd", await programs.dockerd(), [
    `--host=${host}`,
    `--data-root=${world.folder("docker", "data")}`,
    `--exec-root=${world.folder("docker", "run")}`,
    `--pidfile=${join(world.directory, "docker.pid")}`,
    "--bridge=none",
    "--iptables=false",
    "--ip6tables=false",
    "--ip-forward=false",
    "--ip-masq=false",
  ]);
  let own: string | undefined;
  await waitFor(
    "The Docker engine's start",
    async () => (own = await answers(host)) !== undefined,
    {
      timeout: 60_000,
      failed: engine.failure,
    },
  );
  return { host, config, own: true, version: own ?? "" };
}

/**
 * Makes the server's image without a registry: the real rest-server, and what its health check
 * needs, where the official image has them too.
 *
 * @returns the image's ID.
 */
export async function importImage(
  world: World,
  engine: Engine,
  programs: EnginePrograms,
): Promise<string> {
  const root = world.folder("image");
  for (const [program, folder, name] of [
    [programs.restServer, "usr/bin", "rest-server"],
    [programs.busybox, "bin", "busybox"],
  ] as const) {
    mkdirSync(join(root, folder), { recursive: true });
    cpSync(program, join(root, folder, name), { dereference: true });
  }
  for (const applet of ["sh", "nc", "grep", "timeout"])
    symlinkSync("busybox", join(root, "bin", applet));
  const env = { DOCKER_HOST: engine.host };
  const tag = `fort-offsite-sandbox:${basename(world.directory)}`;
  const tar = ["--create", "--owner=0", "--group=0", "--directory", root, "."];
  const { stdout: id } = await execa("tar", tar, { encoding: "buffer", buffer: false }).pipe(
    "docker",
    ["import", "-", tag],
    { env },
  );
  if (!engine.own) {
    world.cleanup.add("the server's image", async () => {
      await execa("docker", ["rmi", "--force", tag], { env });
    });
  }
  return id.trim();
}
