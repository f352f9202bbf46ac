/** The hub: opens its files of the bundle, serves the hosts, runs the agent. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { manifestSchema, type Manifest } from "../config/manifest.ts";
import { unseal, type Host } from "./hosts.ts";
import { listens } from "./peer.ts";
import { PROJECT, waitFor, type Daemon, type World } from "./world.ts";

/** The hub's side of the sandbox. */
export class Hub {
  readonly manifest: Manifest;
  readonly manifestFile: string;
  readonly credentialsFile: string;
  readonly rcloneFile: string;
  readonly repositories: string;
  readonly #world: World;
  readonly #htpasswdFile: string;
  readonly #port: number;
  #server: Daemon | undefined;

  private constructor(world: World, port: number, files: Record<string, string>, bundle: string) {
    this.#world = world;
    this.#port = port;
    this.manifestFile = join(bundle, "offsite.json");
    this.manifest = manifestSchema.parse(JSON.parse(readFileSync(this.manifestFile, "utf8")));
    this.repositories = this.manifest.hub.repositories;
    world.folder("hub", "run");
    const place = (name: string) => world.file(`hub/run/${name}`, files[name] ?? "");
    this.#htpasswdFile = place("hub.htpasswd");
    this.credentialsFile = place("hub-credentials.json");
    this.rcloneFile = place("rclone.conf");
  }

  /** Opens the hub's files with the hub's own key. */
  static async open(world: World, host: Host, bundle: string, port: number): Promise<Hub> {
    const files = await Promise.all(
      ["hub.htpasswd", "hub-credentials.json", "rclone.conf"].map(async (name) => [
        name,
        await unseal(join(bundle, `${name}.age`), host.identityFile),
      ]),
    );
    return new Hub(world, port, Object.fromEntries(files) as Record<string, string>, bundle);
  }

  /** What the hub's unsealed files hold. */
  get secretFiles(): { readonly rclone: string; readonly credentials: string } {
    return {
      rclone: readFileSync(this.rcloneFile, "utf8"),
      credentials: readFileSync(this.credentialsFile, "utf8"),
    };
  }

  /** Starts the rest-server to which the hosts back up. */
  async serve(restServer: string): Promise<void> {
    const daemon = this.#world.start("hub-rest-server", restServer, [
      `--listen=127.0.0.1:${this.#port}`,
      `--path=${this.repositories}`,
      `--htpasswd-file=${this.#htpasswdFile}`,
      "--append-only",
      "--private-repos",
    ]);
    this.#server = daemon;
    await waitFor("The hub's start", () => listens(this.#port), { failed: daemon.failure });
  }

  /** The hub is gone: nobody answers there any more. */
  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  /** Runs the agent's mirror, and gives its JSON report. */
  async mirror(): Promise<string> {
    const { stdout } = await execa(
      process.execPath,
      [join(PROJECT, "dist", "offsite-hub.mjs"), "mirror", "--json"],
      {
        env: {
          OFFSITE_MANIFEST: this.manifestFile,
          OFFSITE_CREDENTIALS: this.credentialsFile,
          OFFSITE_RCLONE_CONFIG: this.rcloneFile,
          OFFSITE_STATE: this.#world.folder("hub", "state"),
        },
      },
    );
    return stdout;
  }
}
