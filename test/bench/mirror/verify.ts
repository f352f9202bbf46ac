import { resticEnvironment, type World } from "../../hub/world.ts";
import { median, pairs, ratios, type Bench, type Benchmark } from "../benchmark.ts";
import type { Timed } from "../time.ts";
import { HOSTS, hub } from "./cluster.ts";

/**
 * Files a host: 315,000 in the cluster, of 63 kB each if there were all of 20 GB. What `restic check`
 * takes grows with them; what verify takes grows with packs, a thousand times fewer.
 */
const FILES = 45_000;

const BECAUSE =
  "verify takes the start of Node.js and 26 requests a host, however little there is, and check uses " +
  "all processors: it grows with the files in the snapshots, verify does not";

/** What can be said of seven repositories at a peer, without a password and with it. */
export const verifyWithoutPassword: Benchmark = {
  name: "verify",
  summary: "offsite-hub verify of seven hosts at a rest-server, without a password",
  run: async (bench) => {
    const world = await hub(bench, { files: bench.quick ? 600 : FILES });
    await world.addPeer();
    await bench.time(world.command("mirror"));
    // The first of all, which reads each of the hub's files once, is the one that warms up.
    const all = await pairs(
      bench,
      () => bench.time(world.command("verify")),
      () => check(bench, world),
    );
    return [
      {
        ...{ what: "verify of 7 hosts at a rest-server: time", unit: "times" },
        ...{ against: "restic check of each, which needs the passwords", reach: { most: 0.1 } },
        because: BECAUSE,
        values: ratios(all, ({ seconds }) => seconds),
        behind: {
          "verify s": median(all.map(({ a }) => a.seconds)),
          "verify CPU s": median(all.map(({ a }) => a.cpuSeconds)),
          "check s": median(all.map(({ b }) => b.seconds)),
          "check CPU s": median(all.map(({ b }) => b.cpuSeconds)),
          "files a host": bench.quick ? 600 : FILES,
        },
      },
    ];
  },
};

const CHECK_ALL = `for host in ${HOSTS.join(" ")}; do
  RESTIC_REST_USERNAME=$host restic --repo "rest:$PEER/$host/" check --no-lock --quiet
done`;

async function check(bench: Bench, world: World): Promise<Timed> {
  return await bench.time({
    command: ["sh", "-e", "-c", CHECK_ALL],
    env: {
      ...resticEnvironment(world),
      RESTIC_REST_PASSWORD: world.trio.current,
      PEER: `http://127.0.0.1:${world.peerPort}`,
    },
  });
}
