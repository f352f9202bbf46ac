/**
 * A hub with repositories, a peer's rest-server and an rclone remote, all in one temporary folder:
 * real restic, rest-server and rclone, found on PATH.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import bcrypt from "bcryptjs";
import { execa } from "execa";
import { afterAll } from "vitest";
import type { z } from "zod";
import type { HubCredentials, Manifest, PasswordTrio } from "../../config/manifest.ts";
import type { HostReport, MirrorReport } from "../../hub/mirror/report.ts";
import type { settingsSchema } from "../../hub/settings.ts";
import { freePort } from "../../sandbox/world.ts";
import { buildAgent } from "../../tools/build.ts";
import { Forge } from "./forge.ts";

export const PASSWORD = "only-for-tests";

/** What restic is to find in its environment: the passwords of repositories, and where its cache is. */
export function resticEnvironment(world: { readonly root: string }): Record<string, string> {
  return {
    RESTIC_PASSWORD: PASSWORD,
    RESTIC_FROM_PASSWORD: PASSWORD,
    RESTIC_CACHE_DIR: join(world.root, "cache"),
  };
}

/** restic with the tests' repository password and a cache that goes with the world. */
export async function restic(
  world: { readonly root: string },
  repository: string,
  ...args: string[]
): Promise<string> {
  const { stdout } = await execa("restic", ["-r", repository, ...args], {
    env: resticEnvironment(world),
  });
  return stdout;
}

async function untilOpen(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("close", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    await setTimeout(25);
  }
  throw new Error(`nothing listens on port ${port}`);
}

let template: string | undefined;

/** What a file of tests, or a soak, needs throughout; it goes with the last of them. */
const shared = mkdtempSync(join(tmpdir(), "offsite-hub-test-"));
const clear = (): void => rmSync(shared, { recursive: true, force: true });
if (process.env.VITEST === undefined) process.on("exit", clear);
else afterAll(clear);

function temporaryFolder(): string {
  return mkdtempSync(join(shared, "folder-"));
}

/** The agent as one file, as a hub has it, built anew for each file of tests. */
const agent = join(temporaryFolder(), "offsite-hub.mjs");
await buildAgent(agent);

/** What a run of the agent came to. */
export interface Run<Report = MirrorReport> {
  exitCode?: number | undefined;
  stdout: string;
  stderr: string;
  /** What it wrote to standard output, where that is JSON; else undefined, whatever the type. */
  report: Report;
}

async function ended<Report>(process: Promise<Omit<Run, "report">>): Promise<Run<Report>> {
  const { exitCode, stdout, stderr } = await process;
  let report: unknown;
  try {
    report = JSON.parse(stdout);
  } catch {
    // Lines for people, or nothing.
  }
  return { exitCode, stdout, stderr, report: report as Report };
}

/** The folder and the processes of one test. */
export class World {
  readonly root: string;
  readonly repositories: string;
  readonly peerData: string;
  readonly cloudData: string;
  readonly peerLog: string;
  /** The agent's folder for what it remembers. */
  readonly state: string;
  readonly hosts: readonly string[];
  readonly trio: PasswordTrio = {
    generation: 2,
    current: randomBytes(16).toString("hex"),
    next: randomBytes(16).toString("hex"),
    previous: randomBytes(16).toString("hex"),
  };
  manifest: Manifest;
  credentials: HubCredentials;
  /** The hub's settings, where a test has some. */
  settings: z.input<typeof settingsSchema> | undefined;
  peerPort = 0;
  readonly #children = new Set<ChildProcess>();

  /** @param parent - the folder that its own is made in. */
  constructor(hosts: readonly string[], parent = tmpdir()) {
    this.hosts = hosts;
    this.root = mkdtempSync(join(parent, "offsite-hub-"));
    this.repositories = join(this.root, "hub");
    this.peerData = join(this.root, "peer");
    this.cloudData = join(this.root, "cloud");
    this.peerLog = join(this.root, "peer.log");
    this.state = join(this.root, "state");
    for (const folder of [this.repositories, this.peerData, this.cloudData]) mkdirSync(folder);
    this.manifest = {
      version: 1,
      stack: "test",
      hub: { host: "hub", url: "http://127.0.0.1:1/", repositories: this.repositories },
      hosts: Object.fromEntries(
        hosts.map((host) => [
          host,
          {
            sizeGiB: 1,
            user: host,
            repository: `rest:x/${host}/`,
            environment: `hosts/${host}.env`,
          },
        ]),
      ),
      targets: {},
    };
    this.credentials = { version: 1, targets: {} };
  }

  /** The repository of a host at the hub. */
  at(host: string): string {
    return join(this.repositories, host);
  }

  /** Adds the peer as a target, served by a rest-server of its own. */
  async addPeer(
    options: { accepts?: string; args?: string[]; url?: string; maxSizeGiB?: number } = {},
  ): Promise<void> {
    this.peerPort = await freePort();
    await this.startPeer(options.accepts ?? this.trio.current, options.args ?? []);
    this.manifest.targets.peer = {
      type: "rest-server",
      url: options.url ?? `http://127.0.0.1:${this.peerPort}/`,
      maxSizeGiB: options.maxSizeGiB ?? 100,
      repositories: {},
    };
    this.credentials.targets.peer = {
      type: "rest-server",
      users: Object.fromEntries(this.hosts.map((host) => [host, this.trio])),
    };
  }

  /** Starts the peer's rest-server; all users have this password. */
  async startPeer(password: string, args: string[] = []): Promise<ChildProcess> {
    const line = bcrypt.hashSync(password, 4);
    const htpasswd = join(this.root, "htpasswd");
    writeFileSync(htpasswd, this.hosts.map((host) => `${host}:${line}\n`).join(""));
    const fixed = ["--append-only", "--private-repos", "--path", this.peerData];
    const listen = ["--listen", `127.0.0.1:${this.peerPort}`, "--htpasswd-file", htpasswd];
    const log = ["--log", this.peerLog];
    const command = [...fixed, ...listen, ...log, ...args];
    const child = spawn("rest-server", command, { stdio: "ignore" });
    this.#children.add(child);
    await untilOpen(this.peerPort);
    return child;
  }

  /** Sends the peer's rest-server a signal. */
  async signalPeer(signal: NodeJS.Signals): Promise<void> {
    for (const child of this.#children) child.kill(signal);
    // It is handled beside requests.
    await setTimeout(100);
  }

  /** Ends the peer's rest-server. */
  async stopPeer(): Promise<void> {
    for (const child of this.#children) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    this.#children.clear();
  }

  /** The requests that the peer has answered: `POST data 200`, by kind, in their order. */
  requests(): string[] {
    const lines = readFileSync(this.peerLog, "utf8").matchAll(
      /"(\w+) \/[^/]+\/([a-z?=]*)[^"]*" (\d+)/g,
    );
    return [...lines].map(
      ([, method, kind, status]) => `${method ?? ""} ${kind ?? ""} ${status ?? ""}`,
    );
  }

  /** Adds a target behind rclone; without a configuration, a folder stands for the bucket. */
  addCloud(config?: { rcloneConfig: string; path: string; bucket: string }): void {
    const local = ["cloud", "cloud-next"].map(
      (name) => `[${name}]\ntype = alias\nremote = ${this.cloudData}\n`,
    );
    writeFileSync(join(this.root, "rclone.conf"), config?.rcloneConfig ?? local.join("\n"));
    this.manifest.targets.cloud = {
      type: "b2",
      bucket: config?.bucket ?? "bucket",
      remote: "cloud",
      path: config?.path ?? "",
      keepHiddenDays: 30,
      repositories: {},
    };
    this.credentials.targets.cloud = {
      type: "b2",
      generation: 1,
      remotes: { current: "cloud", next: "cloud-next", restore: "r", monitor: "m" },
    };
  }

  /** Makes a host's repository at the hub. */
  init(host: string): void {
    Forge.init(this.at(host), PASSWORD);
  }

  /** Gives a host a repository with two snapshots. Each host's is a copy of the same one. */
  async seed(host: string): Promise<void> {
    if (template === undefined) {
      template = temporaryFolder();
      Forge.init(template, PASSWORD);
      for (const megabytes of [2, 1]) {
        writeFileSync(join(this.root, "seed.bin"), randomBytes(megabytes * 1_000_000));
        await restic(this, template, "backup", "--quiet", join(this.root, "seed.bin"));
      }
    }
    cpSync(template, this.at(host), { recursive: true });
  }

  /** Writes new random files of the host and backs them up. */
  async backup(host: string, bytes = 300_000, files = 3): Promise<void> {
    const folder = join(this.root, "data", host);
    mkdirSync(folder, { recursive: true });
    for (let file = 0; file < files; file += 1) {
      const name = `${randomBytes(4).toString("hex")}.bin`;
      writeFileSync(join(folder, name), randomBytes(Math.ceil(bytes / files)));
    }
    await restic(this, this.at(host), "backup", "--quiet", "--host", host, folder);
  }

  /** Runs the agent to its end; the caller gives `--json` where it wants a report. */
  async run<Report = unknown>(command: string, ...args: string[]): Promise<Run<Report>> {
    return await ended<Report>(this.start(command, ...args));
  }

  /** Runs `offsite-hub mirror --json`. */
  async mirror(...args: string[]): Promise<Run> {
    return await ended<MirrorReport>(this.startMirror(...args));
  }

  /** Starts `offsite-hub mirror --json` in a process group of its own. */
  startMirror(...args: string[]) {
    return this.start("mirror", "--wait", "0", "--json", ...args);
  }

  /** Starts the agent in a process group of its own. */
  start(command: string, ...args: string[]) {
    const { command: words, env } = this.command(command, ...args);
    return execa(words[0], words.slice(1), { env, reject: false, detached: true } as const);
  }

  /** The agent's command line and what it is to find in its environment, with its files written. */
  command(...args: readonly [string, ...string[]]): {
    command: [string, ...string[]];
    env: Record<string, string>;
  } {
    writeFileSync(join(this.root, "offsite.json"), JSON.stringify(this.manifest));
    writeFileSync(join(this.root, "hub-credentials.json"), JSON.stringify(this.credentials));
    if (this.settings !== undefined) {
      writeFileSync(join(this.root, "settings.json"), JSON.stringify(this.settings));
    }
    const env = {
      OFFSITE_MANIFEST: join(this.root, "offsite.json"),
      OFFSITE_CREDENTIALS: join(this.root, "hub-credentials.json"),
      OFFSITE_RCLONE_CONFIG: join(this.root, "rclone.conf"),
      STATE_DIRECTORY: this.state,
      ...(this.settings !== undefined && { OFFSITE_SETTINGS: join(this.root, "settings.json") }),
    };
    return { command: [agent, ...args], env };
  }

  /** Files of a kind that a host has at the peer or the cloud: `data`, `index`, … */
  filesAt(place: string, host: string, kind: string): string[] {
    try {
      return readdirSync(join(place, host, kind), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => entry.name)
        .sort();
    } catch {
      return [];
    }
  }

  /** The report on one host. */
  static host(run: Run, target: string, host: string): HostReport {
    const report = run.report.targets[target]?.hosts[host];
    if (report === undefined) throw new Error(`no report on ${target} ${host}: ${run.stderr}`);
    return report;
  }

  /** Has restic read and check a host's whole repository in a folder. */
  async check(place: string, host: string): Promise<void> {
    await restic(this, join(place, host), "check", "--read-data", "--no-lock", "--no-cache");
  }

  async close(): Promise<void> {
    await this.stopPeer();
    rmSync(this.root, { recursive: true, force: true });
  }
}
