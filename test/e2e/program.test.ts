/** The program under the real engine: what a preview says, what an update writes, what it leaves alone. */
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startB2Emulator, type B2Emulator } from "../../sandbox/b2/index.ts";
import { makeHosts, unseal, type Host } from "../../sandbox/hosts.ts";
import { Stack } from "../../sandbox/stack.ts";
import { PROJECT, World } from "../../sandbox/world.ts";
import { Client } from "../../sdks/b2/client/client.ts";
import { commandPluginOnPath, ensurePrograms } from "../../tools/index.ts";

const world = new World();
const bundle = join(world.directory, "bundle");
let emulator: B2Emulator;
let hosts: Host[];

/** A program on PATH that notes that it was started, and is otherwise the one that it stands for. */
function noticed(name: string, real: string): { folder: string; mark: string } {
  const folder = world.folder(`noticed-${name}`);
  const mark = join(folder, "started");
  writeFileSync(join(folder, name), `#!/bin/sh\n: > '${mark}'\nexec '${real}' "$@"\n`, {
    mode: 0o755,
  });
  return { folder, mark };
}

function newStack(
  name: string,
  config: Record<string, unknown>,
  path = process.env.PATH ?? "",
): Stack {
  return new Stack(world, {
    name: `${name}-${world.id}`,
    config,
    secrets: { "fort-offsite:credentialSeed": randomBytes(32).toString("hex") },
    env: {
      B2_APPLICATION_KEY_ID: emulator.applicationKeyId,
      B2_APPLICATION_KEY: emulator.applicationKey,
      B2_ENDPOINT: emulator.url,
      PATH: path,
    },
    plugins: {
      "resource-command-v1.2.1": join(PROJECT, "sandbox/plugins/command/pulumi-resource-command"),
    },
  });
}

function config(
  change: { names?: string[]; generations?: Record<string, number>; format?: string } = {},
) {
  const { names = ["q", "ursula", "raishan"], generations = {}, format = "age" } = change;
  const chosen = hosts.filter(({ name }) => names.includes(name));
  return {
    "fort-offsite:hub": {
      host: "ursula",
      url: "https://backup.fort.example",
      repositories: "/var/lib/restic-repos",
    },
    "fort-offsite:hosts": Object.fromEntries(
      chosen.map(({ name, key, sizeGiB }) => [
        name,
        { key, sizeGiB, generation: generations[name] ?? 1 },
      ]),
    ),
    "fort-offsite:targets": {
      cloud: { type: "b2", bucket: `fort-test-${world.id}`, endpoint: emulator.url },
    },
    "fort-offsite:seal": { format, directory: bundle, operators: [] },
  };
}

/** Every file of the bundle with its bytes. */
function files(): Map<string, string> {
  if (!existsSync(bundle)) return new Map();
  return new Map(
    readdirSync(bundle, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(join(bundle, name)).isFile())
      .map((name) => [name, readFileSync(join(bundle, name), "base64")]),
  );
}

/** What a preview with --diff would change: `+ name`, `~ name`. */
function changesOf(preview: string): string[] {
  return [...preview.matchAll(/^ *([-+~]{1,2}) \S+: \([^)]*\)\n(?: .*\n)*? *\[urn=\S+::(\S+)\]/gm)]
    .map(([, sign = "", name = ""]) => `${sign} ${name}`)
    .filter((change) => !change.includes("fort-offsite"))
    .sort();
}

function changedFiles(before: ReadonlyMap<string, string>): string[] {
  const after = files();
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => before.get(name) !== after.get(name))
    .sort();
}

beforeAll(async () => {
  emulator = await startB2Emulator({ dataDirectory: world.folder("b2") });
  hosts = await makeHosts(world);
});

afterAll(async () => {
  await emulator.stop();
  expect(await world.cleanup.run()).toEqual([]);
});

describe("a config with ten mistakes", () => {
  it("is answered with ten lines and no resource", async () => {
    const stack = newStack("wrong", {
      "fort-offsite:hub": { host: "Ursula", url: "ftp://x", repositories: "here" },
      "fort-offsite:hosts": { q: { key: "ssh-dss AAAA", sizeGiB: -1 }, locks: 5 },
      "fort-offsite:targets": { cloud: { type: "tape" } },
      "fort-offsite:seal": { format: "zip", directory: "..", surplus: 1 },
    });
    await stack.create();
    const calls = emulator.stats().operations;
    const { output, exitCode } = await stack.run(["preview"]);
    expect(exitCode).not.toBe(0);
    const lines = output.split("\n").map((line) => line.trim());
    const start = lines.findIndex((line) => line.includes("Invalid stack config"));
    const problems = lines
      .slice(start + 1)
      .filter((line) => /^[a-zA-Z0-9.]+: (?:got|is) /.test(line));
    const places = problems.map((line) => line.split(": ")[0]);
    expect(places).toEqual([
      "hosts.locks",
      "hosts.q.key",
      "hosts.q.sizeGiB",
      "hub.host",
      "hub.repositories",
      "hub.url",
      "seal.directory",
      "seal.format",
      "seal.surplus",
      "targets.cloud.type",
    ]);
    expect(output).not.toMatch(/\bat .*\.ts:\d+/);
    expect(emulator.stats().operations).toEqual(calls);
  });
});

describe("an account in another region than the config names", () => {
  it("ends the preview with one clear line, and nothing is made", async () => {
    const stack = newStack("region", {
      ...config(),
      "fort-offsite:targets": {
        cloud: {
          type: "b2",
          bucket: `fort-region-${world.id}`,
          endpoint: emulator.url,
          region: "us-west-004",
        },
      },
    });
    await stack.create();
    const { output, exitCode } = await stack.run(["preview"]);
    expect(exitCode).not.toBe(0);
    expect(output).toContain('targets.cloud.region: got "us-west-004", but the account keeps');
    expect(emulator.stats().operations.b2_create_bucket ?? 0).toBe(0);
  });
});

describe("the bundle on disk", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = newStack("bundle", config());
    await stack.create();
    await stack.must(["up", "--yes", "--skip-preview"]);
  });

  it("is sealed so that each machine can open its own files and no other's", async () => {
    const [q, raishan] = ["q", "raishan"].map((name) => hosts.find((host) => host.name === name));
    const file = join(bundle, "hosts", "q.env.age");
    expect(await unseal(file, q?.identityFile ?? "")).toContain("RESTIC_REST_USERNAME=q\n");
    await expect(unseal(file, raishan?.identityFile ?? "")).rejects.toThrow();
    await expect(unseal(join(bundle, "rclone.conf.age"), q?.identityFile ?? "")).rejects.toThrow();
  });

  it("keeps its bytes when nothing changed", async () => {
    const before = files();
    await stack.must(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
    expect(changedFiles(before)).toEqual([]);
  });

  it("is written again where somebody deleted or edited a file, and nowhere else", async () => {
    const before = files();
    rmSync(join(bundle, "hosts/q.env.age"));
    writeFileSync(join(bundle, "secrets.nix"), "{ }");
    appendFileSync(join(bundle, "rclone.conf.age"), "one byte more");
    const preview = await stack.must(["preview", "--diff"]);
    expect(preview).toContain(
      "hosts/q.env.age was deleted since the last update that came to its end: `pulumi up` writes it again",
    );
    expect(preview).toContain("secrets.nix was changed since the last update");
    expect(preview).toMatch(/~ 3 to update/);
    stack.configure({ "fort-offsite:lookForDrift": false });
    await stack.must(["preview", "--expect-no-changes"]);
    stack.configure({ "fort-offsite:lookForDrift": true });
    await stack.must(["up", "--yes", "--skip-preview"]);
    expect(readFileSync(join(bundle, "secrets.nix"), "base64")).toBe(before.get("secrets.nix"));
    expect(changedFiles(before)).toEqual(["hosts/q.env.age", "rclone.conf.age"]);
    await stack.must(["preview", "--expect-no-changes"]);
    // What took the place of a file, or of the hosts' directory, makes way.
    for (const name of ["rclone.conf.age", "offsite.json", "hosts"]) {
      rmSync(join(bundle, name), { recursive: true });
    }
    mkdirSync(join(bundle, "rclone.conf.age"));
    symlinkSync(world.directory, join(bundle, "offsite.json"));
    writeFileSync(join(bundle, "hosts"), "");
    await stack.must(["up", "--yes", "--skip-preview"]);
    await stack.must(["preview", "--expect-no-changes"]);
    expect([...files().keys()].sort()).toEqual([...before.keys()].sort());
    // The same once more: what was repaired before is no reason to overlook it.
    rmSync(bundle, { recursive: true });
    expect(await stack.must(["up", "--yes", "--skip-preview"])).toMatch(/\d+ files of .* were/);
    expect([...files().keys()].sort()).toEqual([...before.keys()].sort());
    await stack.must(["preview", "--expect-no-changes"]);
  });

  it("is not touched by a generation that goes down, skips, or is nobody's", async () => {
    const before = files();
    const calls = emulator.stats().operations;
    stack.configure(config({ generations: { q: 3 } }));
    const skipped = await stack.run(["up", "--yes", "--skip-preview"]);
    expect(skipped.exitCode).not.toBe(0);
    expect(skipped.output).toContain("hosts.q.generation: got 3, which skips some after 1");
    stack.configure({
      ...config(),
      "fort-offsite:hosts": { ...config()["fort-offsite:hosts"], nobody: { generation: 2 } },
    });
    const nobody = await stack.run(["up", "--yes", "--skip-preview"]);
    expect(nobody.output).toContain("hosts.nobody.key: got nothing");
    expect(emulator.stats().operations).toEqual(calls);
    expect(changedFiles(before)).toEqual([]);
    stack.configure(config());
  });

  it("changes, when a host is rotated, where that host's credentials are", async () => {
    const before = files();
    stack.configure(config({ generations: { q: 2 } }));
    const preview = await stack.must(["preview", "--diff"]);
    expect(preview).toContain("hosts/q.env");
    expect(preview).not.toContain("hosts/raishan.env");
    expect(changesOf(preview)).toEqual(["+ cloud-restore-q-g2", "~ hosts/q.env", "~ hub.htpasswd"]);
    await stack.must(["up", "--yes", "--skip-preview"]);
    expect(changedFiles(before)).toEqual(["hosts/q.env.age", "hub.htpasswd.age"]);
    stack.configure(config());
    const { output } = await stack.run(["preview"]);
    expect(output).toContain("hosts.q.generation: got 1, which goes down from 2");
    stack.configure(config({ generations: { q: 2 } }));
  });

  it("is followed by the cloud: what was changed there by hand is seen and put right", async () => {
    const { applicationKeyId, applicationKey, url: endpoint } = emulator;
    const client = new Client({ applicationKeyId, applicationKey, endpoint });
    const { accountId } = await client.authorize();
    const call = async <T>(operation: string, body: object) =>
      await client.call<T>(operation, body, { needs: [] });
    const { buckets } = await call<{ buckets: { bucketId: string }[] }>("b2_list_buckets", {
      accountId,
    });
    await call("b2_update_bucket", {
      ...{ accountId, bucketId: buckets[0]?.bucketId, bucketType: "allPublic" },
      lifecycleRules: [{ fileNamePrefix: "", daysFromHidingToDeleting: 1 }],
      defaultServerSideEncryption: { mode: null },
    });
    const { keys } = await call<{ keys: { applicationKeyId: string; keyName: string }[] }>(
      "b2_list_keys",
      { accountId, maxKeyCount: 1000 },
    );
    const sync = keys.find(({ keyName }) => keyName.endsWith("-sync-g1"));
    await call("b2_delete_key", { applicationKeyId: sync?.applicationKeyId });
    await stack.must(["preview", "--expect-no-changes"]);
    const before = files();
    const seen = await stack.must(["preview", "--refresh", "--diff"]);
    expect(seen).toMatch(/bucketType *: "allPublic" => "allPrivate"/);
    expect(seen).toMatch(/daysFromHidingToDeleting *: 1 *=> 30/);
    expect(seen).toContain("cloud-sync-g1");
    await stack.must(["up", "--refresh", "--yes", "--skip-preview"]);
    expect(changedFiles(before)).toEqual(["rclone.conf.age"]);
    await stack.must(["preview", "--refresh", "--expect-no-changes"]);
    const repaired = await call<{ buckets: object[] }>("b2_list_buckets", { accountId });
    expect(repaired.buckets[0]).toMatchObject({
      bucketType: "allPrivate",
      lifecycleRules: [{ daysFromHidingToDeleting: 30 }],
      defaultServerSideEncryption: { value: { mode: "SSE-B2" } },
    });
  });

  it("loses the file of a host that is removed, and gains it back", async () => {
    stack.configure(config({ names: ["q", "ursula"], generations: { q: 2 } }));
    await stack.must(["up", "--yes", "--skip-preview"]);
    expect(existsSync(join(bundle, "hosts/raishan.env.age"))).toBe(false);
    expect(existsSync(join(bundle, "hosts/q.env.age"))).toBe(true);
    stack.configure(config({ generations: { q: 2 } }));
    await stack.must(["up", "--yes", "--skip-preview"]);
    expect(existsSync(join(bundle, "hosts/raishan.env.age"))).toBe(true);
  });

  it("moves from one format to another and leaves nothing of the first", async () => {
    stack.configure(config({ generations: { q: 2 }, format: "plain" }));
    await stack.must(["up", "--yes", "--skip-preview"]);
    expect([...files().keys()].filter((name) => name.endsWith(".age"))).toEqual([]);
    expect(statSync(join(bundle, "rclone.conf")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(bundle, "hosts/q.env"), "utf8")).toContain("RESTIC_REST_USERNAME=q\n");
    expect(await stack.must(["preview", "--expect-no-changes"])).toContain("unchanged");
  });

  it("can be sealed by sops and opened with a host's key", async () => {
    stack.configure(config({ generations: { q: 2 }, format: "sops" }));
    await stack.must(["up", "--yes", "--skip-preview"]);
    // A host with an SSH key, and one with an age key: sops-nix opens both with an age key.
    const raishan = hosts.find(({ name }) => name === "raishan");
    expect(raishan?.key).toMatch(/^age1/);
    const { stdout } = await execa(
      "sops",
      [
        "--config",
        "/dev/null",
        "--decrypt",
        "--input-type",
        "binary",
        "--output-type",
        "binary",
        join(bundle, "hosts/raishan.env.sops"),
      ],
      {
        env: {
          SOPS_AGE_KEY_FILE: raishan?.identityFile ?? "",
        },
        reject: false,
      },
    );
    expect(stdout).toContain("RESTIC_REST_USERNAME=raishan\n");
  });

  it("is not written where somebody else's files are", async () => {
    const directory = world.folder("someone-elses");
    writeFileSync(join(directory, "secrets.nix"), "precious");
    stack.configure({
      ...config({ generations: { q: 2 } }),
      "fort-offsite:seal": { format: "age", directory, operators: [] },
    });
    const { output, exitCode } = await stack.run(["up", "--yes", "--skip-preview"]);
    expect(exitCode).not.toBe(0);
    expect(output).toContain(`${directory} has files that fort-offsite did not write`);
    expect(readdirSync(directory)).toEqual(["secrets.nix"]);
    expect(readFileSync(join(directory, "secrets.nix"), "utf8")).toBe("precious");
    stack.configure(config({ generations: { q: 2 } }));
    await stack.must(["up", "--yes", "--skip-preview"]);
    expect(existsSync(join(bundle, "hosts/q.env.age"))).toBe(true);
  });

  it("survives another spelling of its directory", async () => {
    const before = files();
    stack.configure({
      ...config({ generations: { q: 2 } }),
      "fort-offsite:seal": { format: "age", directory: `${bundle}/../bundle/`, operators: [] },
    });
    await stack.must(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
    expect(changedFiles(before)).toEqual([]);
  });

  it("goes with the stack, while the bucket with the backups stays", async () => {
    const refused = await stack.run(["destroy", "--yes", "--skip-preview"]);
    expect(refused.exitCode).not.toBe(0);
    expect(refused.output).toMatch(/cloud-bucket.* is protected|protected.*cloud-bucket/s);
    await stack.unprotect();
    await stack.must(["destroy", "--yes", "--skip-preview"]);
    expect([...files().keys()]).toEqual([]);
    expect(emulator.stats().operations.b2_delete_bucket ?? 0).toBe(0);
  });
});

describe("official plugins on PATH", () => {
  it("are used in the place of what the sandbox brings", async () => {
    const programs = await ensurePrograms(["pulumi-language-nodejs"]);
    const official = await commandPluginOnPath();
    const command = noticed(
      "pulumi-resource-command",
      official ?? join(PROJECT, "sandbox/plugins/command/pulumi-resource-command"),
    );
    const language = noticed(
      "pulumi-language-nodejs",
      programs.get("pulumi-language-nodejs")?.path ?? "",
    );
    const path = `${command.folder}:${language.folder}:${process.env.PATH ?? ""}`;
    const stack = newStack("official", config({ format: "plain" }), path);
    await stack.create();
    stack.configure({
      "fort-offsite:targets": {
        cloud: { type: "b2", bucket: `fort-other-${world.id}`, endpoint: emulator.url },
      },
    });
    await stack.must(["up", "--yes", "--skip-preview"]);
    expect(existsSync(command.mark)).toBe(true);
    expect(existsSync(language.mark)).toBe(true);
    await stack.unprotect();
    await stack.must(["destroy", "--yes", "--skip-preview"]);
  });
});
