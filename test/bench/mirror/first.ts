import { rmSync } from "node:fs";
import path from "node:path";
import { Forge } from "../../hub/forge.ts";
import { PASSWORD, resticEnvironment, World } from "../../hub/world.ts";
import { median, pairs, ratios, type Bench, type Benchmark, type Figure } from "../benchmark.ts";
import type { Timed } from "../time.ts";
import { backUp } from "./data.ts";
import { roomFor } from "./memory-folder.ts";

/** A host with data of which half compresses, and one whose data does not compress at all. */
const MIXED = "q";
const DENSE = "ursula";

const WHAT = "a first mirror to a rest-server";

const BECAUSE_DENSE =
  "such data gives restic least to do, while what a mirror takes is the start of Node.js, and " +
  "reading, hashing with SHA-256 and sending, which nobody who sends checked files is spared";

const BECAUSE_UPLOADS =
  "the start of the agent, and the SHA-256 of all that leaves, share one thread with the sending; " +
  "what is behind it says at which rate of a network neither shows any more";

/** A first mirror to a rest-server, beside what else could copy a repository there. */
export const mirrorFirst: Benchmark = {
  name: "mirror-first",
  summary: "a repository's first mirror to a rest-server",
  run: async (bench) => {
    const megabytes = bench.quick ? 40 : 800;
    const dense = megabytes * 0.75;
    const parent = roomFor(4 * megabytes * 1e6);
    const world = new World([MIXED, DENSE], parent);
    bench.defer(() => world.close());
    await world.addPeer();
    bench.log(`${megabytes} MB of data a host in ${parent}`);
    for (const host of [MIXED, DENSE]) world.init(host);
    await backUp(world, MIXED, megabytes, "mixed");
    await backUp(world, DENSE, dense, "dense");
    return [
      ...(await againstCopy(bench, world)),
      await againstCopyOfDense(bench, world),
      await againstUploads(bench, world, dense),
    ];
  },
};

async function againstCopy(bench: Bench, world: World): Promise<Figure[]> {
  const all = await pairs(
    bench,
    () => mirror(bench, world, MIXED),
    () => copy(bench, world, MIXED),
  );
  const against = "restic copy, in a repository whose key costs nothing to open";
  return [
    {
      ...{ what: `${WHAT}: time`, against, unit: "times", reach: { most: 0.5 } },
      values: ratios(all, ({ seconds }) => seconds),
      behind: {
        "mirror s": median(all.map(({ a }) => a.seconds)),
        "copy s": median(all.map(({ b }) => b.seconds)),
      },
    },
    {
      ...{ what: `${WHAT}: CPU`, against, unit: "times", reach: { most: 0.25 } },
      values: ratios(all, ({ cpuSeconds }) => cpuSeconds),
      behind: {
        "mirror s": median(all.map(({ a }) => a.cpuSeconds)),
        "copy s": median(all.map(({ b }) => b.cpuSeconds)),
        "mirror MB of memory": median(all.map(({ a }) => a.megabytes)),
      },
    },
  ];
}

async function againstCopyOfDense(bench: Bench, world: World): Promise<Figure> {
  const all = await pairs(
    bench,
    () => mirror(bench, world, DENSE),
    () => copy(bench, world, DENSE),
  );
  return {
    ...{ what: `${WHAT}: CPU`, unit: "times", reach: { most: 0.25 }, because: BECAUSE_DENSE },
    against: "restic copy of data that does not compress",
    values: ratios(all, ({ cpuSeconds }) => cpuSeconds),
    behind: {
      "mirror s": median(all.map(({ a }) => a.cpuSeconds)),
      "copy s": median(all.map(({ b }) => b.cpuSeconds)),
      "time, times": median(ratios(all, ({ seconds }) => seconds)),
    },
  };
}

async function againstUploads(bench: Bench, world: World, megabytes: number): Promise<Figure> {
  const all = await pairs(
    bench,
    () => upload(bench, world, DENSE),
    () => mirror(bench, world, DENSE),
  );
  return {
    ...{ what: `${WHAT}: rate`, unit: "times", reach: { least: 0.9 } },
    because: BECAUSE_UPLOADS,
    against: "plain uploads of the same files by Node.js, 8 at a time, unchecked",
    values: ratios(all, ({ seconds }) => seconds),
    behind: {
      "mirror MB/s": megabytes / median(all.map(({ b }) => b.seconds)),
      "uploads MB/s": megabytes / median(all.map(({ a }) => a.seconds)),
      "mirror CPU s": median(all.map(({ b }) => b.cpuSeconds)),
      "uploads CPU s": median(all.map(({ a }) => a.cpuSeconds)),
    },
  };
}

async function mirror(bench: Bench, world: World, host: string): Promise<Timed> {
  forget(world);
  return await bench.time(world.command("mirror", "--host", host));
}

async function upload(bench: Bench, world: World, host: string): Promise<Timed> {
  forget(world);
  const program = path.join(import.meta.dirname, "plain-upload.mjs");
  return await bench.time({
    command: [process.execPath, program, world.at(host), url(world, host)],
    env: { USER_PASSWORD: `${host}:${world.trio.current}` },
  });
}

/** To a repository that was made before, as `restic init --copy-chunker-params` makes it. */
async function copy(bench: Bench, world: World, host: string): Promise<Timed> {
  forget(world);
  Forge.init(path.join(world.peerData, host), PASSWORD);
  return await bench.time({
    command: ["restic", "copy", "--quiet", "--from-repo", world.at(host)],
    env: {
      ...resticEnvironment(world),
      RESTIC_REPOSITORY: `rest:${url(world, host)}`,
      RESTIC_REST_USERNAME: host,
      RESTIC_REST_PASSWORD: world.trio.current,
    },
  });
}

function forget(world: World): void {
  for (const host of world.hosts) {
    rmSync(path.join(world.peerData, host), { recursive: true, force: true });
  }
  rmSync(world.state, { recursive: true, force: true });
}

function url(world: World, host: string): string {
  return `http://127.0.0.1:${world.peerPort}/${host}/`;
}
