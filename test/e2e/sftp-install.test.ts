/** The peer's script for an SFTP directory, over a real OpenSSH: every way in which it can go. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deriveSshKey } from "../../credentials/ssh-key.ts";
import { lookAtSftp } from "../../peer/sftp/look.ts";
import { sftpPlace, sftpUser, sftpProject, type SftpPlace } from "../../peer/sftp/place.ts";
import { sftpScript } from "../../peer/sftp/script.ts";
import { asRoot } from "../../peer/script.ts";
import { runOnPeer, type SshConnection } from "../../peer/ssh.ts";
import { startPeer, type Peer } from "../../sandbox/peer.ts";
import { sftpTarget } from "../../sandbox/sftp.ts";
import { waitFor, World } from "../../sandbox/world.ts";
import { ensurePrograms } from "../../tools/index.ts";
import { SEED } from "../config/valid.ts";

const world = new World();
const stack = `test-${world.id}`;
const project = sftpProject(stack, "nas");
const HUB = sftpUser(project);
const Q = sftpUser(project, "q");
let peer: Peer;
let sshd: string;
let operator: SshConnection;
let dataDir: string;
let target: Parameters<typeof sftpPlace>[0]["target"];

beforeAll(async () => {
  const programs = await ensurePrograms(["sshd", "ssh", "ssh-keygen", "busybox"]);
  const path = (name: "sshd" | "busybox") => programs.get(name)?.path ?? name;
  sshd = path("sshd");
  peer = await startPeer(world, sshd, { host: "", config: "", own: false } as never);
  operator = { ...peer, host: "127.0.0.1" };
  target = {
    ...sftpTarget(world, peer, { stack, name: "nas", busybox: path("busybox") }),
    ...{ protect: true, generation: 1, revoked: 0 },
  } as typeof target;
  dataDir = target.dataDir;
}, 120_000);

afterAll(async () => {
  expect(await world.cleanup.run()).toEqual([]);
}, 60_000);

const host = (generation = 1) => ({
  ...{ key: "", sizeGiB: 1, growthGiBPerMonth: 0, generation, revoked: 0 },
});

function place(change: Partial<typeof target> = {}, hosts = ["q", "ursula"]): SftpPlace {
  return sftpPlace({
    ...{ stack, name: "nas", target: { ...target, ...change }, seed: SEED },
    hosts: Object.fromEntries(hosts.map((name) => [name, host()])),
  });
}

/** Runs the script as the operator's Pulumi does. */
async function run(what: string, at = place(), edit = (script: string) => script) {
  const { exitCode, stdout, stderr } = await runOnPeer(operator, asRoot(what), {
    input: edit(sftpScript(at)),
  });
  return { exitCode, output: `${stdout}\n${stderr}` };
}

async function installed(at = place()): Promise<string> {
  const { exitCode, output } = await run("install", at);
  expect(exitCode, output).toBe(0);
  return output;
}

/** The arguments of sftp(1) for a user with the key of a generation. */
function asUser(user: string, generation: number): string[] {
  const owner = user === HUB ? { target: "nas" } : { target: "nas", host: user.split("-").at(-1) };
  const key = world.file(`key-${user}`, deriveSshKey(SEED, owner, generation).privateKey);
  const known = world.file("known", `[127.0.0.1]:${peer.port} ${peer.hostKey}\n`);
  return [
    ...["-P", String(peer.port), "-i", key, "-F", "/dev/null"],
    ...["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes"],
    ...["-o", `UserKnownHostsFile=${known}`, "-o", "HostKeyAlgorithms=ecdsa-sha2-nistp256"],
    `${user}@127.0.0.1`,
  ];
}

/** Commands of sftp's batch mode, and what it says. */
async function sftp(user: string, commands: readonly string[], generation = 1) {
  const { all, exitCode } = await execa("sftp", ["-b", "-", ...asUser(user, generation)], {
    input: `${commands.join("\n")}\n`,
    all: true,
    reject: false,
  });
  return { output: all, exitCode };
}

/** A session that asks for nothing and stays until the peer ends it. */
function openSession(user: string) {
  const tunnel = asUser(user, 1).map((word) => (word === "-P" ? "-p" : word));
  return execa("ssh", ["-s", ...tunnel, "sftp"], { stdin: "pipe", reject: false });
}

/** The processes of a user on the peer. */
async function processesOf(user: string): Promise<string[]> {
  const { stdout } = await execa("ps", ["-o", "pid=", "-u", user], { reject: false });
  return stdout.split("\n").filter((line) => line.trim() !== "");
}

async function look() {
  const found = await lookAtSftp(operator, place());
  if (!found.reached) throw new Error(found.reason);
  return found;
}

/** Everything on the machine that an installation may change. */
async function machine(): Promise<string> {
  const { stdout: users } = await execa("getent", ["passwd"]);
  const ours = users.split("\n").filter((line) => line.includes(project));
  const dropins = readdirSync(peer.dropins).map((name) => readFileSync(join(peer.dropins, name)));
  const keys = join(dataDir, "sftp", "keys");
  const inForce = existsSync(keys)
    ? readdirSync(keys).map((name) => readFileSync(join(keys, name), "utf8"))
    : [];
  return [...ours, ...dropins, ...inForce].join("\n");
}

const pending = () => existsSync(join(dataDir, "sftp", "pending"));

describe("an installation", () => {
  it("names everything that is in its way at once, and touches nothing", async () => {
    await execa("useradd", ["--system", "--no-create-home", "--comment", `foreign ${project}`, Q]);
    const original = readFileSync(peer.sshdConfig, "utf8");
    try {
      const before = await machine();
      writeFileSync(peer.sshdConfig, `${original}AllowUsers root\n`);
      const { exitCode, output } = await run("install", place({ maxSizeGiB: 900_000 }));
      expect(exitCode).toBe(1);
      expect(output).toContain(`user: ${Q} exists on this machine and is not fort-offsite's`);
      expect(output).toContain("sshd: AllowUsers lets in others alone. Add to it in");
      expect(output).toMatch(/disk: .* has room for \d+ GiB, and maxSizeGiB asks for 900000/);
      writeFileSync(peer.sshdConfig, original.replace(/^Include.*$/m, ""));
      expect((await run("install")).output).toContain("reads no folder of settings");
      writeFileSync(peer.sshdConfig, `${original}NoSuchWord yes\n`);
      expect((await run("install")).output).toContain("its settings are wrong as they are");
      const first = `Match User *\n  ForceCommand /bin/true\nMatch all\n${original}`;
      writeFileSync(peer.sshdConfig, first);
      expect((await run("install")).output).toContain("no folder of settings");
      writeFileSync(join(peer.dropins, "00-first.conf"), "Match User fo-*\n  PermitTTY yes\n");
      writeFileSync(peer.sshdConfig, original);
      expect((await run("install")).output).toContain("another Match block");
      rmSync(join(peer.dropins, "00-first.conf"));
      const inTmp = place({ dataDir: join(world.directory, "nas") });
      expect((await run("install", inTmp)).output).toContain(
        "/tmp must be root's, and nobody else",
      );
      const fstab = world.file("fstab", `/dev/nas ${dataDir} ext4 defaults 0 2\n`);
      const missing = (script: string) => script.replaceAll("/etc/fstab", fstab);
      expect((await run("install", place(), missing)).output).toContain(
        `a disk for ${dataDir}, which is not mounted`,
      );
      expect(await machine()).toBe(before);
      expect(existsSync(join(dataDir, "sftp"))).toBe(false);
    } finally {
      writeFileSync(peer.sshdConfig, original);
      await execa("userdel", [Q]);
    }
  });

  it("goes back to nothing when sshd does not answer with the new settings", async () => {
    const before = await machine();
    const { exitCode, output } = await run("install", place(), (script) =>
      script.replace(/^answers\(\) \{/m, "answers() { return 1;"),
    );
    expect(exitCode).toBe(1);
    expect(output).toContain("sshd does not answer");
    expect(readdirSync(peer.dropins)).toEqual([]);
    expect(pending()).toBe(false);
    expect((await sftp(HUB, ["ls /"])).exitCode).not.toBe(0);
    // The accounts that it made stay for the next one; nobody is let in as one of them.
    expect((await machine()).includes("restrict ")).toBe(before.includes("restrict "));
    expect((await runOnPeer(operator, "true")).exitCode).toBe(0);
  });

  it("lets hub and hosts into their folders, and is done once", async () => {
    expect(await installed()).toContain("Hub and hosts are let into");
    expect((await sftp(HUB, ["ls -1 /_hosts"])).output).toContain("ursula");
    expect((await sftp(Q, ["ls -1 /"])).output).toContain("repository");
    expect((await sftp(Q, ["ls /_hosts"])).exitCode).not.toBe(0);
    // Root works among the hub's files: there is to be no link that leads it elsewhere.
    const locks = "/_hosts/q/locks";
    const made = [
      `put ${world.file("own", "x")} ${locks}/own`,
      `-ln -s / ${locks}/way`,
      `-ln ${locks}/own ${locks}/two`,
    ];
    await sftp(HUB, made);
    expect(readdirSync(join(dataDir, "repositories/q/repository/locks"))).toEqual(["own"]);
    await sftp(HUB, [`rm ${locks}/own`]);
    expect(await installed()).toContain("Nothing to change");
    expect((await look()).drift).toEqual([]);
    expect(readFileSync(join(peer.crontabs, "root"), "utf8")).toMatch(
      /^\*\/5 .*seal\.sh # fort-offsite/m,
    );
  });

  it("takes another key over and ends what was open with the old one", async () => {
    await installed();
    const session = openSession(HUB);
    await waitFor("The session", async () => (await processesOf(HUB)).length > 0);
    await installed(place({ generation: 2 }));
    await waitFor("The session's end", async () => (await processesOf(HUB)).length === 0);
    expect((await session).exitCode).not.toBe(0);
    expect((await sftp(HUB, ["ls /"], 1)).exitCode).not.toBe(0);
    expect((await sftp(HUB, ["ls /"], 2)).exitCode).toBe(0);
    await installed();
  });

  it("is undone by the next one wherever it was killed", async () => {
    await installed();
    const next = place({ generation: 2 }, ["q", "ursula", "minos"]);
    for (const at of ["put_keys", "put_dropin", "note ||"]) {
      const { exitCode, output } = await run("install", next, (script) => {
        const [head = "", body = ""] = script.split("\n  remember\n");
        const cut = body.replace(`\n  ${at}`, () => `\n  kill -KILL $$\n  ${at}`);
        expect(cut, at).not.toBe(body);
        return `${head}\n  remember\n${cut}`;
      });
      expect(exitCode, at).not.toBe(0);
      expect(pending(), `${at}: ${output}`).toBe(true);
      // The operator is not shut out, and sshd would start again.
      await execa(sshd, ["-t", "-f", peer.sshdConfig]);
      expect(await installed(), at).toContain("An earlier installation did not end");
      expect((await sftp(HUB, ["ls /"])).exitCode, at).toBe(0);
    }
    expect((await look()).drift).toEqual([]);
    const { stdout } = await execa("getent", ["passwd"]);
    expect(stdout).not.toContain(sftpUser(project, "minos"));
  });

  it("waits for another one, so that both come to the same", async () => {
    const all = await Promise.all([run("install"), run("install"), run("install", place())]);
    expect(all.map(({ exitCode, output }) => (exitCode === 0 ? 0 : output))).toEqual([0, 0, 0]);
    expect((await look()).drift).toEqual([]);
  });
});

describe("a look", () => {
  it("finds what was changed by hand, and the next installation puts it right", async () => {
    await installed();
    const dropin = join(peer.dropins, `10-${project}.conf`);
    writeFileSync(
      dropin,
      readFileSync(dropin, "utf8").replace("internal-sftp -R", "internal-sftp"),
    );
    writeFileSync(join(dataDir, "sftp/keys", HUB), "ssh-ed25519 AAAA thief\n", { flag: "a" });
    writeFileSync(join(peer.crontabs, "root"), "");
    await execa("usermod", ["--shell", "/bin/sh", Q]);
    await execa("chmod", ["0777", join(dataDir, "repositories/q/repository/data")]);
    const { drift } = await look();
    for (const phrase of [
      "the settings for sshd was changed",
      `the key of ${HUB} was changed`,
      `the account ${Q} was changed`,
      "the owner and mode of the folders was changed",
      "the schedule of the sealing was changed",
      "nothing seals what arrives",
      "(forcecommand)",
    ]) {
      expect(drift.join("; ")).toContain(phrase);
    }
    await installed();
    expect((await look()).drift).toEqual([]);
    expect((await execa("getent", ["passwd", Q])).stdout).toContain("nologin");
  });
});

describe("a removal", () => {
  it("ends every session and takes the accounts away, and leaves the data", async () => {
    await installed();
    const session = openSession(HUB);
    await waitFor("The session", async () => (await processesOf(HUB)).length > 0);
    const { exitCode, output } = await run("remove");
    expect(exitCode, output).toBe(0);
    expect((await session).exitCode).not.toBe(0);
    expect(await machine()).toBe("");
    expect(readFileSync(join(peer.crontabs, "root"), "utf8")).toBe("");
    expect(statSync(join(dataDir, "repositories/q/repository/data/00")).isDirectory()).toBe(true);
    expect((await run("remove")).exitCode).toBe(0);
    // And it takes the data up again.
    await installed();
  });
});
