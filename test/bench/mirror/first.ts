import { rmSync } from "node:fs";
import path from "node:path";
import { Forge } from "../../hub/forge.ts";
import { PASSWORD, World } from "../../hub/world.ts";
import { median, pairs, ratios, type Bench, type Benchmark, type Figure } from "../benchmark.ts";
import type { Timed } from "../time.ts";
import { backUp } from "./data.ts";
import { roomFor } from "./memory-folder.ts";

const HOST = "q";

/** A first mirror to a rest-server, beside what else could copy a repository there. */
export const mirrorFirst: Benchmark = {
  name: "mirror-first",
  summary: "a repository's first mirror to a rest-server",
  run: async (bench) => {
    const megabytes = bench.quick ? 40 : 800;
    const parent = roomFor(3 * megabytes * 1e6);
    const world = new World([HOST], parent);
    bench.defer(() => world.close());
    await world.addPeer();
    world.init(HOST);
    bench.log(`${megabytes} MB of data in ${parent}`);
    await backUp(world, HOST, megabytes);
    return [...(await againstCopy(bench, world)), await againstUploads(bench, world)];
  },
};

async function againstCopy(bench: Bench, world: World): Promise<Figure[]> {
  const all = await pairs(
    bench,
    () => mirror(bench, world),
    () => copy(bench, world),
  );
  const common = { what: "a first mirror to a rest-server", reach: { most: 0.5 } } as const;
  return [
    {
      ...{ what: "a first mirror to a rest-server: time", against: "restic copy", unit: "times" },
      ...{ values: ratios(all, ({ seconds }) => seconds), reach: common.reach },
      behind: {
        "mirror s": median(all.map(({ a }) => a.seconds)),
        "copy s": median(all.map(({ b }) => b.seconds)),
      },
    },
    {
      ...{ what: "a first mirror to a rest-server: CPU", against: "restic copy", unit: "times" },
      ...{ values: ratios(all, ({ cpuSeconds }) => cpuSeconds), reach: { most: 0.25 } },
      behind: {
        "mirror s": median(all.map(({ a }) => a.cpuSeconds)),
        "copy s": median(all.map(({ b }) => b.cpuSeconds)),
      },
    },
  ];
}

async function againstUploads(bench: Bench, world: World): Promise<Figure> {
  const all = await pairs(
    bench,
    () => upload(bench, world),
    () => mirror(bench, world),
  );
  return {
    ...{ what: "a first mirror to a rest-server: rate", unit: "times", reach: { least: 0.9 } },
    against: "plain uploads of the same files by Node.js, 8 at a time",
    values: ratios(all, ({ seconds }) => seconds),
    behind: {
      "mirror s": median(all.map(({ b }) => b.seconds)),
      "uploads s": median(all.map(({ a }) => a.seconds)),
      "mirror CPU s": median(all.map(({ b }) => b.cpuSeconds)),
      "uploads CPU s": median(all.map(({ a }) => a.cpuSeconds)),
    },
  };
}

async function mirror(bench: Bench, world: World): Promise<Timed> {
  forget(world);
  return await bench.time(world.command("mirror"));
}

async function upload(bench: Bench, world: World): Promise<Timed> {
  forget(world);
  const program = path.join(import.meta.dirname, "plain-upload.mjs");
  return await bench.time({
    command: [process.execPath, program, world.at(HOST), url(world)],
    env: { USER_PASSWORD: `${HOST}:${world.trio.current}` },
  });
}

/** To a repository that was made before, as `restic init --copy-chunker-params` makes it. */
async function copy(bench: Bench, world: World): Promise<Timed> {
  forget(world);
  Forge.init(path.join(world.peerData, HOST), PASSWORD);
  return await bench.time({
    command: ["restic", "copy", "--quiet", "--from-repo", world.at(HOST)],
    env: {
      RESTIC_REPOSITORY: `rest:${url(world)}`,
      RESTIC_REST_USERNAME: HOST,
      RESTIC_REST_PASSWORD: world.trio.current,
      RESTIC_PASSWORD: PASSWORD,
      RESTIC_FROM_PASSWORD: PASSWORD,
      RESTIC_CACHE_DIR: path.join(world.root, "cache"),
    },
  });
}

function forget(world: World): void {
  rmSync(path.join(world.peerData, HOST), { recursive: true, force: true });
  rmSync(world.state, { recursive: true, force: true });
}

function url(world: World): string {
  return `http://127.0.0.1:${world.peerPort}/${HOST}/`;
}
