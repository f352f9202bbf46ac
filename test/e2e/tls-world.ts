/** What the tests of TLS have beside a cluster: Caddy as an image like the official one. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { connect, type PeerCertificate } from "node:tls";
import { execa } from "execa";
import { ensurePrograms } from "../../tools/index.ts";
import type { Cluster } from "./cluster.ts";

/** Where Caddy is. */
export async function caddyPath(): Promise<string> {
  return (await ensurePrograms(["caddy"])).get("caddy")?.path ?? "caddy";
}

/**
 * Makes Caddy's image without a registry. As in the official image the program carries the right to
 * open ports below 1024.
 *
 * @returns the image's ID.
 */
export async function caddyImage({ world, engine, programs }: Cluster): Promise<string> {
  const root = world.folder("image-caddy");
  for (const folder of ["bin", "usr/bin", "etc", "tmp"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  const caddy = join(root, "usr/bin/caddy");
  cpSync(await caddyPath(), caddy, { dereference: true });
  cpSync(programs.path("busybox"), join(root, "bin/busybox"), { dereference: true });
  for (const applet of ["sh", "nc", "grep"]) symlinkSync("busybox", join(root, "bin", applet));
  execFileSync("setcap", ["cap_net_bind_service=+ep", caddy], {
    env: { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` },
  });
  const env = { DOCKER_HOST: engine.host };
  const tag = `fort-offsite-caddy:${world.id}`;
  const tar = ["--create", "--xattrs", "--xattrs-include=*", "--owner=0", "--group=0"];
  const { stdout: id } = await execa("tar", [...tar, "--directory", root, "."], {
    encoding: "buffer",
    buffer: false,
  }).pipe("docker", ["import", "-", tag], { env });
  if (!engine.own) {
    world.cleanup.add("Caddy's image", async () => {
      await execa("docker", ["rmi", "--force", tag], { env, reject: false });
    });
  }
  return id.trim();
}

/** Changes the settings of the cluster's target `peer`. */
export function changePeer(cluster: Cluster, change: Readonly<Record<string, unknown>>): void {
  const { peer } = cluster.settings["fort-offsite:targets"] ?? {};
  cluster.settings["fort-offsite:targets"] = { peer: { ...peer, ...change } };
  cluster.stack.configure(cluster.settings);
}

/** The certificate that a server shows, whatever it is. */
export async function shownBy(host: string, port: number): Promise<PeerCertificate> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.once("error", reject);
  });
}
