/** What a server gains that answers as no rest-server would: the peer in a thief's hands. */
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import type { Inventory } from "../../hub/targets/target.ts";
import { RestServerTarget } from "../../hub/targets/rest-server.ts";

const PASSWORDS = { generation: 2, previous: "before", current: "now", next: "after" };
const LISTING = { "content-type": "application/vnd.x.restic.rest.v2" };

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A server that answers as it is told; its URL. */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** What the hub takes the server's answers for. */
async function inventoryAt(url: string): Promise<Inventory | Error | undefined> {
  const target = new RestServerTarget({
    name: "peer",
    url,
    maxBytes: undefined,
    repositories: "/nowhere",
    users: new Map([["q", { user: "q", passwords: PASSWORDS }]]),
    uploadLimit: Infinity,
    patience: { connect: 1_000, idle: 5_000, attempts: 2, pause: 1 },
  });
  try {
    return (await target.inventory(["q"])).get("q");
  } finally {
    await target.close();
  }
}

it("a server that sends the hub elsewhere is not followed, and nobody else is shown a password", async () => {
  const strangers: unknown[] = [];
  const elsewhere = await serve((request, response) => {
    strangers.push(request.headers);
    response.end();
  });
  let requests = 0;
  const url = await serve((request, response) => {
    requests += 1;
    response.writeHead(307, { location: `${elsewhere}${request.url ?? ""}` }).end();
  });
  expect(await inventoryAt(url)).toBeInstanceOf(Error);
  expect(requests).toBeGreaterThan(0);
  expect(strangers).toEqual([]);
});

it("an entry without an end is given up early, and does not fill the hub's memory", async () => {
  let sent = 0;
  const url = await serve((request, response) => {
    if (request.url?.endsWith("config") === true) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, LISTING);
    response.write('[{"name":"');
    const chunk = "a".repeat(64 * 1024);
    const more = () => {
      while (!response.destroyed && sent < 512 * 1024 * 1024) {
        sent += chunk.length;
        if (!response.write(chunk)) {
          response.once("drain", more);
          return;
        }
      }
      response.end();
    };
    more();
  });
  const found = await inventoryAt(url);
  expect(found).toBeInstanceOf(Error);
  expect((found as Error).message).toMatch(/listing/);
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

it("names that lead out of a repository, or steer a terminal, are no files of one", async () => {
  const names = [
    "../../../etc/passwd",
    "/etc/passwd",
    "..",
    "\u001b[2J",
    "a".repeat(63),
    "__proto__",
  ];
  const good = "c".repeat(64);
  const url = await serve((request, response) => {
    if (request.url?.endsWith("config") === true) {
      response.writeHead(404).end();
      return;
    }
    const entries = [...names, good].map((name) => ({ name, size: 1 }));
    response.writeHead(200, LISTING).end(JSON.stringify(entries));
  });
  const found = await inventoryAt(url);
  if (found === undefined || found instanceof Error) throw new Error(String(found));
  for (const table of Object.values(found.files)) {
    expect([...table.entries()].map(([name]) => name)).toEqual([good]);
  }
});
