import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { CapSettings } from "./caps.ts";
import type { Clock } from "./clock.ts";
import type { Faults } from "./faults.ts";
import { handle } from "./server.ts";
import type { B2Stats } from "./stats.ts";
import { World } from "./world.ts";

export type { CapSettings } from "./caps.ts";
export type { Clock } from "./clock.ts";
export type { ActiveFault, Fault, Faults } from "./faults.ts";
export type { B2Stats, TransactionClass } from "./stats.ts";

/** How to start the emulator. */
export interface B2EmulatorOptions {
  /** Where everything is kept; made when absent. One emulator at a time may use it. */
  dataDirectory: string;
  /** 0, the default, takes a free one. */
  port?: number;
  /** 127.0.0.1 unless given. */
  host?: string;
}

/** A running emulator of Backblaze B2's native API. */
export interface B2Emulator {
  /** Without a slash at the end; the value of rclone's `endpoint` and of `B2_ENDPOINT`. */
  readonly url: string;
  readonly accountId: string;
  /** The master key's id, which is the account's. */
  readonly applicationKeyId: string;
  /** The master key's secret. */
  readonly applicationKey: string;
  /** The account's caps; none are set at the start, and they do not survive a restart. */
  readonly caps: { get(): CapSettings; set(settings: Partial<CapSettings>): void };
  /** The emulator's time: the real time plus how far it was advanced, which survives a restart. */
  readonly clock: Clock;
  /** Faults on demand; none survive a restart. */
  readonly faults: Faults;
  /** @returns what was counted since the start or the last reset */
  stats(): B2Stats;
  resetStats(): void;
  /** Ends all connections and closes the data folder. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Starts an emulator on a data folder.
 *
 * @returns the emulator, once it accepts connections
 * @throws Error when the folder's index is damaged or the port is taken
 */
export async function startB2Emulator(options: B2EmulatorOptions): Promise<B2Emulator> {
  const world = new World(options.dataDirectory);
  const server = createServer((request, response) => void handle(world, request, response));
  // Clients hold connections open between calls for longer than Node's five seconds.
  server.keepAliveTimeout = 65_000;
  server.requestTimeout = 0;
  const host = options.host ?? "127.0.0.1";
  try {
    await listen(server, options.port ?? 0, host);
  } catch (error) {
    world.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  world.url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  let stopped: Promise<void> | undefined;
  return {
    url: world.url,
    accountId: world.account.accountId,
    applicationKeyId: world.account.accountId,
    applicationKey: world.account.applicationKey,
    caps: world.caps,
    clock: world,
    faults: world.faults,
    stats: () => world.counters.snapshot(world.store.storedBytes),
    resetStats: () => world.counters.reset(),
    stop: () => (stopped ??= stop(server, world)),
  };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function stop(server: Server, world: World): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
  world.close();
}
