import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy to a port of the loopback address that counts what travels. */
export class CountingProxy {
  /** Bytes to the server and from it since the last reset: headers and all, without TCP's own. */
  up = 0;
  down = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server;

  constructor(to: number) {
    this.#server = createServer((client) => {
      const server = connect(to, "127.0.0.1");
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on("error", () => socket.destroy());
        socket.on("close", () => this.#sockets.delete(socket));
      }
      client.on("close", () => server.destroy());
      server.on("close", () => client.destroy());
      client.on("data", (chunk) => (this.up += chunk.length));
      server.on("data", (chunk) => (this.down += chunk.length));
      client.pipe(server).pipe(client);
    });
  }

  /** @returns the URL that it is reached by. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return `http://127.0.0.1:${address.port}/`;
  }

  reset(): void {
    this.up = 0;
    this.down = 0;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
