/** A cluster for tests: the cloud's emulator, a peer with a real engine, hosts, and a stack of them. */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { startB2Emulator, type B2Emulator } from "../../sandbox/b2/index.ts";
import { importImage, startEngine, type Engine } from "../../sandbox/engine.ts";
import { makeHosts, type Host } from "../../sandbox/hosts.ts";
import { Hub } from "../../sandbox/hub.ts";
import { startPeer, type Peer } from "../../sandbox/peer.ts";
import { Programs } from "../../sandbox/programs.ts";
import { stackConfig } from "../../sandbox/stack-config.ts";
import { Stack, type CommandResult } from "../../sandbox/stack.ts";
import { freePort, removeContainers, World } from "../../sandbox/world.ts";

/** Settings below `config:`, by key and then by name. */
export type Settings = Record<string, Record<string, Record<string, unknown>>>;

/** The machines that stand before the stack has its settings. */
export interface Machines {
  readonly world: World;
  readonly emulator: B2Emulator;
  readonly engine: Engine;
  readonly peer: Peer;
  readonly programs: Programs;
  readonly hosts: readonly Host[];
}

/** What a cluster has beside the targets `cloud` and `peer`. */
export interface MoreTargets {
  /** Settings of targets by name; one of a name that is there already takes its place. */
  readonly targets?: Record<string, Record<string, unknown>>;
  /** The names of targets that the stack does not have. */
  readonly without?: readonly ("cloud" | "peer")[];
  /** Config values that are secret, by key: `fort-offsite:targetSecrets` as JSON. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Added to the environment of the stack's commands. */
  readonly env?: Readonly<Record<string, string>>;
  /** Programs of plugins, by the names that they have in Pulumi's plugin folder. */
  readonly plugins?: Readonly<Record<string, string>>;
  /** The folder of the project, where it is not this one. */
  readonly project?: string;
}

/** Stands until {@link Cluster.end}. Nothing is deployed by itself. */
export interface Cluster {
  readonly world: World;
  readonly emulator: B2Emulator;
  readonly engine: Engine;
  readonly peer: Peer;
  /** The compose project's name of the peer's server. */
  readonly project: string;
  readonly hosts: readonly Host[];
  readonly stack: Stack;
  readonly programs: Programs;
  /** Where `pulumi up` writes the bundle. */
  readonly bundle: string;
  readonly hubPort: number;
  /** To be changed, and set with `stack.configure(settings)`. */
  readonly settings: Settings;
  readonly seed: string;
  /** `pulumi up`. */
  up(): Promise<string>;
  /** The operator's command, without a terminal. */
  offsite(command: string, ...args: readonly string[]): Promise<CommandResult>;
  /** What `docker` at the peer's engine prints. */
  docker(...args: readonly string[]): Promise<string>;
  /** The hub with the bundle as it is now. */
  openHub(): Promise<Hub>;
  /** Takes all of it down; what went wrong on the way. */
  end(): Promise<readonly Error[]>;
}

/**
 * Starts the machines, and makes the stack with its settings and secrets: the targets `cloud` and
 * `peer`.
 *
 * @param names - the hosts; ursula, the hub, must be among them. All seven when left out.
 * @param more - starts what other targets need, and says what they are. What it starts ends with the
 * world's cleanup.
 */
export async function startCluster(
  names?: readonly string[],
  more: (machines: Machines) => Promise<MoreTargets> | MoreTargets = () => ({}),
): Promise<Cluster> {
  const world = new World();
  const programs = await Programs.ensure(AbortSignal.timeout(600_000), () => undefined);
  const emulator = await startB2Emulator({ dataDirectory: world.folder("b2") });
  world.cleanup.add("the B2 emulator", () => emulator.stop());
  const name = `test-${world.id}`;
  const engine = await startEngine(world, programs.forEngine);
  const project = `fort-offsite-${name}-peer`;
  if (!engine.own) world.noteContainers(engine.host, project);
  world.cleanup.add("the peer's container", () => removeContainers(engine.host, project));
  const peer = await startPeer(world, programs.path("sshd"), engine);
  const hosts = (await makeHosts(world)).filter((host) => names?.includes(host.name) ?? true);
  const hubPort = await freePort();
  const bundle = join(world.directory, "bundle");
  const image = await importImage(world, engine, programs.forEngine);
  const settings = (await stackConfig({
    ...{ world, hosts, peer, emulator, hubPort, image, bundle },
  })) as Settings;
  const extra = await more({ world, emulator, engine, peer, programs, hosts });
  const usual = Object.entries(settings["fort-offsite:targets"] ?? {}).filter(
    ([target]) => !extra.without?.some((each) => each === target),
  );
  settings["fort-offsite:targets"] = { ...Object.fromEntries(usual), ...extra.targets };
  const seed = randomBytes(32).toString("hex");
  const stack = new Stack(world, {
    name,
    config: settings,
    secrets: {
      "fort-offsite:credentialSeed": seed,
      "fort-offsite:sshPrivateKey": peer.privateKey,
      ...extra.secrets,
    },
    env: {
      B2_APPLICATION_KEY_ID: emulator.applicationKeyId,
      B2_APPLICATION_KEY: emulator.applicationKey,
      B2_ENDPOINT: emulator.url,
      ...extra.env,
    },
    plugins: { "resource-command-v1.2.1": programs.commandPlugin, ...extra.plugins },
    ...(extra.project !== undefined && { project: extra.project }),
  });
  await stack.create();
  const atEngine = { DOCKER_HOST: engine.host, DOCKER_CONFIG: engine.config };
  return {
    ...{ world, emulator, engine, peer, project, hosts, stack, programs, bundle, hubPort },
    ...{ settings, seed },
    up: () => stack.must(["up", "--yes", "--skip-preview"]),
    offsite: (command, ...args) => stack.offsite(command, ...args),
    docker: async (...args) => (await execa("docker", args, { env: atEngine })).stdout,
    openHub: async () => {
      mkdirSync(join(world.directory, "hub", "repositories"), { recursive: true });
      const host = hosts.find((each) => each.name === "ursula");
      if (host === undefined) throw new Error("There is no ursula");
      return await Hub.open({
        ...{ world, host, hosts, bundle, port: hubPort },
        programs: {
          restServer: programs.path("rest-server"),
          restic: programs.path("restic"),
          rclone: programs.path("rclone"),
        },
      });
    },
    end: () => world.cleanup.run(),
  };
}
