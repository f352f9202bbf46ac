/** `offsite rotate` on a real stack: what it changes, what it leaves alone, what it says. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { unseal } from "../../sandbox/hosts.ts";
import { Client } from "../../sdks/b2/client/client.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { KEY, Terminal } from "./terminal.ts";

let cluster: Cluster;

const settings = () => readFileSync(cluster.stack.configFile, "utf8");
const opened = async (file: string, host: string) => {
  const identity = cluster.hosts.find(({ name }) => name === host)?.identityFile ?? "";
  return await unseal(join(cluster.bundle, file), identity);
};

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"]);
  await cluster.up();
  writeFileSync(
    cluster.stack.configFile,
    settings().replace("    q:\n", "    q: # the big one\n      # and its key\n"),
  );
});

afterAll(async () => {
  expect(await cluster.end()).toEqual([]);
});

/** The keys that there are at B2. */
async function keysAtB2(): Promise<{ keyName: string; applicationKeyId: string }[]> {
  const { applicationKeyId, applicationKey, url: endpoint } = cluster.emulator;
  const client = new Client({ applicationKeyId, applicationKey, endpoint });
  const { accountId } = await client.authorize();
  const body = { accountId, maxKeyCount: 1_000 };
  return (
    await client.call<{ keys: Awaited<ReturnType<typeof keysAtB2>> }>("b2_list_keys", body, {
      needs: [],
    })
  ).keys;
}

/** The names of the resources that the preview in an output would change. */
function named(output: string): string[] {
  const rows = output
    .slice(0, output.indexOf("Updating ("))
    .matchAll(/^ *[-+~]{1,2} +\S+:\S+ +(\S+) +(?:create|update|delete|replace)/gm);
  return [...new Set([...rows].map(([, name = ""]) => name))].sort();
}

describe("offsite rotate", () => {
  it("changes nothing where it may not ask, or does not know whom", async () => {
    const before = settings();
    const asked = await cluster.offsite("rotate", "q");
    expect(asked.exitCode, asked.all).toBe(2);
    expect(asked.stderr).toContain("--yes");
    const unknown = await cluster.offsite("rotate", "nobody", "peer:x", "--yes");
    expect(unknown.exitCode, unknown.all).toBe(2);
    expect(unknown.stderr).toMatch(/"nobody" is neither.*"peer:x" is neither.*cloud, peer/);
    expect(settings()).toBe(before);
  });

  it("turns a host's credentials over, names their resources, and keeps the rest", async () => {
    const before = settings();
    const manifest = readFileSync(join(cluster.bundle, "offsite.json"), "utf8");
    const { all, exitCode } = await cluster.offsite("rotate", "q", "--yes");
    expect(exitCode, all).toBe(0);
    expect(all).toContain("generation 1 to 2");
    expect(all).toMatch(/Deploy ursula and q with the new bundle, in any order/);
    expect(named(all)).toEqual([
      "cloud-restore-q-g2",
      "hosts/q.env",
      "hub-credentials.json",
      "hub.htpasswd",
      "peer-server",
    ]);
    expect(settings()).toBe(
      before.replace("      # and its key\n", "      # and its key\n      generation: 2\n"),
    );
    expect(readFileSync(join(cluster.bundle, "offsite.json"), "utf8")).toBe(manifest);
    await cluster.stack.must(["preview", "--expect-no-changes"]);
  });

  it("goes on with a rotation that was killed in its middle", async () => {
    const text = settings().replace("generation: 2\n", "generation: 3\n");
    writeFileSync(cluster.stack.configFile, text);
    const { all, exitCode } = await cluster.offsite("rotate", "q", "--yes");
    expect(exitCode, all).toBe(0);
    expect(all).toContain("from a rotation that did not end");
    expect(settings()).toBe(text);
  });

  it("changes nothing after a no, and ends a Ctrl-C in the update's middle as Pulumi ends one", async () => {
    const { stack } = cluster;
    const before = settings();
    const args = ["rotate", "q", "--stack", stack.name, "--config-file", stack.configFile];
    const answered = async (work: (terminal: Terminal) => Promise<void> | void) => {
      const terminal = new Terminal(args, stack.env);
      try {
        await terminal.sees("Run this update?");
        await work(terminal);
        return { exitCode: await terminal.end(), screen: terminal.screen };
      } finally {
        terminal.kill();
      }
    };
    const refused = await answered((terminal) => {
      terminal.press("n", KEY.enter);
    });
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(settings()).toBe(before);
    const stopped = await answered(async (terminal) => {
      terminal.press("y", KEY.enter);
      await terminal.sees("Updating (");
      terminal.press(KEY.interrupt);
    });
    expect(stopped.exitCode, stopped.screen).toBe(130);
    expect(stopped.screen).toContain("cancelling");
    expect(stopped.screen).not.toContain("^C received; terminating");
    const { exitCode, all } = await cluster.offsite("rotate", "q", "--yes");
    expect(exitCode, all).toBe(0);
    await stack.must(["preview", "--expect-no-changes"]);
  });

  it("takes its edit back where the preview fails", async () => {
    const before = settings();
    const spoilt = before.replace(
      "      type: b2\n",
      "      type: b2\n      region: us-west-004\n",
    );
    expect(spoilt).not.toBe(before);
    writeFileSync(cluster.stack.configFile, spoilt);
    const { all, exitCode } = await cluster.offsite("rotate", "cloud", "--yes");
    expect(exitCode, all).toBe(1);
    expect(all).toContain("the preview failed: nothing was changed");
    expect(settings()).toBe(spoilt);
    writeFileSync(cluster.stack.configFile, before);
  });

  it("kills every key that a thief may hold, and says what is to be done", async () => {
    const rclone = async () => await opened("rclone.conf.age", "ursula");
    const stolen = [...(await rclone()).matchAll(/^account = (\S+)$/gm)].map(([, id]) => id);
    expect(stolen).toHaveLength(4);
    const { all, exitCode } = await cluster.offsite("rotate", "cloud", "--revoke", "--yes");
    expect(exitCode, all).toBe(0);
    expect(all).toMatch(/Deploy ursula before its next mirror/);
    expect(all).toMatch(/With the keys of cloud a thief could until now/);
    const alive = (await keysAtB2()).map(({ applicationKeyId }) => applicationKeyId);
    expect(alive.filter((id) => stolen.includes(id))).toEqual([]);
    const names = (await keysAtB2()).map(({ keyName }) => keyName);
    expect(names.filter((name) => name.includes("-sync-")).sort()).toEqual([
      expect.stringMatching(/-sync-g3$/),
      expect.stringMatching(/-sync-g4$/),
    ]);
  });

  it("hands out no previous credential after a host was revoked", async () => {
    const { all, exitCode } = await cluster.offsite("rotate", "q", "--revoke", "--yes");
    expect(exitCode, all).toBe(0);
    expect(all).toMatch(/Deploy ursula NOW[^]*Deploy q before the next backup/);
    expect(all).toContain("read q's snapshots");
    expect(await opened("hosts/q.env.age", "q")).toContain("OFFSITE_HUB_PASSWORD_PREVIOUS=\n");
    await cluster.stack.must(["preview", "--expect-no-changes"]);
  });

  it("revokes at the cloud although the peer is away, and at the peer when it is back", async () => {
    const restoreKeys = async () =>
      (await keysAtB2())
        .map(({ keyName }) => keyName)
        .filter((name) => name.includes("-restore-q-"));
    const [stolen] = await restoreKeys();
    const { cloud, peer } = cluster.settings["fort-offsite:targets"] ?? {};
    const away = { ...peer, ssh: { ...(peer?.ssh as object), port: 1 } };
    const written = parse(settings()) as { config: typeof cluster.settings };
    const now = written.config["fort-offsite:targets"]?.cloud ?? cloud;
    cluster.stack.configure({ "fort-offsite:targets": { cloud: now, peer: away } });
    const failed = await cluster.offsite("rotate", "q", "--revoke", "--yes");
    expect(failed.exitCode, failed.all).toBe(1);
    expect(failed.all).toMatch(/may still be accepted where an error is shown.*Deploy ursula NOW/);
    expect(await restoreKeys()).not.toContain(stolen);
    cluster.stack.configure({ "fort-offsite:targets": { cloud: now, peer } });
    const done = await cluster.offsite("rotate", "q", "--revoke", "--yes");
    expect(done.exitCode, done.all).toBe(0);
    expect(done.all).toContain("from a rotation that did not end");
    await cluster.stack.must(["preview", "--expect-no-changes"]);
  });

  it("leaves a state that the next command can read when a key could not be made", async () => {
    cluster.emulator.faults.add({ operation: "create_key", kind: "internal-error", count: null });
    const failed = await cluster.offsite("rotate", "cloud", "--revoke", "--yes");
    cluster.emulator.faults.clear();
    expect(failed.exitCode, failed.all).toBe(1);
    await cluster.stack.must(["preview"]);
    const done = await cluster.offsite("rotate", "cloud", "--revoke", "--yes");
    expect(done.exitCode, done.all).toBe(0);
    await cluster.stack.must(["preview", "--expect-no-changes"]);
  });

  it("shows no secret", async () => {
    const { all } = await cluster.offsite("rotate", "q", "--yes");
    const env = await opened("hosts/q.env.age", "q");
    const secrets = [...env.matchAll(/(?:PASSWORD\w*|_KEY)=(\S+)/g)].map(([, value = ""]) => value);
    expect(secrets.length).toBeGreaterThan(3);
    for (const secret of [...secrets, cluster.seed]) expect(all).not.toContain(secret);
  });
});
