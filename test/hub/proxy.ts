import { connect, createServer, type Server, type Socket } from "node:net";

/** What a connection through the proxy is to suffer. */
export interface Fate {
  /** Reset it once so many bytes have gone to the server. */
  readonly resetAfter?: number;
  /** Let the server have everything, and reset instead of passing its answer on. */
  readonly loseAnswer?: boolean;
}

/** A TCP proxy to a port of the loopback address that breaks connections. */
export class BreakingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** How many connections it broke. */
  broken = 0;
  port = 0;

  /** @param fate - decides, with each connection, what becomes of it. */
  constructor(to: number, fate: (connection: number) => Fate) {
    let connections = 0;
    this.#server = createServer((client) => {
      this.#pass(client, connect(to, "127.0.0.1"), fate(connections++));
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    this.port = address.port;
    return `http://127.0.0.1:${this.port}/`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(client: Socket, server: Socket, fate: Fate): void {
    const end = (): void => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    const reset = (): void => {
      this.broken += 1;
      client.resetAndDestroy();
      server.destroy();
    };
    let bytes = 0;
    client.on("data", (chunk) => {
      bytes += chunk.length;
      if (fate.resetAfter !== undefined && bytes > fate.resetAfter) reset();
      else if (!server.write(chunk)) client.pause();
    });
    server.on("drain", () => client.resume());
    server.on("data", (chunk) => {
      if (fate.loseAnswer === true) reset();
      else client.write(chunk);
    });
  }
}
