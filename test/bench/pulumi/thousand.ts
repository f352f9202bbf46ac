/** A thousand hosts beside seven, and what a rotation of one of them changes. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import path from "node:path";
import { z } from "zod";
import { Stack } from "../../../sandbox/stack.ts";
import { freePort, removeContainers } from "../../../sandbox/world.ts";
import { startCluster, type Cluster, type Settings } from "../../e2e/cluster.ts";
import type { Bench, Benchmark, Figure } from "../benchmark.ts";
import { holdersOf, isKey } from "./holders.ts";
import {
  FAST,
  inTurn,
  makeComparison,
  OPERATIONS,
  ofStack,
  ratioOf,
  resourcesOf,
  resourcesOnly,
  withoutLooks,
} from "./stacks.ts";

export const thousand: Benchmark = {
  name: "thousand",
  summary:
    "pulumi preview and a no-op up of 1,000 hosts, against 7; what a rotation of one changes",
  run,
};

const GENERATION = 1;

/** What is timed in turn. */
type Timed = "7 hosts" | "many hosts" | "trivial";

async function run(bench: Bench): Promise<readonly Figure[]> {
  const cluster = await startCluster();
  bench.defer(() => cluster.end());
  bench.log("making the stack of 7 hosts");
  await cluster.up();
  const count = bench.quick ? 50 : 1000;
  bench.log(`making the stack of ${count} hosts`);
  const many = await Many.make(cluster, count);
  const { length } = await resourcesOf(many.stack);
  const trivial = await makeComparison(bench, "trivial", many.stack, resourcesOnly(length));
  const still = withoutLooks(cluster.stack);
  const manyStill = withoutLooks(many.stack);
  // Each takes a while, and its ratio varies little.
  const runs = Math.min(bench.runs, 2);
  const figures: Figure[] = [];
  for (const [name, args] of Object.entries(OPERATIONS)) {
    bench.log(`${name}: three commands, ${runs + 1} times`);
    const commands = {
      "7 hosts": ofStack(cluster.stack, args, still),
      "many hosts": ofStack(many.stack, args, manyStill),
      trivial: trivial.command(args),
    };
    const all = await inTurn<Timed>(bench, commands, runs);
    figures.push({
      ...{ what: `${name}: ${count} hosts, no look`, against: "7 hosts", reach: { most: 2 } },
      ...ratioOf(all, "many hosts", "7 hosts"),
      because: `a host is two resources, so that a preview names each file and each key. A program of ${length} resources that do nothing takes what stands behind it as "trivial". Of the program's own processor time, at 1,000 hosts, our code was 6 % when it was profiled; the rest is the SDK, which makes some dozens of promises for each resource, and the calls between program, engine and plugins`,
    });
  }
  bench.log("a rotation of one host");
  return [...figures, await many.rotation(`h${count >> 1}`)];
}

/** A stack of many hosts beside the cluster's, at the same peer and the same cloud. */
class Many {
  readonly stack: Stack;
  readonly #seed: string;
  readonly #settings: Settings;

  private constructor(stack: Stack, seed: string, settings: Settings) {
    this.stack = stack;
    this.#seed = seed;
    this.#settings = settings;
  }

  static async make({ world, engine, emulator, ...cluster }: Cluster, count: number) {
    const settings = await settingsOf({ world, engine, emulator, ...cluster }, count);
    const seed = randomBytes(32).toString("hex");
    const name = `many-${world.id}`;
    const stack = new Stack(world, {
      name,
      config: settings,
      secrets: {
        "fort-offsite:credentialSeed": seed,
        "fort-offsite:sshPrivateKey": cluster.peer.privateKey,
      },
      env: {
        B2_APPLICATION_KEY_ID: emulator.applicationKeyId,
        B2_APPLICATION_KEY: emulator.applicationKey,
        B2_ENDPOINT: emulator.url,
      },
      plugins: { "resource-command-v1.2.1": cluster.programs.commandPlugin },
    });
    const project = `fort-offsite-${name}-peer`;
    if (!engine.own) world.noteContainers(engine.host, project);
    world.cleanup.add("the many hosts' container", () => removeContainers(engine.host, project));
    await stack.create();
    Object.assign(process.env, FAST);
    try {
      await stack.must(["up", "--yes", "--skip-preview", "--parallel", "32"]);
    } finally {
      for (const variable of Object.keys(FAST)) Reflect.deleteProperty(process.env, variable);
    }
    return new Many(stack, seed, settings);
  }

  /** What the next generation of one host's credentials would change, and what holds the present. */
  async rotation(host: string): Promise<Figure> {
    const resources = await resourcesOf(this.stack);
    const place = { seed: this.#seed, target: "peer" };
    const holders = holdersOf(resources, { ...place, host, generation: GENERATION });
    const hosts = this.#settings["fort-offsite:hosts"] ?? {};
    this.stack.configure({
      "fort-offsite:hosts": { ...hosts, [host]: { ...hosts[host], generation: GENERATION + 1 } },
    });
    const steps = await this.#changes();
    this.stack.configure({ "fort-offsite:hosts": hosts });
    const made = steps.filter(({ op }) => op === "create");
    const ownKeys = made.filter(
      ({ urn }) => isKey(typeOf(urn)) && urn.includes(`::cloud-restore-${host}-`),
    );
    const changed = new Set(steps.map(({ urn }) => urn));
    for (const { urn } of ownKeys) changed.delete(urn);
    const needless = [...changed].filter((urn) => !holders.has(urn));
    const missed = [...holders].filter((urn) => !changed.has(urn));
    return {
      what: `rotation of one host of ${Object.keys(hosts).length}: resources that change and hold none of its credentials, or the reverse`,
      against: "those of the state that hold one, and its next key at the cloud",
      values: [needless.length + missed.length],
      unit: "resources",
      reach: { most: 0 },
      behind: {
        changed: steps.length,
        "holding one": holders.size,
        "new keys": ownKeys.length,
        "of resources": resources.length,
      },
      because: `changed without need: ${needless.join(", ") || "none"}; left: ${missed.join(", ") || "none"}`,
    };
  }

  async #changes(): Promise<z.infer<typeof previewSchema>["steps"]> {
    const text = await this.stack.must(["preview", "--json"]);
    const { steps } = previewSchema.parse(JSON.parse(text.slice(text.indexOf("{"))));
    return steps.filter(({ op, urn }) => op !== "same" && typeOf(urn) !== "pulumi:pulumi:Stack");
  }
}

const previewSchema = z.object({ steps: z.array(z.object({ op: z.string(), urn: z.string() })) });

// urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME
function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

/** The cluster's settings with other hosts, and places of their own. */
async function settingsOf(cluster: Cluster, count: number): Promise<Settings> {
  const { world, settings, bundle } = cluster;
  const hosts = Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`h${at}`, { key: sshKey(), sizeGiB: 0.1 }] as const),
  );
  const { cloud, peer } = settings["fort-offsite:targets"] ?? {};
  return {
    ...settings,
    "fort-offsite:hub": { ...settings["fort-offsite:hub"], host: "h0" },
    "fort-offsite:hosts": hosts,
    "fort-offsite:targets": {
      cloud: { ...cloud, bucket: `fort-many-${world.id}` },
      peer: {
        ...peer,
        listen: `127.0.0.1:${await freePort()}`,
        dataDir: path.join(world.directory, "peer-many"),
      },
    },
    "fort-offsite:seal": { ...settings["fort-offsite:seal"], directory: `${bundle}-many` },
  } as unknown as Settings;
}

/** A public key as OpenSSH writes it. Nobody opens what is sealed for it. */
function sshKey(): string {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  const parts = [Buffer.from("ssh-ed25519"), Buffer.from(x, "base64url")].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return `ssh-ed25519 ${Buffer.concat(parts).toString("base64")}`;
}
