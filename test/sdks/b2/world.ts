import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startB2Emulator, type B2Emulator } from "../../../sandbox/b2/index.ts";
import { Client, type ClientOptions } from "../../../sdks/b2/client/client.ts";
import { httpTransport, type Transport } from "../../../sdks/b2/client/transport.ts";

/** An emulator on a folder of its own. */
export interface World {
  emulator: B2Emulator;
  /** A client of the master key that waits for nothing between attempts. */
  client(options?: ClientOptions): Client;
  stop(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const dataDirectory = await mkdtemp(path.join(tmpdir(), "b2-"));
  const emulator = await startB2Emulator({ dataDirectory });
  const clients: Client[] = [];
  return {
    emulator,
    client(options) {
      const client = new Client(
        {
          applicationKeyId: emulator.applicationKeyId,
          applicationKey: emulator.applicationKey,
          endpoint: emulator.url,
        },
        { sleep: () => Promise.resolve(), attempts: 3, ...options },
      );
      clients.push(client);
      return client;
    },
    async stop() {
      await Promise.all(clients.map((client) => client.close()));
      await emulator.stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

/** A transport that counts the operations that it sends. */
export function counting(inner: Transport = httpTransport()): Transport & { operations: string[] } {
  const operations: string[] = [];
  return {
    operations,
    send(request, signal) {
      operations.push(new URL(request.url).pathname.split("/").at(-1) ?? "");
      return inner.send(request, signal);
    },
    close: () => inner.close(),
  };
}
