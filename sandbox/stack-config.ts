/** The stack's settings that describe the sandbox's cluster. */
import { join } from "node:path";
import type { B2Emulator } from "./b2/index.ts";
import type { Host } from "./hosts.ts";
import type { Peer } from "./peer.ts";
import { freePort, type World } from "./world.ts";

/** What the settings speak of. */
export interface Cluster {
  readonly world: World;
  readonly hosts: readonly Host[];
  readonly peer: Peer;
  readonly emulator: B2Emulator;
  /** The port of the hub's rest-server. */
  readonly hubPort: number;
  /** The rest-server's image at the peer's engine. */
  readonly image: string;
  /** Where the bundle goes. */
  readonly bundle: string;
}

/** Everything below `config:` that is no secret. */
export async function stackConfig(cluster: Cluster): Promise<Record<string, unknown>> {
  const { world, peer, emulator } = cluster;
  return {
    "fort-offsite:hub": {
      host: "ursula",
      url: `http://127.0.0.1:${cluster.hubPort}`,
      repositories: join(world.directory, "hub", "repositories"),
    },
    "fort-offsite:hosts": Object.fromEntries(
      cluster.hosts.map(({ name, key, sizeGiB }) => [name, { key, sizeGiB }] as const),
    ),
    "fort-offsite:targets": {
      cloud: {
        type: "b2",
        bucket: `fort-sandbox-${world.id}`,
        endpoint: emulator.url,
        keepHiddenDays: 30,
      },
      peer: {
        type: "rest-server",
        ssh: { host: "127.0.0.1", port: peer.port, user: peer.user, hostKey: peer.hostKey },
        listen: `127.0.0.1:${await freePort()}`,
        dataDir: join(world.directory, "peer"),
        maxSizeGiB: 1,
        image: cluster.image,
      },
    },
    "fort-offsite:seal": { format: "age", directory: cluster.bundle, operators: [] },
  };
}
