/** The peer's script against a real engine: every way in which an installation can go. */
import { spawn } from "node:child_process";
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { derivePassword } from "../../credentials/derive.ts";
import { htpasswdFile } from "../../credentials/htpasswd.ts";
import { driftOf } from "../../peer/drift.ts";
import { parseFacts, type PeerFacts } from "../../peer/facts.ts";
import { lookScript, peerScript, type PeerServer } from "../../peer/script.ts";
import { importImage, startEngine, type Engine } from "../../sandbox/engine.ts";
import { freePort, removeContainers, waitFor, World } from "../../sandbox/world.ts";
import { ensurePrograms } from "../../tools/index.ts";
import { SEED } from "../config/valid.ts";

const world = new World();
const project = `fort-offsite-test-${world.id}`;
const owner = { at: "target", target: "peer", host: "q" } as const;
let engine: Engine;
let image: string;
let server: PeerServer;

const password = (generation: number) => derivePassword(SEED, owner, generation);
const htpasswd = (generation: number) => htpasswdFile(SEED, [{ owner, generation }]);
const environment = () => ({ DOCKER_HOST: engine.host, DOCKER_CONFIG: engine.config });

beforeAll(async () => {
  const names = ["docker", "docker-compose", "rest-server", "busybox", "dockerd"] as const;
  const programs = await ensurePrograms(names);
  const path = (name: (typeof names)[number]) => programs.get(name)?.path ?? name;
  const paths = {
    dockerCompose: path("docker-compose"),
    restServer: path("rest-server"),
    busybox: path("busybox"),
    dockerd: () => Promise.resolve(path("dockerd")),
  };
  engine = await startEngine(world, paths);
  image = await importImage(world, engine, paths);
  world.noteContainers(engine.host, project);
}, 300_000);

afterAll(async () => {
  expect(await world.cleanup.run()).toEqual([]);
}, 60_000);

let count = 0;
beforeEach(async () => {
  count += 1;
  server = {
    project,
    dataDir: join(world.directory, `peer-${count}`),
    image,
    listen: { address: "127.0.0.1", port: await freePort(), wildcard: false },
    maxSizeGiB: 0.5,
    htpasswd: htpasswd(1),
    healthSeconds: 1,
  };
});
afterEach(() => removeContainers(engine.host, project));

/** Runs the script as the peer's shell does. */
async function run(what: string, change: Partial<PeerServer> = {}) {
  const { all, exitCode } = await execa("sh", ["-s", ...what.split(" ")], {
    env: environment(),
    input: peerScript({ ...server, ...change }),
    all: true,
    reject: false,
  });
  return { output: all, exitCode };
}

async function installed(change: Partial<PeerServer> = {}): Promise<string> {
  const { output, exitCode } = await run("install", change);
  expect(exitCode, output).toBe(0);
  return output;
}

/** What a look finds. */
async function look(change: Partial<PeerServer> = {}): Promise<PeerFacts> {
  const { stdout } = await execa("sh", ["-s", "look"], {
    env: environment(),
    input: lookScript({ ...server, ...change }, true),
  });
  const facts = parseFacts(stdout);
  if (facts === undefined) throw new Error(stdout);
  return facts;
}

/** What the server answers to a request for a repository's config: 404 is "yes, but there is none". */
async function answer(generation?: number, port = server.listen.port): Promise<number> {
  const authorization =
    generation === undefined
      ? undefined
      : `Basic ${Buffer.from(`q:${password(generation)}`).toString("base64")}`;
  const response = await fetch(`http://127.0.0.1:${port}/q/config`, {
    headers: authorization === undefined ? {} : { authorization },
  });
  return response.status;
}

interface Container {
  Id: string;
  State: { StartedAt: string };
  Config: { User: string; Cmd: string[]; Healthcheck: { Test: string[] } };
  HostConfig: Record<string, unknown>;
}

async function container(): Promise<Container> {
  const { stdout: id } = await execa(
    "docker",
    ["ps", "--quiet", "--filter", `label=com.docker.compose.project=${project}`],
    { env: environment() },
  );
  const { stdout } = await execa("docker", ["inspect", id], { env: environment() });
  const [found] = JSON.parse(stdout) as Container[];
  if (found === undefined) throw new Error("No container runs");
  return found;
}

/** What a restart changes. */
function identity({ Id, State }: Container): string {
  return `${Id} ${State.StartedAt}`;
}

async function occupy(port: number): Promise<Server> {
  const occupant = createServer();
  await new Promise<void>((resolve) => occupant.listen(port, "127.0.0.1", resolve));
  return occupant;
}

describe("an installation", () => {
  it("runs a server that lets its user in and refuses strangers", async () => {
    const output = await installed();
    expect(output).toContain("The server is up");
    expect(await answer(1)).toBe(404);
    expect(await answer()).toBe(401);
    expect(await answer(2)).toBe(401);
  });

  it("confines the container", async () => {
    await installed();
    const { Config, HostConfig } = await container();
    expect(Config.User).toBe("65532:65532");
    expect(HostConfig).toMatchObject({
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges:true"],
      Memory: 512 * 1024 ** 2,
      PidsLimit: 256,
      RestartPolicy: { Name: "unless-stopped" },
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
    });
    expect(Config.Cmd).toEqual(
      expect.arrayContaining([
        "--append-only",
        "--private-repos",
        `--max-size=${512 * 1024 ** 2}`,
        `--listen=127.0.0.1:${server.listen.port}`,
      ]),
    );
    expect(Config.Healthcheck.Test.join(" ")).toContain("401");
  });

  it("gives the data to the server alone, and the htpasswd file to nobody else", async () => {
    await installed();
    const mode = (path: string) => {
      const stat = statSync(join(server.dataDir, path));
      return [stat.uid, (stat.mode & 0o777).toString(8)];
    };
    expect(mode("repositories")).toEqual([65532, "700"]);
    expect(mode("server/auth/htpasswd")).toEqual([65532, "400"]);
    expect(mode("server/compose.yaml")).toEqual([0, "600"]);
  });

  it("changes nothing the second time", async () => {
    await installed();
    const before = await container();
    expect(await installed()).toContain("Nothing to change");
    expect(identity(await container())).toEqual(identity(before));
  });

  it("takes new credentials over without a restart", async () => {
    await installed();
    const before = await container();
    const output = await installed({ htpasswd: htpasswd(2) });
    expect(output).toContain("without a restart");
    expect(identity(await container())).toEqual(identity(before));
    expect(await answer(1)).toBe(401);
    expect(await answer(2)).toBe(404);
  });

  it("repairs a stopped container and an edited compose file", async () => {
    await installed();
    await removeContainers(engine.host, project);
    writeFileSync(join(server.dataDir, "server/compose.yaml"), "services: {}\n");
    await installed();
    expect(await answer(1)).toBe(404);
    expect(readFileSync(join(server.dataDir, "server/compose.yaml"), "utf8")).toContain("append");
  });

  it("makes the container anew once for each repair that is asked for", async () => {
    await installed();
    const ids = [(await container()).Id];
    for (const repair of ["repair-1", "repair-1", "repair-2"]) {
      const { output, exitCode } = await run(`install ${repair}`);
      expect(exitCode, output).toBe(0);
      ids.push((await container()).Id);
    }
    expect(ids[1]).not.toBe(ids[0]);
    expect(ids[2]).toBe(ids[1]);
    expect(ids[3]).not.toBe(ids[2]);
    expect((await run("install anew")).output).toContain("must be install");
  });

  it("looks without changing anything, and finds what it put there", async () => {
    await installed();
    mkdirSync(join(server.dataDir, "repositories/q/snapshots"), { recursive: true });
    const snapshot = join(server.dataDir, "repositories/q/snapshots", "a".repeat(64));
    writeFileSync(snapshot, "x");
    await execa("chown", ["-R", "65532:65532", join(server.dataDir, "repositories")]);
    const everything = async () => {
      const find = `find "$1" -printf '%p %m %U %C@ %s\\n' | sort`;
      const { stdout } = await execa("sh", ["-c", find, "sh", server.dataDir]);
      return [stdout, identity(await container())];
    };
    const before = await everything();
    const facts = await look();
    expect(await everything()).toEqual(before);
    expect(driftOf(facts, server)).toEqual({ drift: [], manual: [], notices: [] });
    expect(facts.health).toBe("healthy");
    expect(facts.free).toBeGreaterThan(0);
    expect(facts.repositories).toEqual([
      {
        name: "q",
        snapshots: 1,
        newest: new Date(Math.floor(statSync(snapshot).mtimeMs / 1000) * 1000),
      },
    ]);
    const elsewhere = { address: "203.0.113.9", port: server.listen.port, wildcard: false };
    const { hasAddress } = await look({ listen: elsewhere });
    expect([facts.hasAddress, hasAddress]).toEqual([true, false]);
  });

  it("serves from behind a symbolic link, and tells when that is one no more", async () => {
    const place = `${server.dataDir}-disk`;
    mkdirSync(place);
    symlinkSync(place, server.dataDir);
    await installed();
    expect(await answer(1)).toBe(404);
    expect(driftOf(await look(), server).drift).toEqual([]);
    rmSync(server.dataDir);
    renameSync(place, server.dataDir);
    expect(driftOf(await look(), server).drift).toEqual([
      expect.stringMatching(/^\S+ is no longer a symbolic link, other than when/),
    ]);
  });

  it("leaves a container that comes back by itself when it dies", async () => {
    await installed();
    await installed({ htpasswd: htpasswd(2) });
    const { stdout: pid } = await execa(
      "docker",
      ["inspect", "--format", "{{.State.Pid}}", (await container()).Id],
      { env: environment() },
    );
    process.kill(Number(pid), "SIGKILL");
    await waitFor("The container's return", () =>
      answer(2).then(
        (status) => status === 404,
        () => false,
      ),
    );
  });

  it("serves an address of IPv6", async () => {
    await installed({ listen: { address: "::1", port: server.listen.port, wildcard: false } });
    const response = await fetch(`http://[::1]:${server.listen.port}/q/config`);
    expect(response.status).toBe(401);
  });

  it("waits for another one that is under way", async () => {
    const outputs = await Promise.all([installed(), installed()]);
    expect(outputs.filter((output) => output.includes("Nothing to change"))).toHaveLength(1);
    expect(await answer(1)).toBe(404);
  });

  it("prints no line of the htpasswd file", async () => {
    const output = (await installed()) + (await installed({ htpasswd: htpasswd(2) }));
    expect(output).not.toContain("$2y$");
  });
});

describe("an installation that fails", () => {
  it("puts the previous release back and shows the container's log", async () => {
    await installed();
    const port = await freePort();
    const occupant = await occupy(port);
    const listen = { ...server.listen, port };
    const { output, exitCode } = await run("install", { listen, htpasswd: htpasswd(2) });
    occupant.close();
    expect(exitCode).toBe(1);
    expect(output).toContain("address already in use");
    expect(output).toContain("The previous release is back and healthy");
    expect(await answer(1)).toBe(404);
    expect(await answer(2)).toBe(401);
  });

  it("does not go back to what was changed by hand when a repair fails", async () => {
    await installed();
    const file = join(server.dataDir, "server/auth/htpasswd");
    writeFileSync(file, htpasswd(2));
    const port = await freePort();
    const occupant = await occupy(port);
    const change = { listen: { ...server.listen, port }, htpasswd: htpasswd(3) };
    const { output, exitCode } = await run("install repair-1", change);
    occupant.close();
    expect(exitCode).toBe(1);
    expect(output).toContain("The previous release is back and healthy");
    expect(await answer(2)).toBe(401);
    expect(await answer(3)).toBe(404);
  });

  it("leaves nothing running when there was no release before", async () => {
    const occupant = await occupy(server.listen.port);
    const { output, exitCode } = await run("install");
    occupant.close();
    expect(exitCode).toBe(1);
    expect(output).toContain("none is running now");
    await expect(container()).rejects.toThrow();
    // And the next one is not held up by it.
    await installed();
  });

  it("names everything that the machine lacks at once, and touches nothing", async () => {
    const { output, exitCode } = await run("install", {
      listen: { address: "203.0.113.9", port: 8000, wildcard: false },
      maxSizeGiB: 900_000,
    });
    expect(exitCode).toBe(1);
    expect(output).toContain("listen: this machine has no address 203.0.113.9");
    expect(output).toMatch(/disk: .* has room for \d+ GiB, and maxSizeGiB asks for 900000/);
    expect(() => statSync(server.dataDir)).toThrow();
  });

  it("says that there is no docker, in the same list", async () => {
    const bin = world.folder("bin-without-docker");
    for (const tool of [
      "awk",
      "base64",
      "cmp",
      "df",
      "du",
      "flock",
      "grep",
      "sync",
      "id",
      "dirname",
      "stat",
      "ls",
      "cat",
    ]) {
      const { stdout } = await execa("sh", ["-c", 'command -v "$1"', "sh", tool]);
      writeFileSync(join(bin, tool), `#!/bin/sh\nexec ${stdout} "$@"\n`, { mode: 0o755 });
    }
    const script = peerScript({ ...server, maxSizeGiB: 900_000 }).replace(
      /^PATH=.*$/m,
      `PATH=${bin}`,
    );
    const { stderr, exitCode } = await execa("/bin/sh", ["-s", "install"], {
      env: environment(),
      input: script,
      reject: false,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("docker: is not installed. Install ");
    expect(stderr).toContain("disk: ");
  });

  it("changes nothing when the image is not to be had", async () => {
    await installed();
    const before = await container();
    const missing = `sha256:${"0".repeat(64)}`;
    const { output, exitCode } = await run("install", { image: missing });
    expect(exitCode).toBe(1);
    expect(output).toContain("can be neither found nor pulled, nothing was changed");
    expect((await container()).Id).toBe(before.Id);
    expect(await answer(1)).toBe(404);
  });

  it("is undone by the next one when it was killed half-way", async () => {
    await installed();
    const port = await freePort();
    const occupant = await occupy(port);
    const script = peerScript({ ...server, listen: { ...server.listen, port } });
    const child = spawn("sh", ["-s", "install"], {
      env: { ...process.env, ...environment() },
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.stdin.end(script);
    const pending = join(server.dataDir, "server/pending");
    await waitFor("The change", () => statSync(pending, { throwIfNoEntry: false }) !== undefined);
    await waitFor("The container's change", () =>
      answer(1).then(
        () => false,
        () => true,
      ),
    );
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    occupant.close();
    const output = await installed();
    expect(output).toContain("An earlier installation did not end");
    expect(await answer(1)).toBe(404);
    expect(statSync(pending, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("is undone by the next one when it was killed while it was being undone", async () => {
    await installed();
    const port = await freePort();
    const occupant = await occupy(port);
    const script = peerScript({ ...server, listen: { ...server.listen, port } });
    const child = spawn("sh", ["-s", "install"], {
      env: { ...process.env, ...environment() },
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.stdin.end(script);
    const compose = () => readFileSync(join(server.dataDir, "server/compose.yaml"), "utf8");
    await waitFor("The change", () => compose().includes(`:${port}`));
    await waitFor("Its undoing", () => !compose().includes(`:${port}`), { timeout: 120_000 });
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    occupant.close();
    await installed();
    expect(await answer(1)).toBe(404);
  });

  it("rolls back also when nobody reads what it prints any more", async () => {
    await installed();
    const port = await freePort();
    const occupant = await occupy(port);
    const script = peerScript({ ...server, listen: { ...server.listen, port } });
    const child = spawn("sh", ["-s", "install"], {
      env: { ...process.env, ...environment() },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdout.destroy();
    child.stderr.destroy();
    child.stdin.end(script);
    const code = await new Promise((resolve) => child.once("exit", resolve));
    occupant.close();
    expect(code).toBe(1);
    expect(await answer(1)).toBe(404);
    const pending = join(server.dataDir, "server/pending");
    expect(statSync(pending, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("touches no directory that is somebody else's", async () => {
    mkdirSync(join(server.dataDir, "server"), { recursive: true });
    mkdirSync(join(server.dataDir, "repositories"));
    const [ours, theirs] = ["server/theirs", "repositories/theirs"].map((path) =>
      join(server.dataDir, path),
    );
    for (const file of [ours, theirs]) writeFileSync(file ?? "", "precious");
    const { output, exitCode } = await run("install");
    expect(exitCode).toBe(1);
    expect(output).toContain("has files that are not fort-offsite's");
    await run("remove");
    for (const file of [ours, theirs]) {
      expect(readFileSync(file ?? "", "utf8")).toBe("precious");
      expect(statSync(file ?? "").uid).toBe(0);
    }
  });

  it("leaves the server of another project in its directory alone", async () => {
    await installed();
    const other = { project: `${project}-other` };
    const { output, exitCode } = await run("install", other);
    expect(exitCode).toBe(1);
    expect(output).toContain(`belongs to the server ${project}`);
    expect((await run("remove", other)).exitCode).toBe(0);
    expect(await answer(1)).toBe(404);
    expect(await installed()).toContain("Nothing to change");
  });

  it("leaves the release that runs as it is on a full disk", async () => {
    mkdirSync(server.dataDir);
    await execa("mount", ["-t", "tmpfs", "-o", "size=400k", "tmpfs", server.dataDir]);
    const small = { maxSizeGiB: 0.0001 };
    await installed(small);
    await execa("sh", ["-c", 'cat /dev/zero > "$1" || :', "sh", join(server.dataDir, "filler")], {
      reject: false,
    });
    const { exitCode, output } = await run("install", { ...small, htpasswd: htpasswd(2) });
    expect(exitCode, output).not.toBe(0);
    expect(await answer(1)).toBe(404);
    await execa("rm", [join(server.dataDir, "filler")]);
    await installed({ ...small, htpasswd: htpasswd(2) });
    expect(await answer(2)).toBe(404);
    await run("remove", small);
    await execa("umount", ["--lazy", server.dataDir]);
  });
});

describe("a removal", () => {
  it("stops the server, leaves the data, and says where it is", async () => {
    await installed();
    const data = join(server.dataDir, "repositories", "q");
    mkdirSync(data);
    writeFileSync(join(data, "config"), "precious");
    const { output, exitCode } = await run("remove");
    expect(exitCode).toBe(0);
    expect(output).toContain(`The backups are untouched in ${server.dataDir}/repositories`);
    await expect(container()).rejects.toThrow();
    expect(readFileSync(join(data, "config"), "utf8")).toBe("precious");
  });

  it("can be repeated, and undone by an installation that finds the data again", async () => {
    await installed();
    await run("remove");
    expect((await run("remove")).exitCode).toBe(0);
    await installed();
    expect(await answer(1)).toBe(404);
  });
});
