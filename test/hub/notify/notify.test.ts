import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type Server } from "node:http";
import { createServer, type AddressInfo, type Server as TcpServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { WebhookMessage } from "../../../hub/notify/webhook.ts";
import { World } from "../world.ts";

interface Got {
  readonly path: string;
  readonly rid: string;
  readonly body: string;
  readonly authorization: string | undefined;
}

/** Part of every URL: it must never be seen. */
const SECRET = "5ec2e7-key";
const TOKEN = "b3a2e2-token";

let server: Server;
let got: Got[];
/** How the server answers. */
let answer: number | "never";

let silent: TcpServer;
const sockets = new Set<Socket>();

beforeAll(async () => {
  server = createHttpServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const url = new URL(request.url ?? "", "http://x");
      const { authorization } = request.headers;
      got.push({ path: url.pathname, rid: url.searchParams.get("rid") ?? "", body, authorization });
      if (answer === "never") return;
      const isRedirect = answer === 302;
      response.writeHead(answer, isRedirect ? { location: `/elsewhere/${SECRET}` } : {}).end("no");
    });
  });
  // Takes connections, and says nothing.
  silent = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  for (const each of [server, silent]) {
    await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
  }
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
  for (const socket of sockets) socket.destroy();
  silent.close();
});

const portOf = (of: Server | TcpServer): number => (of.address() as AddressInfo).port;

beforeEach(() => {
  got = [];
  answer = 200;
});

let world: World;

beforeEach(() => {
  world = new World(["q"]);
  return () => world.close();
});

function file(name: string, content: string): string {
  const path = join(world.root, name);
  writeFileSync(path, `${content}\n`, { mode: 0o600 });
  return path;
}

/** Tells the agent whom to tell. */
function tell(more: NonNullable<World["settings"]>["notify"] = {}): void {
  const base = `http://127.0.0.1:${portOf(server)}`;
  world.settings = {
    notify: {
      pingUrlFile: file("ping", `${base}/${SECRET}/offsite-{check}?create=1`),
      webhookUrlFile: file("webhook", `${base}/hook/${SECRET}`),
      webhookTokenFile: file("token", TOKEN),
      timeoutSeconds: 0.5,
      ...more,
    },
  };
}

const pings = (): string[] =>
  got.flatMap(({ path }) =>
    path.startsWith(`/${SECRET}/`) ? [path.slice(SECRET.length + 2)] : [],
  );
const hooks = (): WebhookMessage[] =>
  got.flatMap(({ path, body }) =>
    path.startsWith("/hook/") ? [JSON.parse(body) as WebhookMessage] : [],
  );

/** Gives q a repository with a snapshot, so that its status is as it must be. */
async function backUp(): Promise<void> {
  await world.seed("q");
  await world.backup("q");
}

describe("the ping", () => {
  it("tells of a run's beginning and good end, under the check's name and one run id", async () => {
    tell();
    const run = await world.run("prune");
    expect(run.exitCode, run.stderr).toBe(0);
    expect(pings()).toEqual(["offsite-prune/start", "offsite-prune/0"]);
    expect(new Set(got.map(({ rid }) => rid)).size).toBe(1);
    expect(got[0]?.rid).toMatch(/^[0-9a-f-]{36}$/);
    expect(got[1]?.body).toMatch(/^hub prune: all well, \d+\.\d s$/);
    expect(run.stdout + run.stderr).not.toContain(SECRET);
  });

  it("tells of the exit code, and of wrong input after the settings were read", async () => {
    tell();
    expect((await world.run("status")).exitCode).toBe(1);
    const { exitCode } = await world.run("mirror", "--credentials", "/nowhere");
    expect(exitCode).toBe(2);
    expect(pings()).toEqual([
      "offsite-status/start",
      "offsite-status/1",
      "offsite-mirror/start",
      "offsite-mirror/2",
    ]);
    const { body } = got.find(({ path }) => path.endsWith("/1")) ?? {};
    expect(body).toMatch(/^hub status: exit code 1, 1 error, /);
  });

  it("is of the whole or of one target, and not of trials and parts", async () => {
    await world.addPeer();
    tell();
    await world.run("mirror", "peer");
    expect(pings()).toEqual(["offsite-mirror-peer/start", "offsite-mirror-peer/0"]);
    got = [];
    await world.run("mirror", "--dry-run");
    await world.run("mirror", "--host", "q");
    await world.run("prune", "q");
    await world.run("status", "--no-fail");
    expect(got).toEqual([]);
  });

  it("has a URL of its own for a check that is named", async () => {
    const own = file("own", `http://127.0.0.1:${portOf(server)}/${SECRET}/own/`);
    tell({ pingUrlFile: undefined, pingUrlFiles: { prune: own } });
    await world.run("prune");
    await world.run("status");
    expect(pings()).toEqual(["own/start", "own/0"]);
  });

  it.each([
    ["answers 500", 500, "it answered 500", 4],
    ["answers 404", 404, "it answered 404", 2],
    ["sends elsewhere", 302, "a redirect, which is not followed", 2],
    ["never answers", "never", "no answer within 0.5 s", 4],
  ] as const)(
    "fails no run when the other side %s, and names no URL",
    async (_, how, reason, requests) => {
      tell();
      answer = how;
      const run = await world.run("prune");
      expect(run.exitCode).toBe(0);
      expect(run.stdout + run.stderr).toContain(`prune: could not send the ping`);
      expect(run.stdout + run.stderr).toContain(reason);
      expect(run.stdout + run.stderr).not.toContain(SECRET);
      // The beginning is tried once; what may pass is tried three times at the end.
      expect(got).toHaveLength(requests);
      expect(got.filter(({ path }) => path.startsWith("/elsewhere"))).toEqual([]);
    },
  );

  it.each([
    ["is dead", `http://127.0.0.1:1/${SECRET}/{check}`, "ECONNREFUSED"],
    ["has no address", `http://nowhere.invalid/${SECRET}/{check}`, /ENOTFOUND|EAI_AGAIN/],
    ["is no URL", SECRET, "has no {check}"],
    ["is no web address", `ftp://${SECRET}/{check}`, "must hold a URL"],
    [
      "holds a password",
      `https://me:${SECRET}@localhost/{check}`,
      "must have no user and password",
    ],
    ["is of several lines", `${SECRET}\n{check}`, "must hold one line of text"],
  ] as const)("fails no run when what the file names %s", async (_, url, reason) => {
    tell({ pingUrlFile: file("wrong", url), webhookUrlFile: undefined });
    const run = await world.run("prune");
    expect(run.exitCode).toBe(0);
    expect(run.stdout + run.stderr).toMatch(reason);
    expect(run.stdout + run.stderr).not.toContain(SECRET);
  });

  it("finds a file of the unit's credentials, and says when there is none", async () => {
    mkdirSync(join(world.root, "credentials"));
    file("credentials/url", `http://127.0.0.1:${portOf(server)}/${SECRET}/{check}`);
    tell({ pingUrlFile: "url" });
    const without = await world.run("prune");
    expect(without.stdout).toContain("there is no $CREDENTIALS_DIRECTORY");
    process.env.CREDENTIALS_DIRECTORY = join(world.root, "credentials");
    try {
      await world.run("prune");
    } finally {
      delete process.env.CREDENTIALS_DIRECTORY;
    }
    expect(pings()).toEqual(["prune/start", "prune/0"]);
  });

  it.each(["SIGTERM", "SIGKILL"] as const)(
    "is silent when %s ends the run, so that the switch goes off",
    async (signal) => {
      await backUp();
      world.manifest.targets.peer = {
        type: "rest-server",
        url: `http://127.0.0.1:${portOf(silent)}/`,
        maxSizeGiB: 1,
        repositories: {},
      };
      world.credentials.targets.peer = { type: "rest-server", users: { q: world.trio } };
      tell();
      const run = world.start("mirror");
      await expect.poll(pings).toEqual(["offsite-mirror/start"]);
      run.kill(signal);
      await run;
      expect(pings()).toEqual(["offsite-mirror/start"]);
      expect(hooks()).toEqual([]);
    },
  );

  it("keeps two runs at once apart", async () => {
    tell();
    await Promise.all([world.run("prune"), world.run("prune")]);
    const ids = new Set(got.map(({ rid }) => rid));
    expect(ids.size).toBe(2);
    for (const id of ids) {
      const paths = got.filter(({ rid }) => rid === id).map(({ path }) => path.split("/").at(-1));
      expect(paths).toEqual(["start", "0"]);
    }
  });
});

describe("the webhook", () => {
  it("tells once that something fails, and once that it does no more", async () => {
    tell({ pingUrlFile: undefined });
    await world.run("status");
    await world.run("status");
    expect(hooks()).toHaveLength(1);
    const [first] = hooks();
    expect(first).toMatchObject({
      version: 1,
      event: "failed",
      check: "status",
      hub: "hub",
      stack: "test",
      exitCode: 1,
      errors: 1,
      problems: [expect.stringContaining("q: never seen") as string],
      text: expect.stringMatching(/^hub: status fails: q: never seen/) as string,
    });
    expect(first?.since).toBe(first?.time);
    expect(got[0]?.authorization).toBe(`Bearer ${TOKEN}`);
    await backUp();
    await world.run("status");
    await world.run("status");
    expect(hooks().map(({ event }) => event)).toEqual(["failed", "recovered"]);
    expect(hooks()[1]).toMatchObject({ exitCode: 0, since: first?.since, problems: [] });
  });

  it("tells again of what goes on failing, and since when", async () => {
    tell({ pingUrlFile: undefined, repeatHours: 1e-6 });
    await world.run("status");
    await world.run("status");
    const [first, second] = hooks();
    expect(second).toMatchObject({ event: "failed", since: first?.time });
    expect(second?.text).toContain(`status fails since ${first?.time}`);
  });

  it("tells later what it could not tell at once", async () => {
    tell({ pingUrlFile: undefined });
    answer = 503;
    const run = await world.run("status");
    expect(run.exitCode).toBe(1);
    expect(run.stdout).toContain("status: could not send the webhook: it answered 503");
    expect(existsSync(join(world.state, "notify"))).toBe(false);
    got = [];
    answer = 204;
    await world.run("status");
    expect(hooks().map(({ event }) => event)).toEqual(["failed"]);
  });

  it("tells of a run's first error alone, which is what status tells", async () => {
    tell({ pingUrlFile: undefined });
    writeFileSync(world.at("q"), "a file where a folder should be");
    await world.addPeer();
    const run = await world.run("mirror", "peer");
    expect(run.exitCode).not.toBe(0);
    const [message] = hooks();
    expect(message?.check).toBe("mirror-peer");
    expect(message?.problems).toHaveLength(1);
    expect(run.stderr).toContain(message?.problems[0]);
    expect(JSON.stringify(message)).not.toContain(world.trio.current);
  });

  it("goes on when what it remembered is broken, and with two at once", async () => {
    tell({ pingUrlFile: undefined });
    mkdirSync(join(world.state, "notify"), { recursive: true });
    const path = join(world.state, "notify", "status.json");
    writeFileSync(path, '{"version":1,"si');
    await Promise.all([world.run("status"), world.run("status")]);
    expect(hooks().length).toBeGreaterThan(0);
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ version: 1 });
    got = [];
    await world.run("status");
    expect(hooks()).toEqual([]);
  });
});
