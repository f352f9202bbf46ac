import path from "node:path";
import { execa } from "execa";
import { BUCKET, Cloud } from "../../hub/cloud.ts";
import { resticEnvironment, type World } from "../../hub/world.ts";
import { median, pairs, ratios, type Bench, type Benchmark, type Figure } from "../benchmark.ts";
import type { Timed } from "../time.ts";
import { addNames, addSmallPacks, COPY, copyAll, HOSTS, hub } from "./cluster.ts";

/** Files a host, as the benchmark of verify has them: restic reads an index of each. */
const FILES = 45_000;

const BECAUSE =
  "the mirror takes the start of Node.js and 5 requests a host, and looks at each pack's name, " +
  "of which restic sees none here: its index has the files of the backups alone";

/** What most nights are: seven hosts are looked at, and nothing is to be sent. */
export const mirrorNothingNew: Benchmark = {
  name: "mirror-nothing-new",
  summary: "a mirror of seven hosts, 20 GB as file names, when nothing is new",
  run: async (bench) => [await time(bench), await requests(bench)],
};

async function time(bench: Bench): Promise<Figure> {
  const files = bench.quick ? 600 : FILES;
  const world = await hub(bench, { files });
  await world.addPeer();
  await mirror(bench, world, "peer");
  await copyAll(world);
  const names = addNames([world.repositories, world.peerData], bench.quick ? 0.05 : 1);
  const all = await pairs(
    bench,
    () => mirror(bench, world, "peer"),
    () => copy(bench, world),
  );
  return {
    ...{ what: "a mirror of 7 hosts with nothing new: time", unit: "times", reach: { most: 0.1 } },
    because: BECAUSE,
    against: "restic copy of each, which knows 17 snapshots and not the names",
    values: ratios(all, ({ seconds }) => seconds),
    behind: {
      "mirror s": median(all.map(({ a }) => a.seconds)),
      "mirror CPU s": median(all.map(({ a }) => a.cpuSeconds)),
      "copy s": median(all.map(({ b }) => b.seconds)),
      "copy CPU s": median(all.map(({ b }) => b.cpuSeconds)),
      "packs by name": names,
      "files a host": files,
    },
  };
}

async function requests(bench: Bench): Promise<Figure> {
  const world = await hub(bench);
  const cloud = await Cloud.start(world);
  bench.defer(() => cloud.close());
  const packs = addSmallPacks(world, bench.quick ? 0.05 : 1);
  const billed: number[] = [];
  await mirror(bench, world, "cloud");
  await rcloneSync(bench, world);
  for (let run = 0; run < bench.runs; run += 1) {
    cloud.b2.resetStats();
    await mirror(bench, world, "cloud");
    billed.push(billable(cloud));
  }
  cloud.b2.resetStats();
  await rcloneSync(bench, world);
  return {
    ...{ what: "a mirror of 7 hosts to B2 with nothing new", unit: "requests" },
    ...{ reach: { most: 10 }, against: "calls of class B or C, as Backblaze bills them" },
    values: billed,
    behind: { "calls of the seed's rclone sync": billable(cloud), packs },
  };
}

function billable(cloud: Cloud): number {
  const { B, C } = cloud.b2.stats().transactions;
  return B + C;
}

async function mirror(bench: Bench, world: World, target: string): Promise<Timed> {
  return await bench.time(world.command("mirror", target));
}

/** The seed's `rclone sync /var/lib/restic-repos b2:fort-backups`. */
async function rcloneSync(bench: Bench, world: World): Promise<void> {
  const operands = [world.repositories, `cloud:${BUCKET}/seed`];
  const config = ["--config", path.join(world.root, "rclone.conf")];
  await execa("rclone", ["sync", ...operands, ...config], { cancelSignal: bench.signal });
}

const COPY_ALL = `for host in ${HOSTS.join(" ")}; do
  RESTIC_REST_USERNAME=$host restic --repo "rest:$PEER/$host/${COPY}/" copy --quiet --from-repo "$HUB/$host"
done`;

/** One after the other, as a script of the hub would. */
async function copy(bench: Bench, world: World): Promise<Timed> {
  return await bench.time({
    command: ["sh", "-e", "-c", COPY_ALL],
    env: {
      ...resticEnvironment(world),
      RESTIC_REST_PASSWORD: world.trio.current,
      PEER: `http://127.0.0.1:${world.peerPort}`,
      HUB: world.repositories,
    },
  });
}
