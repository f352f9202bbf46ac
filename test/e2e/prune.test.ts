/** `offsite prune`: what goes at the peer, what does not, and the door that is closed whatever happens. */
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownerOf, runRestic } from "../../hub/restic.ts";
import { doorCommand, doorScript, type DoorTask } from "../../peer/door.ts";
import { sshArguments, withPrivateFolder } from "../../peer/ssh.ts";
import { parseEnv, restic, unseal, type Host } from "../../sandbox/hosts.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { findLeaks, ProcessWatch, secretsOfEnv, secretsOfHub } from "../../sandbox/leaks.ts";
import { PROJECT, waitFor } from "../../sandbox/world.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { KEY, Terminal } from "./terminal.ts";

let cluster: Cluster;
let hub: Hub;
let q: Host;
let env: Record<string, string>;
/** All that the command has said. */
let transcript = "";

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"]);
  process.env.XDG_DATA_HOME = cluster.world.folder("operator");
  await cluster.up();
  hub = await cluster.openHub();
  await hub.serve();
  q = hostOf("q");
  env = parseEnv(await unseal(join(cluster.bundle, "hosts", "q.env.age"), q.identityFile));
  await restic(cluster.world, q, env, ["init", "--quiet"]);
  for (let at = 0; at < 3; at += 1) await backUp();
  await hub.run("mirror", "peer");
});

afterAll(async () => expect(await cluster.end()).toEqual([]));

function hostOf(name: string): Host {
  const host = cluster.hosts.find((each) => each.name === name);
  if (host === undefined) throw new Error(`There is no ${name}`);
  return host;
}

async function backUp(): Promise<void> {
  writeFileSync(join(q.data, "changing"), randomBytes(300_000));
  await restic(cluster.world, q, env, ["backup", "--quiet", q.data]);
}

/** restic on the hub's own disk. */
async function atHub(...args: readonly string[]): Promise<string> {
  const directory = join(hub.repositories, "q");
  const result = await runRestic({
    program: join(cluster.world.directory, "hub", "programs", "restic"),
    repository: directory,
    password: readFileSync(q.passwordFile, "utf8"),
    account: process.getuid?.() === 0 ? ownerOf(directory) : undefined,
    args: ["--no-cache", ...args],
  });
  if (result.exitCode !== 0) throw new Error(result.problem);
  return result.stdout;
}

async function snapshotsAtHub(): Promise<string[]> {
  const found = JSON.parse(await atHub("snapshots", "--json")) as { id: string }[];
  return found.map(({ id }) => id);
}

/** The hub loses its second oldest snapshot to a prune, and the peer has all that the hub has. */
async function loseOneAtHub(): Promise<void> {
  await backUp();
  await hub.run("mirror", "peer");
  await atHub("forget", "--prune", "--max-unused=0", (await snapshotsAtHub())[1] ?? "");
  await hub.run("mirror", "peer");
}

function filesOf(repositories: string): string[] {
  const folder = join(repositories, "q");
  return ["data", "index", "keys", "snapshots"].flatMap((kind) =>
    readdirSync(join(folder, kind), { recursive: true, encoding: "utf8" })
      .filter((name) => /[0-9a-f]{64}$/.test(name))
      .map((name) => `${kind}/${name}`)
      .sort(),
  );
}

const atPeer = () => filesOf(join(cluster.world.directory, "peer", "repositories"));

/** The peer's copy, seen with what the host has to restore from it. */
async function checkPeer(): Promise<void> {
  const access = { ...env, RESTIC_REST_PASSWORD: env.OFFSITE_PEER_PASSWORD ?? "" };
  const args = ["--repo", env.OFFSITE_PEER_REPOSITORY ?? "", "--no-lock", "check", "--quiet"];
  await restic(cluster.world, q, access, [...args, "--read-data"]);
}

async function doors(): Promise<string> {
  const label = `label=fort-offsite.door=${cluster.project}`;
  return await cluster.docker("ps", "--all", "--quiet", "--filter", label);
}

const closed = () =>
  waitFor("The door's end", async () => (await doors()) === "", { timeout: 60_000 });

async function prune(...args: readonly string[]) {
  const result = await cluster.offsite("prune", ...args);
  transcript += result.all;
  return result;
}

/** The one process whose arguments hold all of these texts. */
async function processWith(...texts: readonly string[]): Promise<number> {
  const { stdout } = await execa("ps", ["-eo", "pid=,args="]);
  const lines = stdout.split("\n").filter((line) => texts.every((text) => line.includes(text)));
  if (lines.length !== 1) throw new Error(`${lines.length} processes with ${texts.join(" and ")}`);
  return Number.parseInt(lines[0] ?? "", 10);
}

/** Starts the command, and waits for a line of it; how it ends is not waited for. */
async function startPrune(line: RegExp, ...args: readonly string[]) {
  const which = ["--stack", cluster.stack.name, "--config-file", cluster.stack.configFile];
  const child = execa(
    process.execPath,
    [join(PROJECT, "cli", "offsite.mjs"), "prune", ...which, "peer", "q", "--yes", ...args],
    { cwd: PROJECT, env: cluster.stack.env, stdin: "ignore", all: true, reject: false },
  );
  const lines = createInterface({ input: child.all });
  const isHeard = await new Promise<boolean>((resolve) => {
    lines.on("line", (each) => {
      transcript += `${each}\n`;
      // At once, while the command is there.
      if (line.test(each)) resolve(true);
    });
    lines.once("close", () => resolve(false));
  });
  if (!isHeard) throw new Error(`There was no ${line.source}:\n${(await child).all}`);
  return { child, kill: (signal: NodeJS.Signals) => void child.kill(signal) };
}

/** The script that holds the door, with standard input as it is given. */
async function holdDoor(
  task: Extract<DoorTask, { mode: "open" }>,
  whileOpen: (write: () => void) => Promise<void>,
): Promise<string> {
  const { port, user, hostKey, privateKey } = cluster.peer;
  const connection = { host: "127.0.0.1", port, user, hostKey, privateKey };
  const dataDir = join(cluster.world.directory, "peer");
  return await withPrivateFolder(connection, [], async (folder) => {
    const ssh = execa("ssh", sshArguments(folder, doorCommand(connection)), { reject: false });
    ssh.stdin.on("error", () => undefined);
    ssh.stdin.write(doorScript({ connection, project: cluster.project, dataDir }, task));
    ssh.stdin.write("q:nobody\n.\n");
    await new Promise((resolve) => ssh.stdout.once("data", resolve));
    await whileOpen(() => void ssh.stdin.write("\n"));
    return (await ssh).stdout;
  });
}

describe("offsite prune", () => {
  it("shows what would go, removes at the peer what the hub no longer has, and shows no secret", async () => {
    await loseOneAtHub();
    const before = atPeer();
    const dry = await prune("peer", "q", "--dry-run");
    expect(dry.exitCode).toBe(0);
    expect(dry.stdout).toMatch(/│ q +│ 3 +│ \S+ +│ 1 +│/);
    expect(atPeer()).toEqual(before);

    const watch = new ProcessWatch();
    const done = await prune("peer", "--yes", "--json");
    const processes = await watch.end();
    expect(done.exitCode, done.all).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({
      version: 1,
      door: "closed",
      hosts: { q: { outcome: "removed", going: 1 }, ursula: { outcome: "absent" } },
    });
    expect(done.stderr).toContain("refuses removals (403)");
    expect(atPeer()).toEqual(filesOf(hub.repositories));
    await checkPeer();
    expect(await doors()).toBe("");

    const secrets = [
      ...cluster.stack.secrets,
      ...secretsOfEnv(await unseal(join(cluster.bundle, "hosts", "q.env.age"), q.identityFile)),
      ...secretsOfHub(hub.secretFiles.rclone, hub.secretFiles.credentials),
      readFileSync(q.passwordFile, "utf8"),
    ];
    const places = { output: transcript, processes: processes.join("\n") };
    expect(findLeaks(secrets, places)).toEqual([]);
    const again = await prune("peer", "--yes");
    expect(again).toMatchObject({ exitCode: 0 });
    expect(again.stdout).toContain("Nothing was removed.");
  });

  it("is killed at each of its steps: the door closes by itself, and the peer's copy is sound", async () => {
    const steps = [
      /^To do that/,
      /^The door is open/,
      /removing \d+ snapshot/,
      /removing \d+ index/,
      /removing \d+ pack/,
    ];
    for (const step of steps) {
      await loseOneAtHub();
      const { child, kill } = await startPrune(step);
      kill("SIGKILL");
      await child;
      await closed();
      await checkPeer();
    }
    const { exitCode, all } = await prune("peer", "--yes");
    expect(exitCode, all).toBe(0);
    expect(atPeer()).toEqual(filesOf(hub.repositories));
  });

  it("is interrupted: the door is closed, and proven to be, before it ends with 130", async () => {
    await loseOneAtHub();
    const { child, kill } = await startPrune(/^The door is open/);
    kill("SIGINT");
    kill("SIGINT");
    const { exitCode, all } = await child;
    expect(exitCode, all).toBe(130);
    expect(all).toContain("refuses removals (403)");
    expect(await doors()).toBe("");
    await checkPeer();
  });

  it("takes Ctrl-C at a terminal, again and again, for the same", async () => {
    const { stack } = cluster;
    const which = ["--stack", stack.name, "--config-file", stack.configFile];
    const terminal = new Terminal(["prune", "peer", "q", ...which], stack.env);
    try {
      await terminal.answers("Remove ", "y");
      for (const line of ["The door is open", "Closing the door", "The door is closed"]) {
        await terminal.sees(line);
        terminal.press(KEY.interrupt);
      }
      expect(await terminal.end(), terminal.screen).toBe(130);
    } finally {
      terminal.kill();
    }
    expect(terminal.screen).toContain("refuses removals (403)");
    expect(await doors()).toBe("");
    await checkPeer();
  });

  it("loses its connection: the door closes at once, which a new connection proves", async () => {
    await loseOneAtHub();
    const { child, kill } = await startPrune(/^The door is open/);
    kill("SIGSTOP");
    // Our end of the connection; the script at the peer has the same words, and no such folder.
    process.kill(await processWith("ssh -F", `-ssh-${child.pid}-`, "read -r script"), "SIGKILL");
    await closed();
    kill("SIGCONT");
    const { exitCode, all } = await child;
    expect(exitCode, all).toBe(1);
    expect(all).toMatch(/The door is closed[^]*403[^]*error: .*Run it again/);
    await checkPeer();
  });

  it("is stopped for longer than the door may be open: the door closes by itself", async () => {
    const { child, kill } = await startPrune(/^The door is open/, "--minutes", "0.1");
    kill("SIGSTOP");
    await waitFor("The door's end", async () => (await doors()) === "", { timeout: 25_000 });
    kill("SIGCONT");
    const { exitCode, all } = await child;
    expect(exitCode, all).toBe(1);
    expect(all).toContain("closed by itself");
    expect((await prune("peer", "--yes")).exitCode).toBe(0);
  });

  it("closes the door where the connection is silent, and where Docker's client at the peer is killed", async () => {
    const silent = await holdDoor({ mode: "open", limit: 300, patience: 2 }, closed);
    expect(silent).toMatch(/^open \d+ \d+\nclosed$/);
    const killed = await holdDoor({ mode: "open", limit: 300 }, async () => {
      process.kill(await processWith("docker run", `--name ${cluster.project}-door`), "SIGKILL");
      await closed();
    });
    expect(killed).toMatch(/^open \d+ \d+\nclosed$/);
  });

  it("lets one prune at a time have a door, and removes a door that was left", async () => {
    const stdout = await holdDoor({ mode: "open", limit: 300, patience: 4 }, async (write) => {
      const beat = setInterval(write, 500);
      const second = await prune("peer", "--yes");
      clearInterval(beat);
      expect(second).toMatchObject({ exitCode: 1 });
      expect(second.stderr).toContain("another prune has its door open");
    });
    expect(stdout).toMatch(/closed$/);
    const image = String(cluster.settings["fort-offsite:targets"]?.peer?.image);
    const label = `fort-offsite.door=${cluster.project}`;
    await cluster.docker("create", "--label", label, image, "sh");
    const close = await prune("peer", "--close");
    expect(close, close.all).toMatchObject({ exitCode: 0 });
    expect(await doors()).toBe("");
  });

  it("refuses what a thief at the hub leaves, and says what it saw", async () => {
    for (let at = 0; at < 3; at += 1) await backUp();
    await hub.run("mirror", "peer");
    const all = await snapshotsAtHub();
    await atHub("forget", "--prune", ...all);
    await backUp();
    await hub.run("mirror", "peer");
    const before = atPeer();
    const { exitCode, stdout } = await prune("peer", "q", "--yes");
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/q: nothing is removed: .* of the .* that the peer has of it would go/);
    expect(stdout).toContain("--allow-shrinkage q");
    expect(atPeer()).toEqual(before);
    const allowed = await prune("peer", "q", "--yes", "--allow-shrinkage", "q");
    expect(allowed.exitCode, allowed.all).toBe(0);
    expect(atPeer()).toEqual(filesOf(hub.repositories));
  });

  it("thins the peer out with restic where the hub is gone", async () => {
    for (let at = 0; at < 5; at += 1) await backUp();
    await hub.run("mirror", "peer");
    await hub.stop();
    const gone = await prune("peer", "q", "--yes");
    expect(gone.exitCode).toBe(1);
    expect(gone.stdout).toMatch(/could not be listed at the hub.*--forget/);

    const watch = new ProcessWatch();
    const command = `test "$OFFSITE_HOST" = q && cat ${q.passwordFile}`;
    const thin = ["peer", "q", "--forget", "--yes", "--password-command", command];
    const refused = await prune(...thin, "--keep-hours", "0", "--keep-daily", "1");
    expect(refused.exitCode, refused.all).toBe(1);
    expect(refused.stdout).toContain("--allow-shrinkage q");
    const keep = ["--keep-hours", "0", "--keep-daily", "1", "--allow-shrinkage", "q"];
    const done = await prune(...thin, ...keep);
    const processes = await watch.end();
    expect(done.exitCode, done.all).toBe(0);
    expect(done.stdout).toContain("the hub does not answer");
    expect(atPeer().filter((name) => name.startsWith("snapshots/"))).toHaveLength(2);
    await checkPeer();
    const secrets = [readFileSync(q.passwordFile, "utf8"), ...secretsOfEnv(JSON.stringify(env))];
    const places = { output: transcript, processes: processes.join("\n") };
    expect(findLeaks(secrets, places)).toEqual([]);
  });

  it("says what is wrong with its use before it looks at anything", async () => {
    const wrong: [args: string[], says: RegExp][] = [
      [["cloud", "--yes"], /needs no pruning by the operator.*30 days.*must be one of: peer/],
      [["nowhere", "--yes"], /got "nowhere", which the stack does not have; must be one of: peer/],
      [["peer", "nobody", "--yes"], /got "nobody", must be among: ursula, q|q, ursula/],
      [["peer"], /no terminal to ask at.*--yes/],
      [["peer", "--forget", "--dry-run"], /no terminal.*--password-command/],
    ];
    for (const [args, says] of wrong) {
      const { exitCode, stderr } = await prune(...args);
      expect(exitCode, stderr).toBe(2);
      expect(stderr).toMatch(says);
    }
  });
});
