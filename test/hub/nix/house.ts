/** A hub and a host with the units of the NixOS modules, a peer, a cloud and PostgreSQL, all real. */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import bcrypt from "bcryptjs";
import { execa } from "execa";
import { envFile } from "../../../credentials/env-file.ts";
import { listens } from "../../../sandbox/peer.ts";
import { freePort } from "../../../sandbox/world.ts";
import { buildAgent } from "../../../tools/build.ts";
import { PASSWORD, World } from "../world.ts";
import { evaluate } from "./evaluate.ts";
import { Machine, RESTIC, type UnitRun } from "./machine.ts";
import { find, provide, providePackages, provideScript } from "./programs.ts";

export const HOST = "drhorrible";
export const HUB = "ursula";

/** All of it; close it. */
export class House {
  readonly world = new World([HOST, HUB]);
  readonly programs = join(this.world.root, "programs");
  credentials = {
    current: randomBytes(16).toString("hex"),
    next: randomBytes(16).toString("hex"),
    previous: randomBytes(16).toString("hex"),
  };
  #hub: Machine | undefined;
  #hubAgain: Machine | undefined;
  #host: Machine | undefined;
  #port = 0;
  #database: ChildProcess | undefined;

  /** Builds it: the bundle's files are written, and the hub serves. */
  async build(): Promise<void> {
    chmodSync(this.world.root, 0o755);
    this.#port = await freePort();
    await Promise.all([this.#offsite(), this.#packages()]);
    this.#bundle();
    const evaluation = await evaluate(join(import.meta.dirname, "configurations.nix"), {
      programs: this.programs,
      store: "/run/store",
      bundle: join(this.world.root, "bundle"),
      agent: this.#agent,
      hubAddress: `127.0.0.1:${this.#port}`,
      passwordFile: "/run/secrets/restic-password",
    });
    this.#hub = new Machine(join(this.world.root, HUB), "hub", evaluation);
    this.#hubAgain = new Machine(join(this.world.root, HUB), "hubAgain", evaluation);
    this.#host = new Machine(join(this.world.root, HOST), "host", evaluation);
    // A hub that does not answer is asked once.
    this.host.environment.OFFSITE_RETRIES = "0";
    this.host.environment.OFFSITE_PAUSE = "0";
    this.#secrets();
    await this.serve("current");
  }

  /** The hub's machine. */
  get hub(): Machine {
    return built(this.#hub);
  }

  /** The hub's machine, where drills are of the hub itself, which has no database. */
  get hubAgain(): Machine {
    return built(this.#hubAgain);
  }

  /** The host's machine. */
  get host(): Machine {
    return built(this.#host);
  }

  async close(): Promise<void> {
    await this.stopDatabase();
    await this.#hub?.stop();
    await this.world.close();
  }

  /** (Re)starts the hub's rest-server, which accepts one of the credentials that the hosts have. */
  async serve(accepts: keyof House["credentials"] | "another"): Promise<void> {
    const password = accepts === "another" ? "another" : this.credentials[accepts];
    const line = bcrypt.hashSync(password, 4);
    const users = [HOST, HUB].map((host) => `${host}:${line}\n`).join("");
    this.secret(this.hub, "offsite-htpasswd", users, true);
    await this.hub.stop();
    // Instead of the socket that systemd would hand over.
    const listen = ["--listen", `127.0.0.1:${this.#port}`];
    this.hub.background("restic-rest-server", ...listen);
    await until(() => listens(this.#port));
  }

  /** A step of one generation, with the host deployed: what was next is current. */
  rotate(): void {
    const { current, next } = this.credentials;
    this.credentials = { previous: current, current: next, next: randomBytes(16).toString("hex") };
    this.#environments();
  }

  /** Runs the host's backup, and does something after restic was started and before it connects. */
  async whileBackingUp(unit: string, work: () => Promise<void>): Promise<UnitRun> {
    const begun = join(this.world.root, "begun");
    const restic = join(this.programs, "restic", "bin", "restic");
    provideScript(
      this.programs,
      "restic",
      "restic",
      `if [ "$1" = backup ] && [ ! -e ${begun} ]; then
         : >${begun}
         while [ ! -e ${begun}.done ]; do sleep 0.1; done
       fi
       exec ${find("restic")} "$@"`,
    );
    try {
      const run = this.host.start(unit);
      await until(() => Promise.resolve(existsSync(begun)));
      await work();
      writeFileSync(`${begun}.done`, "");
      return await run;
    } finally {
      rmSync(restic);
      provide(find("restic"), restic);
      for (const file of [begun, `${begun}.done`]) rmSync(file, { force: true });
    }
  }

  /** Starts a PostgreSQL cluster with a table in it; what dumps it finds it. */
  async startDatabase(): Promise<void> {
    const folder = join(this.world.root, "postgresql");
    mkdirSync(folder, { recursive: true });
    Machine.own(folder);
    const account = Machine.isRoot ? { uid: RESTIC, gid: RESTIC } : {};
    const options = { ...account, cwd: folder };
    const data = join(folder, "data");
    const initial = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
    if (!existsSync(data)) await execa(find("initdb"), ["-D", data, ...initial], options);
    this.#database = spawn(
      find("postgres"),
      ["-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
      { ...options, stdio: "ignore" },
    );
    const client = `export PGHOST=${folder} PGUSER=postgres\nexec ${find("pg_dumpall")} "$@"`;
    provideScript(this.programs, "postgresql", "pg_dumpall", client);
    const psql = ["-h", folder, "-U", "postgres", "-d", "postgres", "-qc"];
    const sql = "create table if not exists notes as select 'remember the milk' as text";
    await until(
      async () => (await execa(find("psql"), [...psql, sql], { reject: false })).exitCode === 0,
    );
  }

  async stopDatabase(): Promise<void> {
    if (this.#database === undefined) return;
    const ended = once(this.#database, "exit");
    this.#database.kill("SIGINT");
    await ended;
    this.#database = undefined;
  }

  /** Writes an opened secret of a machine. */
  secret(machine: Machine, name: string, content: string, ofRestic: boolean): void {
    mkdirSync(machine.path("/run/secrets/"), { recursive: true });
    const file = machine.path(`/run/secrets/${name}`);
    rmSync(file, { force: true });
    writeFileSync(file, content, { mode: 0o400 });
    if (ofRestic) Machine.own(file);
  }

  async #offsite(): Promise<void> {
    await this.world.addPeer();
    this.world.addCloud();
    const { peer, cloud } = this.world.manifest.targets;
    if (peer?.type === "rest-server") {
      for (const host of [HOST, HUB]) peer.repositories[host] = `rest:${peer.url}${host}/`;
    }
    for (const host of [HOST, HUB]) if (cloud) cloud.repositories[host] = `rclone:cloud:${host}`;
    const atCloud = this.world.credentials.targets.cloud;
    if (atCloud?.type === "b2") atCloud.remotes.restore = "cloud";
    // NixOS makes it where repositories are private, although another file is used.
    writeFileSync(join(this.world.repositories, ".htpasswd"), "", { mode: 0o700 });
    Machine.own(join(this.world.repositories, ".htpasswd"));
    for (const folder of [this.world.repositories, this.world.cloudData]) Machine.own(folder);
  }

  async #packages(): Promise<void> {
    const { programs } = this;
    providePackages(programs);
    mkdirSync(join(programs, "nodejs", "bin"), { recursive: true });
    provide(process.execPath, join(programs, "nodejs", "bin", "node"));
    await buildAgent(this.#agent);
    // Accounts of NixOS that this machine may not have.
    const setpriv = Machine.isRoot
      ? `exec ${find("setpriv")} "\${@/%=@(restic|postgres)/=${RESTIC}}"`
      : 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"';
    provideScript(programs, "util-linux", "setpriv", `shopt -s extglob\n${setpriv}`);
  }

  #bundle(): void {
    const { manifest, root } = this.world;
    manifest.hub = { ...manifest.hub, host: HUB, url: this.#url };
    for (const name of [HOST, HUB]) {
      const host = manifest.hosts[name];
      if (host === undefined) throw new Error(name);
      host.repository = this.repository(name);
      host.environment = `hosts/${name}.env.age`;
    }
    mkdirSync(join(root, "bundle"));
    writeFileSync(join(root, "bundle", "offsite.json"), JSON.stringify(manifest));
  }

  /** The agent's file. */
  get #agent(): string {
    return join(this.programs, "offsite-hub.mjs");
  }

  get #url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  /** restic's URL of a host's repository at the hub. */
  repository(host: string): string {
    return `rest:${this.#url}${host}/`;
  }

  #secrets(): void {
    const { world } = this;
    this.secret(this.hub, "offsite-hub-credentials", JSON.stringify(world.credentials), true);
    const rclone = readFileSync(join(world.root, "rclone.conf"), "utf8");
    this.secret(this.hub, "offsite-rclone", rclone, true);
    this.secret(this.hub, "restic-password", PASSWORD, true);
    this.secret(this.host, "restic-password", PASSWORD, false);
    this.#environments();
  }

  /** The hosts' files of the bundle. */
  #environments(): void {
    const { credentials } = this;
    for (const [name, machine] of [
      [HUB, this.hub],
      [HOST, this.host],
    ] as const) {
      const environment = envFile([
        { comment: "Back up to the hub" },
        ["RESTIC_REPOSITORY", this.repository(name)],
        ["RESTIC_REST_USERNAME", name],
        ["RESTIC_REST_PASSWORD", credentials.current],
        ["OFFSITE_HUB_PASSWORD_NEXT", credentials.next],
        ["OFFSITE_HUB_PASSWORD_PREVIOUS", credentials.previous],
        ["OFFSITE_PEER_PASSWORD", "for-restoring-from-the-peer"],
      ]);
      this.secret(machine, "offsite-host", environment, false);
    }
  }
}

function built(machine: Machine | undefined): Machine {
  if (machine === undefined) throw new Error("build it first");
  return machine;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if (await holds()) return;
    await setTimeout(50);
  }
  throw new Error("it never came to hold");
}
