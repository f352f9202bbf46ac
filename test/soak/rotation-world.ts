/**
 * A stack's world for the soak of rotations: hosts that back up with the client's own script, a hub, a
 * peer and a cloud, all real. What an update does is reckoned by the functions that the program has it
 * from; the engine is left out, which takes seconds for each.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { b2Keys, type B2Key, type B2Record } from "../../credentials/b2-keys.ts";
import type { Standing } from "../../config/generations.ts";
import { B2_CAPABILITIES } from "../../credentials/b2-capabilities.ts";
import { deriveTrio, jointStanding, type PasswordOwner } from "../../credentials/derive.ts";
import { envFile } from "../../credentials/env-file.ts";
import { htpasswdFile } from "../../credentials/htpasswd.ts";
import { listens } from "../../sandbox/peer.ts";
import { freePort, PROJECT, waitFor } from "../../sandbox/world.ts";
import { Cloud } from "../hub/cloud.ts";
import { PASSWORD, World } from "../hub/world.ts";

export const HOSTS = ["joker", "q"] as const;
export const TARGETS = ["cloud", "peer"] as const;

const CLIENT = join(PROJECT, "hub", "nix", "client", "offsite-restic");

/** Whose generation a rotation raises. */
export type Subject = (typeof HOSTS)[number] | (typeof TARGETS)[number];

/** The files that an update writes, each for its machine. */
interface Bundle {
  readonly htpasswd: string;
  readonly credentials: World["credentials"];
  readonly rclone: string;
  readonly environments: Readonly<Record<string, string>>;
}

/** How a host's backup went. */
export interface Backup {
  readonly exitCode: number;
  readonly stderr: string;
  /** The snapshot's id, where one was made. */
  readonly snapshot: string | undefined;
}

/** All of it; close it. */
export class RotationWorld {
  readonly world = new World(HOSTS);
  readonly #seed = randomBytes(32).toString("hex");
  readonly #standings: Record<Subject, Standing> = {
    joker: { generation: 1, revoked: 0 },
    q: { generation: 1, revoked: 0 },
    cloud: { generation: 1, revoked: 0 },
    peer: { generation: 1, revoked: 0 },
  };
  /** B2's keys by their resources, as lines of an rclone.conf. */
  readonly #keys = new Map<string, string>();
  #cloud: Cloud | undefined;
  #record: B2Record | undefined;
  #bundle: Bundle | undefined;
  #server: ChildProcess | undefined;
  #port = 0;

  /** Stands it up, with everything deployed. */
  async start(): Promise<void> {
    const { world } = this;
    await world.addPeer();
    this.#cloud = await Cloud.start(world);
    this.#port = await freePort();
    world.manifest.hub = { ...world.manifest.hub, url: `http://127.0.0.1:${this.#port}/` };
    this.#bundle = await this.#update();
    await this.#switchPeer();
    await this.deployHub(false);
    await this.#serve();
    for (const host of HOSTS) {
      mkdirSync(join(world.root, "run", host), { recursive: true });
      this.deployHost(host);
      const { exitCode, stderr } = await this.restic(host, "init");
      if (exitCode !== 0) throw new Error(`init of ${host}: ${stderr}`);
    }
  }

  get cloud(): Cloud {
    if (this.#cloud === undefined) throw new Error("start it first");
    return this.#cloud;
  }

  /**
   * What `pulumi up` does after a generation was raised. The peer changes over and the bundle is
   * written at the same time, in no order; B2's keys are made before that, and taken away after.
   *
   * @param bundleFirst - whether the bundle is there before the peer changes over.
   * @param meanwhile - done between these two.
   */
  async rotate(
    subject: Subject,
    bundleFirst: boolean,
    meanwhile: () => Promise<void>,
  ): Promise<void> {
    const { generation, revoked } = this.#standings[subject];
    this.#standings[subject] = { generation: generation + 1, revoked };
    const bundle = await this.#update();
    if (bundleFirst) this.#bundle = bundle;
    else await this.#switchPeer();
    await meanwhile();
    if (bundleFirst) await this.#switchPeer();
    else this.#bundle = bundle;
    await this.#dropKeys();
  }

  /** Gives the hub its files of the bundle, and its server the htpasswd. */
  async deployHub(restart: boolean): Promise<void> {
    const { htpasswd, credentials, rclone } = this.#files;
    const { world } = this;
    this.#replace("hub.htpasswd", htpasswd);
    world.credentials = credentials;
    this.#replace("hub-credentials.json", JSON.stringify(credentials));
    this.#replace("rclone.conf", rclone);
    if (this.#server === undefined) return;
    if (restart) {
      const ended = once(this.#server, "exit");
      this.#server.kill("SIGTERM");
      await ended;
      await this.#serve();
    } else this.#server.kill("SIGHUP");
  }

  /** Gives a host its file of the bundle. */
  deployHost(host: string): void {
    this.#replace(`${host}.env`, this.#files.environments[host] ?? "");
  }

  /** Backs a host up, through the script that chooses among its credentials. */
  async backUp(host: string, folder: string, kibPerSecond: number): Promise<Backup> {
    const slow = ["--limit-upload", String(kibPerSecond)];
    const args = ["backup", "--json", "--host", host, ...slow, folder];
    const { exitCode, stdout, stderr } = await this.restic(host, ...args);
    const ids = [...stdout.matchAll(/"snapshot_id":"([0-9a-f]{64})"/g)];
    return { exitCode, stderr, snapshot: ids.at(-1)?.[1] };
  }

  /** restic as a host runs it. */
  async restic(host: string, ...args: string[]) {
    const { root } = this.world;
    const result = await execa("bash", [CLIENT, join(root, `${host}.env`), ...args], {
      env: {
        RESTIC_PASSWORD: PASSWORD,
        RESTIC_CACHE_DIR: join(root, "cache", host),
        RUNTIME_DIRECTORY: join(root, "run", host),
        OFFSITE_PAUSE: "0.5",
      },
      stdin: "ignore",
      reject: false,
    });
    const { exitCode = 1, stdout, stderr } = result;
    return { exitCode, stdout, stderr };
  }

  async close(): Promise<void> {
    this.#server?.kill("SIGKILL");
    await this.#cloud?.close();
    await this.world.close();
  }

  get #files(): Bundle {
    if (this.#bundle === undefined) throw new Error("there is no bundle yet");
    return this.#bundle;
  }

  /** Makes the keys that are new, and the bundle. */
  async #update(): Promise<Bundle> {
    const { keys, record } = this.#wanted();
    for (const { resource, purpose } of keys) {
      if (!this.#keys.has(resource)) {
        this.#keys.set(resource, await this.cloud.key(B2_CAPABILITIES[purpose]));
      }
    }
    this.#record = record;
    const { generation } = this.#standings.cloud;
    return {
      htpasswd: this.#htpasswd((host) => [{ at: "hub", host }, this.#standings[host]]),
      credentials: this.#credentials(),
      rclone: [
        ["cloud", `sync-g${generation}`],
        ["cloud-next", `sync-g${generation + 1}`],
      ]
        .map(([remote = "", key = ""]) => {
          const lines = this.#keys.get(key) ?? "";
          return `[${remote}]\ntype = b2\nendpoint = ${this.cloud.b2.url}\n${lines}`;
        })
        .join("\n"),
      environments: Object.fromEntries(HOSTS.map((host) => [host, this.#environment(host)])),
    };
  }

  #wanted(): { keys: B2Key[]; record: B2Record } {
    const { joker, q, cloud } = this.#standings;
    const before = this.#record;
    const revokedBefore = { target: cloud.revoked, hosts: { joker: joker.revoked, q: q.revoked } };
    return b2Keys({
      target: cloud,
      hosts: { joker, q },
      ...(before !== undefined && { before, revokedBefore }),
    });
  }

  /** Takes the keys away that no bundle needs any more. */
  async #dropKeys(): Promise<void> {
    const wanted = new Set(this.#wanted().keys.map(({ resource }) => resource));
    for (const [resource, lines] of this.#keys) {
      if (wanted.has(resource)) continue;
      await this.cloud.removeKey(lines);
      this.#keys.delete(resource);
    }
  }

  #credentials(): World["credentials"] {
    const { peer, cloud } = this.#standings;
    const users = HOSTS.map((host) => {
      const owner = { at: "target", target: "peer", host } as const;
      return [host, deriveTrio(this.#seed, owner, jointStanding(this.#standings[host], peer))];
    });
    return {
      version: 1,
      targets: {
        peer: {
          type: "rest-server",
          users: Object.fromEntries(users) as Record<string, ReturnType<typeof deriveTrio>>,
        },
        cloud: {
          type: "b2",
          generation: cloud.generation,
          remotes: { current: "cloud", next: "cloud-next", restore: "r", monitor: "m" },
        },
      },
    };
  }

  #environment(host: (typeof HOSTS)[number]): string {
    const trio = deriveTrio(this.#seed, { at: "hub", host }, this.#standings[host]);
    return envFile([
      ["RESTIC_REPOSITORY", `rest:http://127.0.0.1:${this.#port}/${host}/`],
      ["RESTIC_REST_USERNAME", host],
      ["RESTIC_REST_PASSWORD", trio.current],
      ["OFFSITE_HUB_PASSWORD_NEXT", trio.next],
      ["OFFSITE_HUB_PASSWORD_PREVIOUS", trio.previous ?? ""],
    ]);
  }

  #htpasswd(of: (host: (typeof HOSTS)[number]) => readonly [PasswordOwner, Standing]): string {
    const users = HOSTS.map((host) => {
      const [owner, { generation }] = of(host);
      return { owner, generation };
    });
    return htpasswdFile(this.#seed, users);
  }

  async #switchPeer(): Promise<void> {
    const content = this.#htpasswd((host) => [
      { at: "target", target: "peer", host },
      jointStanding(this.#standings[host], this.#standings.peer),
    ]);
    this.#replace("htpasswd", content);
    await this.world.signalPeer("SIGHUP");
  }

  #replace(name: string, content: string): void {
    const path = join(this.world.root, name);
    writeFileSync(`${path}.new`, content, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  async #serve(): Promise<void> {
    const { root, repositories } = this.world;
    const where = ["--listen", `127.0.0.1:${this.#port}`, "--path", repositories];
    const how = ["--append-only", "--private-repos", "--htpasswd-file", join(root, "hub.htpasswd")];
    this.#server = spawn("rest-server", [...where, ...how], { stdio: "ignore" });
    await waitFor("The hub's start", () => listens(this.#port));
  }
}
