/** The guests' servers at the hub, each as a user who owns nothing of the hosts'. */
import { chmodSync, chownSync, copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { manifestSchema } from "../config/manifest.ts";
import { unseal } from "./hosts.ts";
import { listens } from "./peer.ts";
import { isRoot, PROJECT, waitFor, type Account, type Daemon, type World } from "./world.ts";

/** On NixOS each guest is a user, and the agent's user is in its group. Here all are one. */
const GUESTS = 65_533;
const NOBODY = 65_534;

const GIB = 2 ** 30;

/** What the servers need of the hub. */
export interface GuestServersOptions {
  readonly world: World;
  /** The folder of the bundle. */
  readonly bundle: string;
  /** The hub's private key. */
  readonly identityFile: string;
  /** rest-server, where every account can run it. */
  readonly restServer: string;
}

/** All guests' servers. */
export class GuestServers {
  readonly #options: GuestServersOptions;
  readonly #account: Account = isRoot() ? { uid: GUESTS, gid: NOBODY } : {};
  readonly #running = new Map<string, Daemon>();

  constructor(options: GuestServersOptions) {
    this.#options = options;
  }

  /** Serves those guests that the bundle has now, as it has them now. */
  async serve(): Promise<void> {
    await this.stop();
    const { world, bundle, identityFile, restServer } = this.#options;
    const text = readFileSync(join(bundle, "offsite.json"), "utf8");
    // The project may be where only its owner can read.
    const script = join(world.folder("hub", "programs"), "serve.sh");
    copyFileSync(join(PROJECT, "hub", "guests", "serve.sh"), script);
    chmodSync(script, 0o644);
    const { hub, guests = {} } = manifestSchema.parse(JSON.parse(text));
    for (const [name, guest] of Object.entries(guests)) {
      const users = await unseal(join(bundle, "guests", `${name}.htpasswd.age`), identityFile);
      const environment = {
        GUEST: name,
        GUEST_DIRECTORY: this.#own(makeFolder(world, hub.guestRepositories ?? "", name), 0o770),
        GUEST_HTPASSWD: this.#own(world.file(`hub/run/guest-${name}.htpasswd`, users), 0o600),
        GUEST_MAX_BYTES: String(Math.floor(guest.maxSizeGiB * GIB)),
        GUEST_PAUSE: "1",
        REST_SERVER: restServer,
      };
      const port = Number(new URL(guest.repository.replace(/^rest:/, "")).port);
      const daemon = world.start(
        `guest-${name}`,
        "/usr/bin/env",
        [
          ...Object.entries(environment).map(([key, value]) => `${key}=${value}`),
          ...["/bin/sh", script],
          `--listen=127.0.0.1:${port}`,
        ],
        this.#account,
      );
      this.#running.set(name, daemon);
      await waitFor(`The start of ${name}'s server`, () => listens(port), {
        failed: daemon.failure,
      });
    }
  }

  /** Why a guest is no longer served; undefined while it is. */
  failure(guest: string): string | undefined {
    return this.#running.get(guest)?.failure();
  }

  async stop(): Promise<void> {
    for (const [, daemon] of this.#running) await daemon.stop();
    this.#running.clear();
  }

  #own(path: string, mode: number): string {
    const { uid, gid } = this.#account;
    if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
    chmodSync(path, mode);
    return path;
  }
}

function makeFolder(world: World, directory: string, name: string): string {
  if (!directory.startsWith(`${world.directory}/`)) {
    throw new Error(`${directory} is not in the sandbox`);
  }
  return world.folder(directory.slice(world.directory.length + 1), name);
}
