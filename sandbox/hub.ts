/** The hub: opens its files of the bundle, serves the hosts, runs the agent. */
import {
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";
import { manifestSchema, type Manifest } from "../config/manifest.ts";
import { buildAgent } from "../tools/build.ts";
import { GuestServers } from "./guests.ts";
import { unseal, type Host } from "./hosts.ts";
import { listens } from "./peer.ts";
import { keptIn } from "./shells/losses.ts";
import { isRoot, waitFor, type Account, type Daemon, type World } from "./world.ts";

/** Root serves nothing: as root, the hub is the account `nobody`. */
const NOBODY = 65_534;

/** What the hub needs of the machine. */
export interface HubPrograms {
  readonly restServer: string;
  readonly restic: string;
  readonly rclone: string;
}

/** What the hub is made of. */
export interface HubOptions {
  readonly world: World;
  /** The host that is the hub. */
  readonly host: Host;
  readonly hosts: readonly Host[];
  /** The folder of the bundle. */
  readonly bundle: string;
  /** The port of its rest-server. */
  readonly port: number;
  readonly programs: HubPrograms;
}

/** How the hub's agent is run. */
export interface HubAgent {
  readonly program: string;
  readonly agent: string;
  readonly account: Account;
  readonly env: Readonly<Record<string, string>>;
}

/** The hub's side of the sandbox. */
export class Hub {
  readonly manifest: Manifest;
  readonly manifestFile: string;
  readonly credentialsFile: string;
  readonly rcloneFile: string;
  readonly repositories: string;
  readonly guests: GuestServers;
  readonly #options: HubOptions;
  readonly #account: Account = isRoot() ? { uid: NOBODY, gid: NOBODY } : {};
  readonly #htpasswdFile: string;
  readonly #settingsFile: string;
  readonly #state: string;
  #server: Daemon | undefined;
  /** Everything that the agent has said so far. */
  transcript = "";

  private constructor(options: HubOptions, files: Record<string, string>) {
    const { world, bundle, hosts } = options;
    this.#options = options;
    const manifest = readFileSync(join(bundle, "offsite.json"), "utf8");
    this.manifest = manifestSchema.parse(JSON.parse(manifest));
    this.repositories = this.manifest.hub.repositories;
    for (const folder of ["run", "programs"]) this.#own(world.folder("hub", folder));
    this.#own(this.repositories);
    this.#state = this.#own(world.folder("hub", "state"));
    this.guests = new GuestServers({
      ...{ world, bundle, identityFile: options.host.identityFile },
      restServer: this.#program(options.programs.restServer),
    });
    const place = (name: string, content: string) =>
      this.#own(world.file(`hub/run/${name}`, content));
    this.manifestFile = place("offsite.json", manifest);
    this.#htpasswdFile = place("hub.htpasswd", files["hub.htpasswd"] ?? "");
    this.credentialsFile = place("hub-credentials.json", files["hub-credentials.json"] ?? "");
    this.rcloneFile = place("rclone.conf", files["rclone.conf"] ?? "");
    // The hub's own secrets: a host that is lost, the hub itself too, has its password in them still.
    const passwordFiles = hosts.flatMap(({ name, passwordFile }) => {
      const kept = join(keptIn(world), "restic-passwords", name);
      const file = [passwordFile, kept].find((each) => existsSync(each));
      return file === undefined
        ? []
        : [[name, place(`${name}.password`, readFileSync(file, "utf8"))]];
    });
    const settings = {
      passwordFiles: Object.fromEntries(passwordFiles) as Record<string, string>,
      drill: {
        scratch: this.#own(world.folder("hub", "scratch")),
        checks: {
          q: [
            { name: "the database is there", command: ["test", "-s", "var/lib/outline/state.db"] },
          ],
        },
      },
    };
    this.#settingsFile = place("settings.json", JSON.stringify(settings));
  }

  /** Opens the hub's files with the hub's own key. */
  static async open(options: HubOptions): Promise<Hub> {
    const files = await unsealAll(options);
    await buildAgent(join(options.world.folder("hub", "programs"), "offsite-hub.mjs"));
    return new Hub(options, files);
  }

  /**
   * Deploys the hub again: manifest and secrets are those of the bundle as it is now, and its server
   * is started anew, as NixOS does when the sealed htpasswd is another.
   */
  async deploy(): Promise<void> {
    const manifest = readFileSync(join(this.#options.bundle, "offsite.json"), "utf8");
    const files = { ...(await unsealAll(this.#options)), "offsite.json": manifest };
    for (const [name, content] of Object.entries(files)) {
      const path = this.#own(this.#options.world.file(`hub/run/${name}.new`, content));
      renameSync(path, path.replace(/\.new$/, ""));
    }
    await this.stop();
    await this.serve();
  }

  /** What the hub's unsealed files hold. */
  get secretFiles(): { readonly rclone: string; readonly credentials: string } {
    return {
      rclone: readFileSync(this.rcloneFile, "utf8"),
      credentials: readFileSync(this.credentialsFile, "utf8"),
    };
  }

  /** Starts the rest-server to which the hosts back up. */
  async serve(): Promise<void> {
    const { world, port, programs } = this.#options;
    const daemon = world.start(
      "hub-rest-server",
      this.#program(programs.restServer),
      [
        `--listen=127.0.0.1:${port}`,
        `--path=${this.repositories}`,
        `--htpasswd-file=${this.#htpasswdFile}`,
        "--append-only",
        "--private-repos",
      ],
      this.#account,
    );
    this.#server = daemon;
    await waitFor("The hub's start", () => listens(port), { failed: daemon.failure });
    await this.guests.serve();
  }

  /** The hub is gone: nobody answers there any more. */
  async stop(): Promise<void> {
    await this.#server?.stop();
    await this.guests.stop();
  }

  /**
   * Runs the agent.
   *
   * @returns what it wrote to standard output.
   */
  async run(...command: readonly string[]): Promise<string> {
    const { program, agent, account, env } = this.agent;
    const result = await execa(program, [agent, ...command], {
      ...account,
      cwd: this.#state,
      env,
      all: true,
      reject: false,
    });
    this.transcript += result.all;
    if (result.exitCode !== 0) {
      throw new Error(`offsite-hub ${command.join(" ")}: ${result.all || result.shortMessage}`);
    }
    return result.stdout;
  }

  /** How the agent is run: Node.js, its file, as whom, and with what in the environment. */
  get agent(): HubAgent {
    const { programs, world } = this.#options;
    return {
      program: this.#program(process.execPath),
      agent: join(world.directory, "hub", "programs", "offsite-hub.mjs"),
      account: this.#account,
      env: {
        HOME: this.#state,
        OFFSITE_MANIFEST: this.manifestFile,
        OFFSITE_CREDENTIALS: this.credentialsFile,
        OFFSITE_RCLONE_CONFIG: this.rcloneFile,
        OFFSITE_SETTINGS: this.#settingsFile,
        OFFSITE_STATE: this.#state,
        OFFSITE_RESTIC: this.#program(programs.restic),
        OFFSITE_RCLONE: this.#program(programs.rclone),
      },
    };
  }

  /** Gives a file or folder to the hub's account. */
  #own(path: string): string {
    const { uid, gid } = this.#account;
    if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
    return path;
  }

  /** A program where the hub's account can run it: what is below /root is closed to others. */
  #program(path: string): string {
    if (this.#account.uid === undefined || isOpen(realpathSync(path))) return path;
    const copy = join(this.#options.world.folder("hub", "programs"), basename(path));
    if (statSync(copy, { throwIfNoEntry: false }) === undefined) {
      copyFileSync(path, copy, constants.COPYFILE_FICLONE);
      chmodSync(copy, 0o755);
    }
    return copy;
  }
}

async function unsealAll({ bundle, host }: HubOptions): Promise<Record<string, string>> {
  const files = await Promise.all(
    ["hub.htpasswd", "hub-credentials.json", "rclone.conf"].map(async (name) => [
      name,
      await unseal(join(bundle, `${name}.age`), host.identityFile),
    ]),
  );
  return Object.fromEntries(files) as Record<string, string>;
}

/** Whether everybody may run it: it, and every folder above it. */
function isOpen(path: string): boolean {
  const isRunnable = (statSync(path).mode & 0o001) !== 0;
  return isRunnable && (path === dirname(path) || isOpen(dirname(path)));
}
