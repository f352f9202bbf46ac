/** `offsite verify` against targets that are as they must be, and against what was done to them by hand. */
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyReportSchema, type VerifyReport } from "../../cli/verify/report.ts";
import { derivePassword } from "../../credentials/derive.ts";
import { parseEnv, restic, unseal } from "../../sandbox/hosts.ts";
import { newSshKey, publicKey } from "../../sandbox/peer.ts";
import type { Hub } from "../../sandbox/hub.ts";
import { freePort, PROJECT, waitFor } from "../../sandbox/world.ts";
import { updateBucket } from "../../sdks/b2/client/buckets.ts";
import { Client } from "../../sdks/b2/client/client.ts";
import { createKey, deleteKey, listKeys } from "../../sdks/b2/client/keys.ts";
import type { CommandResult } from "../../sandbox/stack.ts";
import type { FileVersion } from "../../hub/targets/b2-account.ts";
import type { Bucket, NewKey } from "../../sdks/b2/client/types.ts";
import { startCluster, type Cluster } from "./cluster.ts";

let cluster: Cluster;
let hub: Hub;
/** The operator's own, for what is done by hand. */
let b2: Client;
/** All that the command has said. */
let transcript = "";

beforeAll(async () => {
  cluster = await startCluster(["ursula", "q"]);
  await cluster.up();
  hub = await cluster.openHub();
  await hub.serve();
  const { applicationKeyId, applicationKey, url: endpoint } = cluster.emulator;
  b2 = new Client({ applicationKeyId, applicationKey, endpoint });
});

afterAll(async () => {
  await b2.close();
  expect(await cluster.end()).toEqual([]);
});

async function verify(...args: readonly string[]): Promise<CommandResult> {
  const result = await cluster.offsite("verify", ...args);
  transcript += result.all;
  return result;
}

/** The report, and what failed as lines of `<check>: <error>`. */
async function report(target: string): Promise<{ report: VerifyReport; errors: string }> {
  const { exitCode, stdout } = await verify(target, "--json");
  const parsed = verifyReportSchema.parse(JSON.parse(stdout));
  const checks = Object.values(parsed.targets).flatMap(({ checks: all }) => all);
  const errors = checks.flatMap(({ name, errors: lines }) =>
    lines.map((line) => `${name}: ${line}`),
  );
  expect(exitCode).toBe(errors.length === 0 ? 0 : 1);
  expect(parsed.ok).toBe(errors.length === 0);
  return { report: parsed, errors: errors.join("\n") };
}

/** Changes a target's settings, without an update, for as long as something is tried. */
async function withSettings<T>(
  target: string,
  change: Record<string, unknown>,
  action: () => Promise<T>,
): Promise<T> {
  const all = cluster.settings["fort-offsite:targets"] ?? {};
  const changed = { ...all, [target]: { ...all[target], ...change } };
  cluster.stack.configure({ "fort-offsite:targets": changed });
  try {
    return await action();
  } finally {
    cluster.stack.configure(cluster.settings);
  }
}

async function call<Answer>(operation: string, body: object): Promise<Answer> {
  return await b2.call<Answer>(operation, body, { needs: [] });
}

async function theBucket(): Promise<Bucket> {
  const all = { accountId: undefined };
  const [bucket] = (await call<{ buckets: Bucket[] }>("b2_list_buckets", all)).buckets;
  if (bucket === undefined) throw new Error("There is no bucket");
  return bucket;
}

async function makeKey(
  keyName: string,
  capabilities: string[],
  buckets: string[],
): Promise<NewKey> {
  const settings = { keyName, capabilities, bucketIds: buckets };
  return await createKey(b2, settings, () => Promise.reject(new Error("lost")));
}

const SYNC = ["listBuckets", "listFiles", "readFiles", "writeFiles"];

describe("targets that are as they must be", () => {
  test("are, before the first mirror too, which is worth a notice", async () => {
    const result = await verify();
    expect(result.stderr).toMatch(/notice: cloud, snapshots: no snapshot of q, ursula/);
    expect(result.stderr).toMatch(/notice: peer, snapshots: no snapshot of q, ursula/);
    expect(result.stderr).not.toMatch(/^error/m);
    expect(result.exitCode).toBe(0);
  });

  test("are told with every host's newest snapshot and its age", async () => {
    for (const host of cluster.hosts) {
      const file = join(cluster.bundle, "hosts", `${host.name}.env.age`);
      const env = parseEnv(await unseal(file, host.identityFile));
      await restic(cluster.world, host, env, ["init", "--quiet"]);
      await restic(cluster.world, host, env, ["backup", "--quiet", "."], { cwd: host.data });
    }
    await hub.run("mirror");
    const { stdout, stderr, exitCode } = await verify();
    expect(stderr).not.toMatch(/^error/m);
    expect(exitCode).toBe(0);
    for (const target of ["cloud", "peer"]) {
      expect(stdout).toMatch(new RegExp(`${target} +│ append-only +│ ok`));
      expect(stdout).toMatch(new RegExp(`${target} +│ q +│ 1 .*UTC \\([0-9]+ min ago\\)`));
    }
  });

  test("are judged by what is in force, and are not once a snapshot is too old", async () => {
    const hosts = cluster.settings["fort-offsite:hosts"] ?? {};
    cluster.stack.configure({
      "fort-offsite:hosts": { ...hosts, q: { ...hosts.q, generation: 2 } },
    });
    const { exitCode, stdout, stderr } = await verify("--json", "--max-age", "0.000001");
    cluster.stack.configure(cluster.settings);
    expect(exitCode).toBe(1);
    const { notices, targets } = verifyReportSchema.parse(JSON.parse(stdout));
    expect(notices.join()).toMatch(/q: the settings say generation 2, and 1 is in force/);
    for (const target of [targets.cloud, targets.peer]) {
      const failed = target?.checks.filter(({ state }) => state === "failed");
      expect(failed?.map(({ name }) => name)).toEqual(["snapshots"]);
      expect(target?.hosts.q).toMatchObject({ snapshots: 1 });
    }
    expect(targets.peer?.usedBytes).toBeGreaterThan(0);
    expect(stderr).toMatch(/error: cloud, snapshots: the newest snapshot of q arrived/);
  });
});

describe("wrong use", () => {
  test("ends with 2 and what is allowed", async () => {
    const unknown = await verify("nowhere");
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toMatch(/no such target: "nowhere". The stack has: cloud, peer/);
    expect((await verify("--max-age", "soon")).exitCode).toBe(2);
  });
});

describe("at the peer, by hand", () => {
  const container = async () =>
    await cluster.docker(
      "ps",
      "--quiet",
      "--filter",
      `label=com.docker.compose.project=${cluster.project}`,
    );

  test("a server that lets backups be removed, and others be read, is found", async () => {
    const id = await container();
    const image = await cluster.docker("inspect", "--format", "{{.Image}}", id);
    const folder = join(cluster.world.directory, "peer");
    const listen = String(cluster.settings["fort-offsite:targets"]?.peer?.listen);
    await cluster.docker("stop", id);
    const wrong = await cluster.docker(
      ...["run", "--detach", "--network", "host", "--user", "65532:65532"],
      ...["--volume", `${folder}/repositories:/data`],
      ...["--volume", `${folder}/server/auth:/etc/rest-server:ro`],
      ...["--entrypoint", "/usr/bin/rest-server", image],
      ...["--path=/data", "--htpasswd-file=/etc/rest-server/htpasswd", `--listen=${listen}`],
    );
    try {
      await waitFor("The wrong server's start", async () => {
        return await fetch(`http://${listen}/`).then(
          () => true,
          () => false,
        );
      });
      const { errors } = await report("peer");
      expect(errors).toMatch(/append-only: q, ursula: the server let the canary's data be removed/);
      expect(errors).toMatch(/append-only: .*can read what belongs to .*private-repos/);
      expect(errors).toMatch(/^server: /m);
    } finally {
      await cluster.docker("rm", "--force", wrong);
      await cluster.docker("start", id);
    }
  });

  test("a server that is down, and one that has hardly any room left, are found", async () => {
    const id = await container();
    await cluster.docker("stop", id);
    const full = { maxSizeGiB: 0.0001 };
    const { errors, report: found } = await withSettings("peer", full, () => report("peer"));
    await cluster.docker("start", id);
    expect(errors).toMatch(/^server: .*(stopped|not running)/m);
    expect(errors).toMatch(/^reachable: .* gives no answer/m);
    expect(errors).toMatch(/^space: the server is full: .*offsite prune/m);
    // What can be seen all the same is told.
    expect(found.targets.peer?.hosts.q?.snapshots).toBe(1);
  });

  test("another host key is found, with both fingerprints", async () => {
    const file = await newSshKey(join(cluster.world.directory, "another"), "another", "ecdsa");
    const ssh = cluster.settings["fort-offsite:targets"]?.peer?.ssh as Record<string, unknown>;
    const other = { ssh: { ...ssh, hostKey: publicKey(file) } };
    const { errors } = await withSettings("peer", other, () => report("peer"));
    expect(errors).toMatch(/^login: .*another host key.*SHA256:\S+ and not SHA256:/m);
  });

  test("a peer that lets nobody in any more is found", async () => {
    const ssh = cluster.settings["fort-offsite:targets"]?.peer?.ssh as Record<string, unknown>;
    const gone = { ssh: { ...ssh, port: await freePort() } };
    const { errors } = await withSettings("peer", gone, () => report("peer"));
    expect(errors).toMatch(/^login: .*cannot be reached/m);
  });
});

describe("at the cloud, by hand", () => {
  test("strangers' keys and hidden snapshots are found; keys only until they are known", async () => {
    const { bucketId } = await theBucket();
    const stranger = await makeKey("laptop", ["listFiles", "deleteFiles"], [bucketId]);
    const everywhere = await makeKey("everything", ["listBuckets", "readFiles"], []);
    const prefix = "q/snapshots/";
    const all = { bucketId, prefix };
    const { files } = await call<{ files: FileVersion[] }>("b2_list_file_names", all);
    const hidden: FileVersion[] = [];
    for (const { fileName } of files) {
      hidden.push(await call<FileVersion>("b2_hide_file", { bucketId, fileName }));
    }
    const { errors } = await report("cloud");
    expect(errors.split("\n").sort()).toEqual([
      expect.stringMatching(/^snapshots: all snapshots of q there are hidden/),
      expect.stringMatching(/^strangers: the key "everything" .*may listBuckets, readFiles/),
      expect.stringMatching(/^strangers: the key "laptop" .*may listFiles, deleteFiles/),
    ]);
    for (const { fileName, fileId } of hidden) {
      await call("b2_delete_file_version", { fileName, fileId });
    }
    const keys = [stranger, everywhere].map((key) => key.applicationKeyId);
    const known = await verify("cloud", ...keys.flatMap((id) => ["--known-key", id]));
    expect(known.exitCode).toBe(0);
    for (const id of keys) await deleteKey(b2, id);
  });

  test("settings that were changed are found, one by one", async () => {
    const { bucketId, revision } = await theBucket();
    await updateBucket(b2, bucketId, revision, {
      bucketType: "allPublic",
      lifecycleRules: [
        { fileNamePrefix: "q/", daysFromHidingToDeleting: 1 },
        { fileNamePrefix: "ursula/", daysFromHidingToDeleting: 90 },
      ],
    });
    const { errors } = await report("cloud");
    expect(errors).toMatch(/settings: .*is of type allPublic/);
    expect(errors).toMatch(/settings: .*"q\/" after 1 days instead of 30/);
    expect(errors).toMatch(
      /settings: .*does not set: files that begin with "ursula\/" deleted when hidden for 90 days/,
    );
    expect(errors).toMatch(/append-only: anybody can read the bucket/);
    // A rotation with it, of which the next tests see what it leaves.
    for (const [key, name] of [
      ["fort-offsite:targets", "cloud"],
      ["fort-offsite:hosts", "q"],
    ] as const) {
      const all = cluster.settings[key] ?? {};
      cluster.settings[key] = { ...all, [name]: { ...all[name], generation: 2 } };
    }
    cluster.stack.configure(cluster.settings);
    await cluster.stack.must(["up", "--yes", "--skip-preview", "--refresh"]);
  });

  test("a key that is gone, and one in its place that can delete, are found", async () => {
    const { bucketId } = await theBucket();
    const sync = (await listKeys(b2)).find(({ keyName }) => keyName.endsWith("-sync-g1"));
    if (sync === undefined) throw new Error("There is no sync key");
    await deleteKey(b2, sync.applicationKeyId);
    const wrong = await makeKey(sync.keyName, [...SYNC, "deleteFiles"], [bucketId]);
    const gone = await report("cloud");
    expect(gone.errors).toMatch(/^keys: .*sync-g1" \(\S+\) is refused: it was deleted/m);
    expect(gone.errors).toMatch(/^strangers: .*sync-g1" \(\S+\) has a name like the stack's own/m);
    // What the last test broke, the way out that was named has put right; and the rotation is well.
    expect(gone.errors.split("\n")).toHaveLength(2);
    // Now as if the stack had made it.
    const state = await cluster.stack.must(["stack", "export", "--show-secrets"]);
    const id = sync.applicationKeyId;
    await cluster.stack.must(
      ["stack", "import"],
      state
        .replaceAll(id, wrong.applicationKeyId)
        .replaceAll(secretOf(id, state), wrong.applicationKey),
    );
    const { errors } = await report("cloud");
    expect(errors).toMatch(/^keys: .*sync-g1".* may do more than it must: deleteFiles/m);
    expect(errors).toMatch(/^append-only: .*sync-g1".* could delete the canary/m);
    expect(transcript).not.toContain(wrong.applicationKey);
  });
});

/** A key's secret in the exported state. */
function secretOf(id: string, state: string): string {
  const resource = new RegExp(`"applicationKeyId": "${id}"[^]*?\\}`);
  const plaintext = (text: string) => /"plaintext": "\\"([^"\\]+)\\""/.exec(text)?.[1];
  const { deployment } = JSON.parse(state) as { deployment: { resources: object[] } };
  const found = deployment.resources.map((each) => JSON.stringify(each, null, 1));
  const secret = found.filter((each) => resource.test(each)).map(plaintext)[0];
  if (secret === undefined) throw new Error("The state has no such key");
  return secret;
}

describe("whatever is found", () => {
  test("Ctrl-C ends it at once, with 130, and leaves nothing behind", async () => {
    const { stack } = cluster;
    const which = ["--stack", stack.name, "--config-file", stack.configFile];
    const args = [join(PROJECT, "cli", "offsite.mjs"), "verify", ...which];
    const options = { cwd: PROJECT, env: stack.env, stdin: "ignore", reject: false } as const;
    const command = execa(process.execPath, args, options);
    for await (const line of command.iterable({ from: "stderr" })) {
      // It does not end before what it has begun is ended.
      if (line.startsWith("Looking at")) command.kill("SIGINT");
    }
    const { exitCode, stdout } = await command;
    expect(exitCode).toBe(130);
    expect(stdout).toBe("");
    const prefix = `fort-offsite-ssh-${command.pid ?? 0}-`;
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(prefix))).toEqual([]);
  });

  test("one target that cannot be reached hides nothing of the other", async () => {
    await cluster.emulator.stop();
    const { exitCode, stdout, stderr } = await verify("--json");
    const { targets } = verifyReportSchema.parse(JSON.parse(stdout));
    expect(exitCode).toBe(1);
    expect(targets.peer?.ok).toBe(true);
    expect(targets.cloud?.ok).toBe(false);
    expect(stderr).toMatch(/error: cloud, account: No answer from/);
  });

  test("shows no secret", () => {
    const { seed, stack, emulator, hosts } = cluster;
    const passwords = hosts.flatMap(({ name: host }) =>
      [1, 2, 3].map((generation) =>
        derivePassword(seed, { at: "target", target: "peer", host }, generation),
      ),
    );
    const inState = readFileSync(hub.rcloneFile, "utf8").match(/(?<=key = ).+/g) ?? [];
    expect(inState.length).toBeGreaterThan(3);
    for (const secret of [...stack.secrets, emulator.applicationKey, ...passwords, ...inState]) {
      expect(transcript).not.toContain(secret);
    }
  });
});
