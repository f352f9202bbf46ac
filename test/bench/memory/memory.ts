import { World } from "../../hub/world.ts";
import type { Bench, Benchmark, Figure } from "../benchmark.ts";
import { fill } from "./names.ts";

const HOST = "q";

/** What the agent's process takes at its highest, with few files and with very many. */
export const memory: Benchmark = {
  name: "memory",
  summary: "the memory of mirror and verify beside the number of files",
  run: async (bench) => {
    const few = await measure(bench, bench.quick ? 2000 : 10_000);
    const many = await measure(bench, bench.quick ? 20_000 : 1_000_000);
    return many.flatMap((each, at) => figures(each, few[at] ?? each));
  },
};

const BECAUSE =
  "names go to disk, and what is left is what Node.js has not yet cleaned up: a longer run leaves more of it, up to a bound of its own. A hundred times as many files take about half as much again";

interface Peak {
  readonly what: string;
  readonly files: number;
  readonly megabytes: number;
  readonly seconds: number;
}

/** Stands a hub and a peer up with so many packs, and takes them down again. */
async function measure(bench: Bench, packs: number): Promise<Peak[]> {
  const world = new World([HOST], bench.folder("memory"));
  bench.defer(() => world.close());
  bench.log(`${packs} names`);
  await fill(world, HOST, packs, bench.signal);
  await world.addPeer({ maxSizeGiB: 100_000 });
  const peaks: Peak[] = [];
  const run = async (what: string, command: "mirror" | "verify"): Promise<void> => {
    const { megabytes, seconds } = await bench.time(world.command(command));
    bench.log(`${what}: ${megabytes.toFixed(0)} MB, ${seconds.toFixed(1)} s`);
    peaks.push({ what, files: packs, megabytes, seconds });
  };
  await run("a mirror that sends one pack in 256", "mirror");
  await run("a mirror with nothing new", "mirror");
  await run("a verify without reading", "verify");
  await world.close();
  return peaks;
}

function figures(many: Peak, few: Peak): Figure[] {
  const against = `${few.files} files`;
  const behind = {
    [`MB with ${few.files}`]: few.megabytes,
    [`MB with ${many.files}`]: many.megabytes,
    [`s with ${many.files}`]: many.seconds,
  };
  const what = `memory of ${many.what}, ${many.files} files`;
  return [
    {
      what,
      against: "the bound",
      values: [many.megabytes],
      unit: "MB",
      reach: { most: 150 },
      behind,
    },
    {
      ...{ what, against, values: [many.megabytes / few.megabytes], unit: "times" },
      ...{ reach: { most: 1.5 }, behind, because: BECAUSE },
    },
  ];
}
