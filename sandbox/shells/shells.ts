/**
 * A shell for every machine of the sandbox, for whoever follows a runbook in docs/runbooks: by hand
 * after `npm start -- --keep`, or as a test. Each has that machine's own environment and no other. The
 * few commands that only a real system has are played by stand-ins, which say so.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { messageOf } from "../../hub/errors.ts";
import type { Engine } from "../engine.ts";
import { unseal, type Host } from "../hosts.ts";
import type { Hub } from "../hub.ts";
import type { Stack } from "../stack.ts";
import { PROJECT, type World } from "../world.ts";
import type { Checkout } from "./checkout.ts";
import { keepElsewhere, keptIn, loseHost, loseHub, loseOperator } from "./losses.ts";
import { targetHints, targetSettings } from "./settings.ts";

/** The host that is the hub. */
const HUB = "ursula";

const HERE = join(PROJECT, "sandbox", "shells");

/** What the machines are made of. */
export interface ShellsOptions {
  readonly world: World;
  readonly stack: Stack;
  readonly hosts: readonly Host[];
  readonly engine: Engine;
  /** Where `pulumi up` writes the bundle. */
  readonly bundle: string;
  readonly checkout: Checkout;
  /** The peer's folder of data, by the name of its target. */
  readonly peers: Readonly<Record<string, string>>;
  /** Opens the hub's files as they are now. It is not served yet. */
  readonly openHub: () => Promise<Hub>;
}

/** Shells of `operator`, `laptop`, `hub`, `peer`, and of every host by its name. */
export class Shells {
  readonly #options: ShellsOptions;
  readonly #socket: string;
  #hub: Hub | undefined;

  private constructor(options: ShellsOptions) {
    this.#options = options;
    this.#socket = join(options.world.directory, "shells.sock");
  }

  /** Makes the shells and the two scripts `enter` and `lose`. Nothing is deployed. */
  static async open(options: ShellsOptions): Promise<Shells> {
    const shells = new Shells(options);
    const { world, stack, hosts } = options;
    keepElsewhere(world, stack, hosts);
    await shells.#listen();
    for (const machine of shells.machines) shells.#makeEntrance(machine);
    const known = shells.machines.join(" ");
    const refuse = `echo "error: give one of ${known}" >&2; exit 2`;
    executable(
      join(world.directory, "enter"),
      `machine=\${1-}; [ -x "${world.directory}/entrances/$machine" ] && [ -n "$machine" ] || { ${refuse}; }\nshift\nexec "${world.directory}/entrances/$machine" "$@"`,
    );
    const ask = `SANDBOX_SOCKET=${this.quote(shells.#socket)} exec ${this.quote(process.execPath)} ${this.quote(join(HERE, "ask.mjs"))}`;
    executable(join(world.directory, "lose"), `${ask} lose "\${1-}"`);
    return shells;
  }

  /** A word for the shell. */
  static quote(word: string): string {
    return `'${word.replaceAll("'", "'\\''")}'`;
  }

  get machines(): string[] {
    return ["operator", "laptop", "hub", "peer", ...this.#options.hosts.map(({ name }) => name)];
  }

  /** The hub as it is deployed now. */
  get hub(): Hub {
    if (this.#hub === undefined) throw new Error("The hub is not deployed");
    return this.#hub;
  }

  /** `sh <this> <machine> [script]` opens a shell, or runs a script in one. */
  get enter(): string {
    return join(this.#options.world.directory, "enter");
  }

  /** `sh <this> <host>|hub|house` destroys it. */
  get loser(): string {
    return join(this.#options.world.directory, "lose");
  }

  /** What the first block of every runbook sets, as it is in the sandbox. */
  settings(host = "q"): Record<string, string> {
    const { world, stack, bundle, checkout, peers } = this.#options;
    const [peer = ""] = Object.values(peers);
    const at = (...path: string[]) => join(world.directory, "hosts", host, ...path);
    return {
      HOST: host,
      HUB,
      STACK: stack.name,
      // Of that host: its file system, its own key, its opened file of the bundle, restic's password.
      ROOT: at("data"),
      HOST_KEY: at("identity"),
      CREDENTIALS: at("run", "offsite-host"),
      PASSWORD_FILE: at("repository-password"),
      HUB_KEY: join(world.directory, "hosts", HUB, "identity"),
      REPOSITORIES: join(world.directory, "hub", "repositories"),
      BUNDLE: bundle,
      REPOSITORY: checkout.repository,
      KEPT: keptIn(world),
      PEER_DATA: peer,
      ...publicKeyOf("HOST_PUBLIC_KEY", at("identity.pub")),
      ...publicKeyOf("HUB_PUBLIC_KEY", join(world.directory, "hosts", HUB, "identity.pub")),
      ...targetSettings(world, stack),
    };
  }

  /** Deploys a machine: it opens its files of the bundle, and the hub serves and gets its agent. */
  async deploy(machine: string): Promise<void> {
    const name = machine === "hub" ? HUB : machine;
    const { world, bundle, hosts, openHub } = this.#options;
    const host = hosts.find((each) => each.name === name);
    if (host === undefined) throw new Error(`${machine} is no machine with NixOS`);
    const opened = await unseal(join(bundle, "hosts", `${name}.env.age`), host.identityFile);
    world.folder("hosts", name, "run");
    world.file(join("hosts", name, "run", "offsite-host"), opened);
    if (name !== HUB) return;
    await this.#hub?.stop();
    mkdirSync(this.settings().REPOSITORIES ?? "", { recursive: true });
    this.#hub = await openHub();
    await this.#hub.serve();
    this.#makeAgent(this.#hub);
  }

  /** Destroys a host by its name, the `hub`, or the `house`: everything that is at home. */
  async lose(what: string): Promise<void> {
    const { world, stack, hosts, bundle } = this.#options;
    const lost = hosts.filter(({ name }) => {
      return what === "house" || name === (what === "hub" ? HUB : what);
    });
    if (lost.length === 0) throw new Error(`There is no ${what} to lose`);
    // What is kept elsewhere is as new as the last update.
    if (existsSync(stack.configFile)) keepElsewhere(world, stack, hosts);
    if (lost.some(({ name }) => name === HUB)) {
      await this.#hub?.stop();
      this.#hub = undefined;
      loseHub(world);
      rmSync(this.#bin(HUB, "offsite-hub"), { force: true });
    }
    for (const host of lost) await loseHost(world, host);
    if (what === "house") loseOperator(world, stack, bundle);
    // Their new keys are in the greetings.
    for (const machine of this.machines) this.#makeEntrance(machine);
  }

  #bin(machine: string, program: string): string {
    return join(this.#options.world.folder("bin", machine), program);
  }

  /** What the NixOS module makes: the agent with its settings, which goes on as the hub's account. */
  #makeAgent(hub: Hub): void {
    const { program, agent, account, env } = hub.agent;
    const become =
      account.uid === undefined
        ? ""
        : `setpriv --reuid=${account.uid} --regid=${account.gid ?? account.uid} --clear-groups --no-new-privs -- `;
    const variables = Object.entries(env).map(([name, value]) => `${name}=${Shells.quote(value)}`);
    executable(
      this.#bin(HUB, "offsite-hub"),
      `cd ${Shells.quote(env.OFFSITE_STATE ?? "/")}\nexec ${become}env ${variables.join(" ")} ${Shells.quote(program)} ${Shells.quote(agent)} "$@"`,
    );
  }

  #makeEntrance(machine: string): void {
    const { world, stack, checkout } = this.#options;
    const name = machine === "hub" ? HUB : machine;
    const env = this.#environment(name);
    const standIns = ["operator", "laptop"].includes(name)
      ? ["npm"]
      : name === "peer"
        ? []
        : ["nixos-rebuild", "systemctl", "restic-offsite", "runuser"];
    for (const program of standIns) {
      const link = this.#bin(name, program);
      if (!existsSync(link)) symlinkSync(join(HERE, "stand-ins", program), link);
    }
    const variables = Object.entries(env).map(([key, value]) => `${key}=${Shells.quote(value)}`);
    const own = this.settings(this.#isHost(name) ? name : undefined);
    const settings = Object.entries(machine === "hub" ? { ...own, HOST: "q" } : own);
    const greeting = [
      `This is a shell of ${machine}. In place of the first block of a runbook, here (HOST may be another):`,
      ...settings.map(([key, value]) => `  ${key}=${value}`),
      ...(name === "operator" ? targetHints(stack) : []),
    ];
    const home = Shells.quote(env.HOME ?? "/");
    const folder = name === "operator" ? Shells.quote(checkout.folder) : home;
    world.folder("entrances");
    executable(
      join(world.directory, "entrances", machine),
      // A checkout that burnt is not there any more.
      `mkdir -p ${home}\ncd ${folder} 2>/dev/null || cd ${home}\n` +
        `[ $# -gt 0 ] || printf '%s\\n' ${greeting.map((line) => Shells.quote(line)).join(" ")} >&2\n` +
        `exec env -i ${variables.join(" ")} bash --noprofile --norc "$@"`,
    );
  }

  #isHost(name: string): boolean {
    return this.#options.hosts.some((host) => host.name === name);
  }

  /** All that a machine's shell has in its environment. */
  #environment(name: string): Record<string, string> {
    const { world, stack, engine } = this.#options;
    const common = {
      PATH: `${world.folder("bin", name)}:${process.env.PATH ?? ""}`,
      LANG: "C.UTF-8",
      TERM: process.env.TERM ?? "dumb",
      PS1: `[${name}] \\w $ `,
      SANDBOX_PROJECT: PROJECT,
    };
    if (name === "operator") {
      // The operator's own rclone finds Backblaze where Pulumi does.
      const cloud = { RCLONE_B2_ENDPOINT: stack.env.B2_ENDPOINT ?? "" };
      return { ...common, ...stack.env, ...cloud, HOME: world.folder(name) };
    }
    if (name === "laptop") return this.#laptop(common);
    if (name === "peer") {
      const docker = { DOCKER_HOST: engine.host, DOCKER_CONFIG: engine.config };
      return { ...common, ...docker, HOME: world.folder("peer-home") };
    }
    const { ROOT = "", CREDENTIALS = "", PASSWORD_FILE = "" } = this.settings(name);
    return {
      ...common,
      HOME: join(world.directory, "hosts", name, "home"),
      SANDBOX_MACHINE: name,
      SANDBOX_SOCKET: this.#socket,
      SANDBOX_NODE: process.execPath,
      SANDBOX_ASK: join(HERE, "ask.mjs"),
      SANDBOX_ROOT: ROOT,
      SANDBOX_CREDENTIALS: CREDENTIALS,
      SANDBOX_PASSWORD_FILE: PASSWORD_FILE,
    };
  }

  /** A new machine that knows nothing; Pulumi would download what it has in its folder. */
  #laptop(common: Record<string, string>): Record<string, string> {
    const { world, stack } = this.#options;
    const home = world.folder("laptop");
    const pulumi = world.folder("laptop", ".pulumi");
    const plugins = join(pulumi, "plugins");
    if (!existsSync(plugins)) symlinkSync(join(stack.env.PULUMI_HOME ?? "", "plugins"), plugins);
    return {
      ...common,
      HOME: home,
      PULUMI_HOME: pulumi,
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      B2_ENDPOINT: stack.env.B2_ENDPOINT ?? "",
    };
  }

  /** What the stand-ins and `lose` ask for. */
  async #listen(): Promise<void> {
    const server = createServer((request, response) => {
      const [, deed = "", machine = ""] = (request.url ?? "").split("/");
      this.#do(deed, machine).then(
        () => response.writeHead(200).end(),
        (error: unknown) => response.writeHead(500).end(`error: ${messageOf(error)}\n`),
      );
    });
    await new Promise<void>((resolve) => server.listen(this.#socket, resolve));
    this.#options.world.cleanup.add("the shells", () => {
      server.closeAllConnections();
      server.close();
    });
    this.#options.world.cleanup.add("the hub", () => this.#hub?.stop());
  }

  async #do(deed: string, machine: string): Promise<void> {
    if (deed === "deploy") {
      await this.deploy(machine);
      return;
    }
    if (deed === "lose") {
      await this.lose(machine);
      return;
    }
    if (machine !== HUB) throw new Error(`${machine} has no such service`);
    if (deed === "stop" || deed === "restart") await this.hub.stop();
    if (deed === "start" || deed === "restart") await this.hub.serve();
  }
}

/** A new machine's key, as it is put into the stack's settings; a host's first one may be age's. */
function publicKeyOf(setting: string, file: string): Record<string, string> {
  if (!existsSync(file)) return {};
  const [type = "", key = ""] = readFileSync(file, "utf8").trim().split(" ");
  return { [setting]: `'${type} ${key}'` };
}

function executable(file: string, script: string): void {
  writeFileSync(file, `#!/bin/sh\nset -eu\n${script}\n`);
  chmodSync(file, 0o755);
}
