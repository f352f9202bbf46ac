/** `offsite init` with the real Pulumi, at a terminal and without one. */
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { fingerprint } from "../../cli/init/host-key.ts";
import type { Check, DoctorReport } from "../../cli/doctor/report.ts";
import { startB2Emulator, type B2Emulator } from "../../sandbox/b2/index.ts";
import { newSshKey, publicKey, startPeer, type Peer } from "../../sandbox/peer.ts";
import { Stack } from "../../sandbox/stack.ts";
import { PROJECT, World } from "../../sandbox/world.ts";
import { Client } from "../../sdks/b2/client/client.ts";
import { createKey } from "../../sdks/b2/client/keys.ts";
import { ensurePrograms } from "../../tools/index.ts";
import { KEY, Terminal } from "./terminal.ts";

const PASSPHRASE = "correct horse battery staple";
const PLACEHOLDER = readFileSync(join(PROJECT, "Pulumi.prod.yaml"), "utf8");

const world = new World();
let emulator: B2Emulator;
let peer: Peer;
let sshFolder: string;
let qKey: string;
let operatorKey: string;

/** A stack that is not there yet, of which the file waits to be filled in. */
function newStack(name: string): { stack: Stack; env: Record<string, string>; which: string[] } {
  const stack = new Stack(world, {
    name,
    config: {},
    secrets: {},
    env: {
      B2_ENDPOINT: emulator.url,
      NODE_OPTIONS: "--import tsx",
      HOME: world.folder(`home-${name}`),
    },
    plugins: {
      "resource-command-v1.2.1": join(PROJECT, "sandbox/plugins/command/pulumi-resource-command"),
    },
  });
  writeFileSync(stack.configFile, PLACEHOLDER);
  const env = Object.fromEntries(
    Object.entries(stack.env).filter(([key]) => key !== "PULUMI_CONFIG_PASSPHRASE_FILE"),
  );
  const which = ["--stack", name, "--project", PROJECT, "--config-file", stack.configFile];
  return { stack, env, which };
}

async function offsite(args: readonly string[], env: Record<string, string>, input = "") {
  const cli = join(PROJECT, "cli", "offsite.mjs");
  const result = await execa(process.execPath, [cli, ...args], {
    ...{ env, input, all: true, reject: false },
  });
  return { exitCode: result.exitCode, all: result.all };
}

function answers(name: string): Record<string, unknown> {
  return {
    peerKey: "make",
    hub: { host: "ursula", url: "https://backup.home.example" },
    hosts: { ursula: { key: operatorKey, sizeGiB: 2 }, q: { key: qKey, sizeGiB: 10 } },
    targets: {
      cloud: { type: "b2", bucket: `fort-${name}-${world.id}`, endpoint: emulator.url },
      peer: {
        type: "rest-server",
        ssh: { host: "127.0.0.1", port: peer.port, user: peer.user, hostKey: peer.hostKey },
        dataDir: join(world.directory, "peer"),
      },
    },
    seal: { directory: join(world.directory, `bundle-${name}`), operators: [operatorKey] },
  };
}

/** What `pulumi preview` says of it, with the public half of the key where the peer looks for it. */
async function expectPreview(stack: Stack, env: Record<string, string>, said: string) {
  const line = new RegExp(`^ssh-ed25519 \\S+ fort-offsite-${stack.name}`, "m").exec(said)?.[0];
  expect(line).toBeDefined();
  appendFileSync(join(sshFolder, "authorized_keys"), `${line ?? ""}\n`);
  const args = ["preview", "--stack", stack.name, "--config-file", stack.configFile];
  const result = await execa("pulumi", [...args, "--non-interactive", "--color", "never"], {
    ...{ cwd: PROJECT, env, all: true, reject: false },
  });
  expect(result.exitCode, result.all).toBe(0);
  expect(result.all).toContain("b2:index:Bucket");
}

function config(stack: Stack): Record<string, unknown> {
  return (parse(readFileSync(stack.configFile, "utf8")) as { config: Record<string, unknown> })
    .config;
}

beforeAll(async () => {
  emulator = await startB2Emulator({ dataDirectory: world.folder("b2") });
  const programs = await ensurePrograms(["sshd"]);
  const sshd = programs.get("sshd")?.path ?? "";
  // Nothing here asks for an engine.
  const engine = { host: "unix:///none", config: world.directory, own: false, version: "none" };
  peer = await startPeer(world, sshd, engine);
  sshFolder = join(world.directory, "ssh");
  qKey = publicKey(join(sshFolder, "other-host"));
  operatorKey = publicKey(await newSshKey(join(world.directory, "me"), "me"));
});

afterAll(async () => {
  await emulator.stop();
  expect(await world.cleanup.run()).toEqual([]);
});

describe("offsite init at a terminal, answered wrongly first", () => {
  it("explains each mistake, asks again, and writes what previews cleanly", async () => {
    const { stack, env, which } = newStack("typed");
    const terminal = new Terminal(["init", ...which], env);
    try {
      await answerAll(terminal);
      expect(await terminal.end()).toBe(0);
    } finally {
      terminal.kill();
    }
    const { screen } = terminal;
    expect(screen).toContain("pulumi preview --stack typed");
    expect(screen).not.toContain(PASSPHRASE);
    expect(screen).not.toContain(emulator.applicationKey);
    const written = config(stack);
    expect(written["fort-offsite:hosts"]).toEqual({
      q: { key: qKey, sizeGiB: 10 },
      ursula: { key: operatorKey, sizeGiB: 2.5 },
    });
    expect(written["fort-offsite:targets"]).toMatchObject({
      cloud: { bucket: `typed-${world.id}`, keepHiddenDays: 30 },
      peer: { ssh: { hostKey: peer.hostKey }, listen: "127.0.0.1:8000", maxSizeGiB: 200 },
    });
    expect(written).toHaveProperty("b2:applicationKey.secure");
    await expectPreview(stack, { ...env, PULUMI_CONFIG_PASSPHRASE: PASSPHRASE }, screen);
  });

  async function answerAll(terminal: Terminal): Promise<void> {
    const wrong = async (question: string, answer: string, complaint: string) => {
      await terminal.answers(question, answer);
      await terminal.sees(complaint);
    };
    await wrong("The hub's host name:", "Ursula", "must be a host name of up to 40 lower-case");
    terminal.press(KEY.clear, "ursula", KEY.enter);
    await wrong("rest-server", "backup.home", 'must be an "http://" or "https://" URL');
    terminal.press(KEY.clear, "https://backup.home.example", KEY.enter);
    await terminal.answers("directory of repositories:", "/var/lib/restic-repos");
    await wrong("Names of the hosts", "q ursula locks", "none of restic's own directory names");
    terminal.press(KEY.clear, "q, ursula", KEY.enter);
    // A key that is looked up, and compared: with another machine's fingerprint first.
    await wrong("Public key of q", "ssh-rsa AAAA", 'must be an "ssh-ed25519" or "age1" public key');
    terminal.press(KEY.clear, `127.0.0.1:${peer.port}`, KEY.enter);
    await terminal.sees(fingerprint(qKey));
    await wrong("Is it the same there?", fingerprint(operatorKey), "which is another key than");
    terminal.press(KEY.clear, fingerprint(qKey), KEY.enter);
    await wrong("does q back up?", "ten", 'got "ten", must be a number');
    terminal.press(KEY.clear, "10", KEY.enter);
    await terminal.answers("Public key of ursula", operatorKey);
    await terminal.answers("does ursula back up?", "2,5");
    await terminal.answers("Have a bucket at Backblaze B2", "y");
    await wrong("Name of the bucket", "x", "must be a bucket name of 6 to 50");
    terminal.press(KEY.clear, `typed-${world.id}`, KEY.enter);
    await terminal.answers("Days for which", "30");
    await answerPeer(terminal, wrong);
    await answerKeys(terminal, wrong);
  }

  type Wrong = (question: string, answer: string, complaint: string) => Promise<void>;

  async function answerPeer(terminal: Terminal, wrong: Wrong): Promise<void> {
    await terminal.answers("Have a server on somebody else's machine", "y");
    await wrong("reach that machine over SSH:", "not a host", "must be a host name or an IP");
    terminal.press(KEY.clear, "127.0.0.1", KEY.enter);
    await terminal.answers("Port of its SSH server:", String(peer.port));
    await terminal.answers("User there", peer.user);
    await terminal.answers("for its host key now?", "y");
    await terminal.sees("ssh-keygen -lf /etc/ssh/ssh_host_ecdsa_key.pub");
    await terminal.answers("Is it the same there?", "yes");
    await terminal.answers("at which the hub reaches the server:", "0.0.0.0:8000");
    await terminal.answers("Is that meant?", "n");
    await terminal.answers("at which the hub reaches the server:", "127.0.0.1:8000");
    await wrong("becomes the server's own:", "/etc/x", "in none of the system's directories");
    terminal.press(KEY.clear, join(world.directory, "peer"), KEY.enter);
    await terminal.sees("may hold together: (200)");
    terminal.press(KEY.enter);
    await terminal.answers("Have one more place?", "n");
  }

  async function answerKeys(terminal: Terminal, wrong: Wrong): Promise<void> {
    await wrong("Sealed with age", "zip", 'must be "age" or "sops" or "plain"');
    terminal.press(KEY.clear, "age", KEY.enter);
    await wrong("own directory, which pulumi up writes", "..", "must be a path");
    terminal.press(KEY.clear, join(world.directory, "bundle-typed"), KEY.enter);
    await wrong("Your public key", "AGE-SECRET-KEY-1X", "public key");
    terminal.press(KEY.clear, operatorKey, KEY.enter);
    await terminal.answers("One more", "-");
    await terminal.sees("Which key?");
    terminal.press(KEY.enter);
    await terminal.answers("Its key ID", emulator.applicationKeyId);
    await terminal.answers("The application key itself:", "wrong");
    await terminal.sees("refused the B2 credentials");
    await terminal.answers("Keep it all the same?", "n");
    await terminal.answers("Its key ID", emulator.applicationKeyId);
    await terminal.answers("The application key itself:", emulator.applicationKey);
    await wrong("A new passphrase:", "short", "must be at least 8");
    terminal.press(KEY.clear, PASSPHRASE, KEY.enter);
    await terminal.answers("The same again:", "something else");
    await terminal.answers("They differ.\r\n? A new passphrase:", PASSPHRASE);
    await terminal.answers("The same again:", PASSPHRASE);
    await terminal.sees("Write all this?");
    terminal.press(KEY.enter);
  }

  it("changes nothing when it is interrupted", async () => {
    const { stack, env, which } = newStack("stopped");
    const terminal = new Terminal(["init", ...which], env);
    try {
      await terminal.answers("The hub's host name:", "ursula");
      await terminal.sees("rest-server");
      terminal.press(KEY.interrupt);
      expect(await terminal.end()).toBe(130);
    } finally {
      terminal.kill();
    }
    expect(readFileSync(stack.configFile, "utf8")).toBe(PLACEHOLDER);
  });
});

describe("offsite doctor", () => {
  it("says of a stack that init has made what is there and what is not", async () => {
    const { stack, env: own, which } = newStack("doctor");
    const key = {
      B2_APPLICATION_KEY_ID: emulator.applicationKeyId,
      B2_APPLICATION_KEY: emulator.applicationKey,
    };
    const env = { ...own, ...key, PULUMI_CONFIG_PASSPHRASE: PASSPHRASE };
    const input = JSON.stringify(answers("doctor"));
    const made = await offsite(["init", ...which, "--answers", "-", "--yes"], env, input);
    expect(made.exitCode, made.all).toBe(0);
    const first = await doctor(which, env);
    expect(first["SSH login"]).toMatchObject({ state: "wrong" });
    // The line that init has shown is the one that helps.
    const line = /^ssh-ed25519 \S+/m.exec(made.all)?.[0] ?? "none";
    expect(first["SSH login"]?.todo).toContain(line);
    expect(first["B2 login"]).toMatchObject({ state: "ok" });
    expect(first.directory).toMatchObject({ state: "ok" });
    appendFileSync(join(sshFolder, "authorized_keys"), `${line}\n`);
    const weak = await weakKey();
    const second = await doctor(which, { ...env, ...weak });
    expect(second["SSH login"]).toMatchObject({ state: "ok" });
    expect(second.root).toMatchObject({ state: "ok" });
    expect(second.clock).toMatchObject({ state: "ok" });
    // The peer has no engine here.
    expect(second.Docker).toMatchObject({ state: "missing" });
    expect(second["B2 login"]?.state).toBe("wrong");
    expect(second["B2 login"]?.found).toMatch(/lacks writeBuckets.*deleteKeys/);
    const wrong = await doctor(which, { ...env, PULUMI_CONFIG_PASSPHRASE: "not it" });
    expect(wrong.passphrase).toMatchObject({ state: "wrong" });
    expect(wrong.settings).toMatchObject({ state: "ok" });
    expect(stack.name).toBe("doctor");
  });

  async function doctor(which: readonly string[], env: Record<string, string>) {
    const { exitCode, all } = await offsite(["doctor", ...which, "--json"], env);
    expect(exitCode).toBe(1);
    const { checks } = JSON.parse(all) as DoctorReport;
    return Object.fromEntries(checks.map((check) => [check.name, check])) as Record<
      string,
      Check | undefined
    >;
  }

  /** A key that may look at files and no more. */
  async function weakKey(): Promise<Record<string, string>> {
    const { applicationKeyId, applicationKey, url: endpoint } = emulator;
    const client = new Client({ applicationKeyId, applicationKey, endpoint });
    try {
      const capabilities = ["listBuckets", "listFiles", "readFiles", "writeFiles"];
      const settings = { keyName: "weak", capabilities, bucketIds: [] };
      const made = await createKey(client, settings, () => Promise.resolve(undefined));
      return {
        B2_APPLICATION_KEY_ID: made.applicationKeyId,
        B2_APPLICATION_KEY: made.applicationKey,
      };
    } finally {
      await client.close();
    }
  }
});

describe("offsite init without a terminal", () => {
  const passphrase = { PULUMI_CONFIG_PASSPHRASE: PASSPHRASE };

  it("names all that is missing with its flag, and changes nothing", async () => {
    const { stack, env, which } = newStack("missing");
    const settings = ["--set", "hub.url=ftp://x", "--set", `hosts.q.key=${qKey}`];
    const { exitCode, all } = await offsite(["init", ...which, ...settings], env);
    expect(exitCode).toBe(2);
    expect(all).toContain('hub.url: got "ftp://x", must be an "http://" or "https://" URL');
    for (const place of [
      ...["drhorrible", "ursula", "raishan", "joker", "lordhenry", "minos"].map(
        (name) => `hosts.${name}.key`,
      ),
      ...["listen", "ssh.host", "ssh.hostKey"].map((name) => `targets.peer.${name}`),
    ]) {
      expect(all).toMatch(
        new RegExp(`^  ${place}: got nothing.* Give it with --set ${place}=…$`, "m"),
      );
    }
    for (const flag of ["--peer-key make", "--yes", "PULUMI_CONFIG_PASSPHRASE_FILE"]) {
      expect(all).toContain(flag);
    }
    expect(all).not.toContain("hosts.q.key:");
    expect(readFileSync(stack.configFile, "utf8")).toBe(PLACEHOLDER);
    expect(readdirSync(join(world.directory, "state"))).not.toContain("missing");
  });

  it("writes from a file what previews cleanly, and has nothing to do the second time", async () => {
    const { stack, env: own, which } = newStack("file");
    const env = {
      ...own,
      ...passphrase,
      B2_APPLICATION_KEY_ID: emulator.applicationKeyId,
      B2_APPLICATION_KEY: emulator.applicationKey,
    };
    const command = ["init", ...which, "--answers", "-", "--yes"];
    const input = JSON.stringify(answers("file"));
    const first = await offsite(command, env, input);
    expect(first.exitCode, first.all).toBe(0);
    await expectPreview(stack, env, first.all);
    const text = readFileSync(stack.configFile, "utf8");
    expect(text).toContain("# yaml-language-server: $schema=config/stack.schema.json\n");
    expect(text).not.toMatch(/<[^<>]+>/);
    const second = await offsite(command, env, input);
    expect(second.exitCode, second.all).toBe(0);
    expect(second.all).toContain("there is nothing to do");
    expect(readFileSync(stack.configFile, "utf8")).toBe(text);
  });

  it("keeps seed, generation and comments when settings are replaced, and asks for that first", async () => {
    const { stack, env: own, which } = newStack("again");
    const env = { ...own, ...passphrase };
    const command = ["init", ...which, "--yes"];
    const first = await offsite(
      [...command, "--answers", "-"],
      env,
      JSON.stringify(answers("again")),
    );
    expect(first.exitCode, first.all).toBe(0);
    const text = readFileSync(stack.configFile, "utf8").replace(
      "sizeGiB: 10",
      "sizeGiB: 10 # with the wiki\n      generation: 4",
    );
    writeFileSync(stack.configFile, text);
    const change = [...command, "--set", "hosts.ursula.sizeGiB=3"];
    const refused = await offsite(change, env);
    expect(refused.exitCode).toBe(2);
    expect(refused.all).toContain("--replace");
    expect(readFileSync(stack.configFile, "utf8")).toBe(text);
    const replaced = await offsite([...change, "--replace"], env);
    expect(replaced.exitCode, replaced.all).toBe(0);
    expect(readFileSync(stack.configFile, "utf8")).toBe(text.replace("sizeGiB: 2", "sizeGiB: 3"));
    const wrong = await offsite(command, { ...own, PULUMI_CONFIG_PASSPHRASE: "not it" });
    expect(wrong.exitCode).toBe(2);
    expect(wrong.all).toContain("is not this stack's");
  });

  it("makes no new seed for a stack that is deployed and has lost its file", async () => {
    const { stack, env: own, which } = newStack("lost");
    const env = { ...own, ...passphrase };
    const type = "pulumi:pulumi:Stack";
    const resource = { urn: `urn:pulumi:lost::fort-offsite::${type}::x`, custom: false, type };
    const state = { version: 3, deployment: { manifest: {}, resources: [resource] } };
    const pulumi = ["stack", "import", "--stack", "lost", "--non-interactive"];
    const cwd = dirname(stack.configFile);
    await execa("pulumi", ["stack", "init", "lost", "--non-interactive"], { cwd, env });
    await execa("pulumi", pulumi, { cwd, env, input: JSON.stringify(state) });
    writeFileSync(stack.configFile, PLACEHOLDER);
    const input = JSON.stringify(answers("lost"));
    const refused = await offsite(["init", ...which, "--answers", "-", "--yes"], env, input);
    expect(refused.exitCode).toBe(2);
    expect(refused.all).toContain("every credential would change");
    expect(readFileSync(stack.configFile, "utf8")).toBe(PLACEHOLDER);
  });

  it("leaves the file as it was when it is killed, and goes on when it is run again", async () => {
    const { stack, env: own, which } = newStack("killed");
    const env = { ...own, ...passphrase };
    const args = [join(PROJECT, "cli/offsite.mjs"), "init", ...which, "--answers", "-", "--yes"];
    const options = {
      env,
      input: JSON.stringify(answers("killed")),
      all: true,
      reject: false,
    } as const;
    for (const step of ["Making the stack", "Setting the secret fort-offsite:sshPrivateKey"]) {
      const killed = execa(process.execPath, args, options);
      killed.all.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes(step)) killed.kill("SIGKILL");
      });
      expect((await killed).signal).toBe("SIGKILL");
      expect(readFileSync(stack.configFile, "utf8")).toBe(PLACEHOLDER);
    }
    const again = await execa(process.execPath, args, options);
    expect(again.exitCode, again.all).toBe(0);
    const names = ["credentialSeed", "hosts", "hub", "seal", "sshPrivateKey", "targets"];
    expect(Object.keys(config(stack)).sort()).toEqual(names.map((key) => `fort-offsite:${key}`));
  });
});
