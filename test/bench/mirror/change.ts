import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import type { World } from "../../hub/world.ts";
import { median, type Benchmark } from "../benchmark.ts";
import { addNames, GIGABYTES, HOSTS, hub } from "./cluster.ts";
import { CountingProxy } from "./counting-proxy.ts";
import { backUp } from "./data.ts";

/** The bytes do not vary but by the lengths of names in answers. */
const MOST_RUNS = 3;

/** What a usual night sends: one hundredth of 20 GB is new. */
export const mirrorChange: Benchmark = {
  name: "mirror-change",
  summary: "the bytes that travel to a rest-server when one hundredth of 20 GB is new",
  run: async (bench) => {
    const runs = Math.min(bench.runs, MOST_RUNS);
    const share = bench.quick ? 0.05 : 1;
    const world = await hub(bench, { more: runs * 3 * share * 200e6 });
    await world.addPeer();
    const proxy = new CountingProxy(world.peerPort);
    bench.defer(() => proxy.stop());
    const url = await proxy.start();
    world.manifest.targets.peer = {
      ...{ type: "rest-server", url, maxSizeGiB: 100, repositories: {} },
    };
    await bench.time(world.command("mirror"));
    addNames([world.repositories, world.peerData], share);
    const nights = [];
    for (let run = 0; run < runs; run += 1) {
      await change(world, 0.01 * share);
      const must = missing(world);
      proxy.reset();
      await bench.time(world.command("mirror"));
      if (missing(world) > 0) throw new Error("the mirror left something unsent");
      nights.push({ must, up: proxy.up, down: proxy.down });
    }
    return [
      {
        ...{ what: "bytes both ways when 1 % of 20 GB is new", unit: "times" },
        ...{ against: "the bytes of the new files", reach: { most: 1.02 } },
        values: nights.map(({ must, up, down }) => (up + down) / must),
        behind: {
          "new bytes": median(nights.map(({ must }) => must)),
          "bytes sent": median(nights.map(({ up }) => up)),
          "bytes received": median(nights.map(({ down }) => down)),
        },
      },
    ];
  },
};

async function change(world: World, share: number): Promise<void> {
  for (const host of HOSTS) {
    const megabytes = (GIGABYTES[host] ?? 0) * 1000 * share;
    await backUp(world, host, megabytes, "dense");
  }
}

/** Sizes of the hub's files that the peer lacks, together. */
function missing(world: World): number {
  let bytes = 0;
  for (const host of HOSTS) {
    const at = sizes(path.join(world.peerData, host));
    for (const [name, size] of sizes(world.at(host))) if (!at.has(name)) bytes += size;
  }
  return bytes;
}

/** Files below a repository but its locks. */
function sizes(repository: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const entry of readdirSync(repository, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(repository, file);
    if (!name.startsWith("locks/")) found.set(name, statSync(file).size);
  }
  return found;
}
