/** The whole round trip, step by step, on one machine. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import pLimit from "p-limit";
import { z } from "zod";
import { hubCredentialsSchema } from "../config/manifest.ts";
import type { Program, ProgramName } from "../tools/index.ts";
import { startB2Emulator, type B2Emulator } from "./b2/index.ts";
import { importImage, startEngine, type Engine } from "./engine.ts";
import {
  fingerprint,
  makeHosts,
  parseEnv,
  restic,
  restoreFrom,
  unseal,
  type Host,
} from "./hosts.ts";
import { Hub } from "./hub.ts";
import { findLeaks, ProcessWatch, secretsOfEnv, secretsOfHub } from "./leaks.ts";
import { startPeer, type Peer } from "./peer.ts";
import { Programs } from "./programs.ts";
import { tryWhatMustBeRefused, type Refusal } from "./refusals.ts";
import type { HostReport } from "./report.ts";
import { makeCheckout, withOperator, type Checkout } from "./shells/checkout.ts";
import { Shells } from "./shells/shells.ts";
import { stackConfig } from "./stack-config.ts";
import { Stack } from "./stack.ts";
import { freePort, removeContainers, type World } from "./world.ts";

const verifySchema = z.object({ targets: z.record(z.string(), z.unknown()) });
const statusSchema = z.object({ healthy: z.boolean(), problems: z.array(z.string()) });

/** Two at a time: the machine that this is meant for has two cores. */
const atOnce = pLimit(2);

/** The sandbox's cluster, from nothing to restored. Its methods are the steps, in their order. */
export class Scenario {
  readonly #hostReports = new Map<string, HostReport>();
  refusals: Refusal[] = [];
  leaks: string[] = [];
  readonly #world: World;
  readonly #signal: AbortSignal;
  readonly #keep: boolean;
  #checkout: Checkout | undefined;
  #shells: Shells | undefined;
  #programs: Programs | undefined;
  #emulator!: B2Emulator;
  #engine!: Engine;
  #peer!: Peer;
  #stack!: Stack;
  #hosts: Host[] = [];
  #hub!: Hub;
  #hubPort = 0;
  #b2Calls: () => Record<string, number> = () => ({});
  #watch: ProcessWatch | undefined;
  readonly #environments = new Map<string, string>();
  /** What environments held before a rotation. */
  readonly #retired: string[] = [];

  /**
   * @param signal - ends what runs, for a run that is interrupted.
   * @param keep - whether somebody will want shells: the operator has a checkout of his own then.
   */
  constructor(world: World, signal: AbortSignal, keep = false) {
    this.#world = world;
    this.#signal = signal;
    this.#keep = keep;
  }

  /** The stack's name. */
  get #name(): string {
    return `sandbox-${this.#world.id}`;
  }

  /** The compose project's name at the peer. */
  get #project(): string {
    return `fort-offsite-${this.#name}-peer`;
  }

  get programs(): ReadonlyMap<ProgramName, Program> {
    return this.#programs?.byName ?? new Map<ProgramName, Program>();
  }

  get #ready(): Programs {
    if (this.#programs === undefined) throw new Error("The programs were not made ready");
    return this.#programs;
  }

  get hostReports(): HostReport[] {
    return this.#hosts.flatMap(({ name }) => this.#hostReports.get(name) ?? []);
  }

  get bundle(): string {
    return join(this.#world.directory, "bundle");
  }

  /** How somebody reaches what stands, for `--keep`. */
  get directions(): Record<string, string> {
    const { env, name, configFile } = this.#stack;
    const exports = Object.entries({ ...env, PATH: process.env.PATH ?? "" });
    const file = this.#world.file(
      "environment",
      exports.map(([key, value]) => `export ${key}='${value}'\n`).join(""),
    );
    return {
      "a shell": `sh ${this.#shells?.enter ?? ""} ${this.#shells?.machines.join("|") ?? ""}`,
      "a loss": `sh ${this.#shells?.loser ?? ""} <host>|hub|house, and then a page of docs/runbooks`,
      "B2 emulator": this.#emulator.url,
      peer: `ssh -p ${this.#peer.port} -i ${this.#peer.privateKeyFile} -o UserKnownHostsFile=${this.#world.directory}/known_hosts ${this.#peer.user}@127.0.0.1`,
      "peer's server": Object.values(this.#hub.manifest.targets)
        .flatMap((target) => (target.type === "rest-server" ? [target.url] : []))
        .join(" "),
      bundle: this.bundle,
      "hub's files": join(this.#world.directory, "hub", "run"),
      pulumi: `. ${file}; pulumi preview --stack ${name} --config-file ${configFile}`,
    };
  }

  /** Calls to the B2 emulator by transaction class; none before it runs. */
  get b2Calls(): Record<string, number> {
    return this.#b2Calls();
  }

  /** Gets the outside programs ready and puts them first on PATH. */
  async getPrograms(say: (line: string) => void): Promise<string> {
    this.#programs = await Programs.ensure(this.#signal, say);
    const plugin = this.#programs.isOfficial ? "the official" : "a stand-in for the";
    return `${this.#programs.byName.size} programs, ${plugin} command plugin`;
  }

  /** Starts what stands in for the cloud, and what is the peer. */
  async startMachines(): Promise<string> {
    const world = this.#world;
    this.#emulator = await startB2Emulator({ dataDirectory: world.folder("b2") });
    world.cleanup.add("the B2 emulator", () => this.#emulator.stop());
    this.#b2Calls = () => ({ ...this.#emulator.stats().transactions });
    this.#engine = await startEngine(world, this.#ready.forEngine);
    // Before the peer's duty, and so after it: nobody is left who could start a container.
    const { host, own } = this.#engine;
    if (!own) world.noteContainers(host, this.#project);
    world.cleanup.add("the peer's container", () => removeContainers(host, this.#project));
    this.#peer = await startPeer(world, this.#ready.path("sshd"), this.#engine);
    this.#hosts = await makeHosts(world);
    const engine = this.#engine.own ? "an engine of its own" : "the engine that runs here";
    return `B2 emulator, OpenSSH, ${engine} (Docker ${this.#engine.version})`;
  }

  /** Makes the stack and runs `pulumi up`. */
  async up(): Promise<string> {
    this.#watch = new ProcessWatch();
    this.#hubPort = await freePort();
    const image = await importImage(this.#world, this.#engine, this.#ready.forEngine);
    const config = await stackConfig({
      world: this.#world,
      hosts: this.#hosts,
      peer: this.#peer,
      emulator: this.#emulator,
      hubPort: this.#hubPort,
      image,
      bundle: this.bundle,
    });
    if (this.#keep) {
      this.#checkout = await makeCheckout(this.#world);
      Object.assign(config, await withOperator(this.#world, config));
    }
    this.#stack = new Stack(this.#world, {
      name: this.#name,
      signal: this.#signal,
      config,
      ...(this.#checkout !== undefined && { project: this.#checkout.folder }),
      secrets: {
        "fort-offsite:credentialSeed": randomBytes(32).toString("hex"),
        "fort-offsite:sshPrivateKey": this.#peer.privateKey,
      },
      env: {
        B2_APPLICATION_KEY_ID: this.#emulator.applicationKeyId,
        B2_APPLICATION_KEY: this.#emulator.applicationKey,
        B2_ENDPOINT: this.#emulator.url,
      },
      // Where the engine looks last: an official plugin on PATH is taken before it.
      plugins: { "resource-command-v1.2.1": this.#ready.commandPlugin },
    });
    await this.#stack.create();
    const output = await this.#stack.must(["up", "--yes", "--skip-preview", "--diff"]);
    return /\+ \d+ created/.exec(output)?.[0] ?? "up";
  }

  /** A second preview has nothing to change, and neither has a second update. */
  async previewAgain(): Promise<string> {
    await this.#stack.must(["preview", "--expect-no-changes", "--diff"]);
    await this.#stack.must(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
    return "no change";
  }

  /** Opens the bundle on the hub and the hosts, each with its own key, and starts the hub. */
  async deploy(): Promise<string> {
    this.#hub = await this.#openHub();
    for (const host of this.#hosts) await this.#open(host);
    await this.#hub.serve();
    return `${this.#hosts.length} hosts and the hub opened their files`;
  }

  /** Every host backs up to the hub with its own credentials. */
  async backUp(): Promise<string> {
    await this.#eachHost(async (host) => {
      const env = this.#env(host);
      await restic(this.#world, host, env, ["init", "--quiet"]);
      const snapshots = await this.#backUp(host, env);
      this.#hostReports.set(host.name, {
        host: host.name,
        files: fingerprint(host.data).length,
        snapshots,
        restored: {},
      });
    });
    return `${this.#hosts.length} hosts`;
  }

  /** The hub copies everything to every target, and has nothing to do a second time. */
  async mirror(): Promise<string> {
    const reports = [
      await this.#hub.run("mirror", "--json"),
      await this.#hub.run("mirror", "--json"),
    ];
    const [first = 0, second = 0] = reports.map(filesSent);
    if (second !== 0) throw new Error(`The second mirror sent ${second} files again`);
    return `${first} files sent, then none`;
  }

  /** The targets hold what the hub holds, and protect it as they should; a share is read back. */
  async verify(): Promise<string> {
    const report = verifySchema.parse(
      JSON.parse(await this.#hub.run("verify", "--deep", "--json")),
    );
    const targets = Object.keys(report.targets);
    return `${targets.join(" and ")}: all there, append-only and private`;
  }

  /** The hub's retention, as the owner of the repositories. */
  async prune(): Promise<string> {
    await this.#hub.run("prune", "--json");
    return `${this.#hosts.length} hosts`;
  }

  /** A host is restored from every target and checked, and a broken copy is found out. */
  async drill(): Promise<string> {
    await this.#hub.run("drill", "q", "--json");
    await this.#hub.run("drill", "q", "--control", "--from", "peer", "--json");
    await this.#hub.run("drill", "--thief", "--json");
    return "q, restored and checked; a broken copy and a thief were noticed";
  }

  /** What the hub says of itself. */
  async status(): Promise<string> {
    const report = statusSchema.parse(JSON.parse(await this.#hub.run("status", "--json")));
    if (!report.healthy) throw new Error(report.problems.join("\n"));
    const metrics = await this.#hub.run("metrics");
    return `healthy, ${metrics.split("\n").filter((line) => line.startsWith("offsite_")).length} metrics`;
  }

  /**
   * The operator turns a host's credentials over. The hub is deployed at once and the host late: it
   * backs up with the credential that it held for the next time.
   */
  async rotate(): Promise<string> {
    const host = this.#hosts.find(({ name }) => name === "q");
    if (host === undefined) throw new Error("There is no q");
    const { exitCode, all } = await this.#stack.offsite("rotate", host.name, "--yes");
    if (exitCode !== 0) throw new Error(`offsite rotate failed:\n${all}`);
    await this.#hub.deploy();
    const late = this.#env(host);
    const next = { ...late, RESTIC_REST_PASSWORD: late.OFFSITE_HUB_PASSWORD_NEXT ?? "" };
    await this.#backUp(host, next);
    this.#retired.push(this.#environments.get(host.name) ?? "");
    await this.#open(host);
    const snapshots = await this.#backUp(host, this.#env(host));
    const report = this.#hostReports.get(host.name);
    if (report !== undefined) this.#hostReports.set(host.name, { ...report, snapshots });
    await this.#hub.run("mirror", "--json");
    return "q backed up before and after its deployment";
  }

  /** The operator looks at the targets from outside: all is as the stack says. */
  async verifyFromOutside(): Promise<string> {
    const { exitCode, all } = await this.#stack.offsite("verify");
    if (exitCode !== 0) throw new Error(`offsite verify found something:\n${all}`);
    return "reachable, private, append-only, every key exact";
  }

  /** A shell on every machine, as the runbooks want them. */
  async openShells(): Promise<string> {
    if (this.#checkout === undefined) throw new Error("There is no checkout");
    const targets = Object.keys(this.#hub.manifest.targets);
    await this.#hub.stop();
    this.#shells = await Shells.open({
      ...{ world: this.#world, stack: this.#stack, hosts: this.#hosts, engine: this.#engine },
      ...{ bundle: this.bundle, checkout: this.#checkout },
      peers: { peer: join(this.#world.directory, "peer") },
      openHub: () => this.#openHub(),
    });
    for (const { name } of this.#hosts) await this.#shells.deploy(name);
    return `${this.#hosts.length} hosts, the operator, and ${targets.join(" and ")}`;
  }

  /** What must be refused is refused. */
  async tryRefusals(): Promise<string> {
    const [name, victim] = ["drhorrible", "q"];
    this.refusals = await tryWhatMustBeRefused({
      manifest: this.#hub.manifest,
      credentials: hubCredentialsSchema.parse(JSON.parse(this.#hub.secretFiles.credentials)),
      rcloneFile: this.#hub.rcloneFile,
      host: { name, victim, env: this.#environments.get(name) ?? "" },
      repositories: this.#hub.repositories,
    });
    const wrong = this.refusals.filter(({ refused }) => !refused);
    if (wrong.length > 0) {
      throw new Error(
        wrong.map(({ attempt, outcome }) => `Not refused: ${attempt} (${outcome})`).join("\n"),
      );
    }
    return `${this.refusals.length} attempts`;
  }

  /** Every host restores from every target, with the hub gone. */
  async restore(): Promise<string> {
    await this.#hub.stop();
    const gone = `${this.#hub.repositories}.gone`;
    renameSync(this.#hub.repositories, gone);
    const targets = Object.keys(this.#hub.manifest.targets);
    await this.#eachHost(async (host) => {
      const before = fingerprint(host.data);
      const restored: Record<string, boolean> = {};
      for (const target of targets) {
        const destination = await restoreFrom(this.#world, host, this.#env(host), target);
        restored[target] = JSON.stringify(fingerprint(destination)) === JSON.stringify(before);
      }
      const report = this.#hostReports.get(host.name);
      if (report !== undefined) this.#hostReports.set(host.name, { ...report, restored });
    });
    const wrong = [...this.#hostReports.values()].filter(({ restored }) =>
      targets.some((target) => restored[target] !== true),
    );
    if (wrong.length > 0)
      throw new Error(`Not what was backed up: ${wrong.map(({ host }) => host).join(", ")}`);
    renameSync(gone, this.#hub.repositories);
    await this.#hub.serve();
    return `${this.#hosts.length} hosts from ${targets.join(" and ")}, byte for byte`;
  }

  /** No secret in what was printed, in the state, or in any process's arguments. */
  async lookForLeaks(): Promise<string> {
    const { rclone, credentials } = this.#hub.secretFiles;
    const environments = [...this.#environments.values(), ...this.#retired];
    const secrets = [
      ...secretsOfHub(rclone, credentials),
      ...environments.flatMap(secretsOfEnv),
      ...this.#stack.secrets,
      ...this.#hosts.map(({ passwordFile }) => readFileSync(passwordFile, "utf8").trim()),
      this.#emulator.applicationKey,
    ];
    const state = await this.#stack.must(["stack", "export"]);
    const commands = (await this.#watch?.end()) ?? [];
    const { stdout: serverLog } = await execa(
      "docker",
      ["compose", "--project-name", this.#project, "logs"],
      { env: { DOCKER_HOST: this.#engine.host, DOCKER_CONFIG: this.#engine.config }, all: true },
    );
    const logs = this.#world.folder("logs");
    this.leaks = findLeaks(secrets, {
      "what Pulumi printed": this.#stack.transcript,
      "the state": state,
      "the processes' arguments": commands.join("\n"),
      "the manifest": readFileSync(this.#hub.manifestFile, "utf8"),
      "what the agent said": this.#hub.transcript,
      "the peer's server's log": serverLog,
      ...Object.fromEntries(
        readdirSync(logs).map((name) => [
          `the log ${name}`,
          readFileSync(join(logs, name), "utf8"),
        ]),
      ),
    });
    if (this.leaks.length > 0) throw new Error(`Secrets were seen in: ${this.leaks.join(", ")}`);
    return `none of ${secrets.length} secrets in output, state, logs and ${commands.length} command lines`;
  }

  /** `pulumi destroy` stops the server and leaves the backups. */
  async destroy(): Promise<string> {
    await this.#stack.unprotect();
    const output = await this.#stack.must(["destroy", "--yes", "--skip-preview"]);
    const left = /The backups are untouched in \S+/.exec(output)?.[0];
    if (left === undefined)
      throw new Error(`The destroy did not say where the backups are:\n${output}`);
    return left;
  }

  /** The hub with its files of the bundle as they are now. */
  async #openHub(): Promise<Hub> {
    const hubHost = this.#hosts.find(({ name }) => name === "ursula");
    if (hubHost === undefined) throw new Error("There is no ursula");
    mkdirSync(join(this.#world.directory, "hub", "repositories"), { recursive: true });
    return await Hub.open({
      world: this.#world,
      host: hubHost,
      hosts: this.#hosts,
      bundle: this.bundle,
      port: this.#hubPort,
      programs: {
        restServer: this.#ready.path("rest-server"),
        restic: this.#ready.path("restic"),
        rclone: this.#ready.path("rclone"),
      },
    });
  }

  /** A host's deployment: it opens its file of the bundle. */
  async #open({ name, identityFile }: Host): Promise<void> {
    const file = join(this.bundle, "hosts", `${name}.env.age`);
    this.#environments.set(name, await unseal(file, identityFile));
  }

  /** Backs a host up, and says how many snapshots it has then. */
  async #backUp(host: Host, env: Record<string, string>): Promise<number> {
    const what = ["backup", "--quiet", "--host", host.name, "."];
    await restic(this.#world, host, env, what, { cwd: host.data });
    const list = await restic(this.#world, host, env, ["snapshots", "--json"]);
    return (JSON.parse(list) as unknown[]).length;
  }

  #env(host: Host): Record<string, string> {
    return parseEnv(this.#environments.get(host.name) ?? "");
  }

  async #eachHost(task: (host: Host) => Promise<void>): Promise<void> {
    await Promise.all(this.#hosts.map((host) => atOnce(() => task(host))));
  }
}

/** How many files a mirror's report says were sent. */
function filesSent(report: string): number {
  const { targets } = JSON.parse(report) as {
    targets: Record<string, { hosts: Record<string, { files: number }> }>;
  };
  return Object.values(targets)
    .flatMap(({ hosts }) => Object.values(hosts))
    .reduce((sum, host) => sum + host.files, 0);
}
