import { createServer, type Server, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { discardBody, HttpPool } from "../../../hub/targets/http-pool.ts";

const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A server that answers every connection's first bytes so. */
async function answering(answer: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `http://127.0.0.1:${address.port}`;
}

function pool(origin: string, idle = 5000): HttpPool {
  const made = new HttpPool(origin, { connections: 1, idle });
  ends.push(() => made.destroy());
  return made;
}

async function* chunks(count: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < count; at += 1) {
    await new Promise(setImmediate);
    yield Buffer.alloc(65_536);
  }
}

describe("HttpPool", () => {
  it("hears a refusal that comes before a body has left, and can send again", async () => {
    let sent = 0;
    const origin = await answering((socket) => {
      socket.write("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno");
    });
    const to = pool(origin);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const body = (async function* () {
        for await (const chunk of chunks(10_000)) {
          sent += 1;
          yield chunk;
        }
      })();
      const headers = { "content-length": String(10_000 * 65_536) };
      const answer = await to.request({ method: "POST", path: "/", headers, body });
      expect(answer.statusCode).toBe(401);
      await discardBody(answer);
    }
    expect(sent).toBeLessThan(20_000);
  });

  it("throws what its body throws, and lets no server take a part for the whole", async () => {
    let received = "";
    const origin = await answering((socket) => {
      socket.on("close", () => (received += "closed"));
    });
    const body = (async function* () {
      yield* chunks(2);
      throw new Error("rotten");
    })();
    const request = { method: "POST", path: "/", headers: { "content-length": "200000" }, body };
    await expect(pool(origin).request(request)).rejects.toThrow("rotten");
    await expect.poll(() => received).toBe("closed");
  });

  it("gives up a server that is silent", async () => {
    const origin = await answering(() => undefined);
    await expect(pool(origin, 200).request({ method: "GET", path: "/" })).rejects.toThrow(
      "not a byte came or went for 0.2 s",
    );
  });

  it.each([
    ["nothing but that it works on it", "HTTP/1.1 102 Processing\r\n\r\n", /no answer began/],
    [
      "an offer to speak something else",
      "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
      /ended the connection unanswered/,
    ],
  ])("gives up a server that says %s", async (_, text, message) => {
    const origin = await answering((socket) => {
      const timer = setInterval(() => socket.write(text), 50);
      socket.on("close", () => clearInterval(timer));
    });
    await expect(pool(origin, 400).request({ method: "GET", path: "/" })).rejects.toThrow(message);
  });

  it("tells who reads an answer that it stands still, and follows nobody elsewhere", async () => {
    const origin = await answering((socket) => {
      socket.write(
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 100\r\n\r\npart",
      );
    });
    const answer = await pool(origin, 200).request({ method: "GET", path: "/" });
    expect(answer.statusCode).toBe(302);
    await expect(buffer(answer.body)).rejects.toThrow("not a byte came or went for 0.2 s");
  });

  it("gives a body whole, and ends what is under way when it is destroyed", async () => {
    let answers = 0;
    const origin = await answering((socket) => {
      answers += 1;
      if (answers === 1)
        socket.end("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody");
    });
    const to = pool(origin);
    const { body } = await to.request({ method: "GET", path: "/" });
    expect((await buffer(body)).toString()).toBe("body");
    const waiting = to.request({ method: "GET", path: "/" });
    const outcome = expect(waiting).rejects.toThrow("the connection was closed");
    await expect.poll(() => answers).toBe(2);
    await to.destroy();
    await outcome;
  });
});
