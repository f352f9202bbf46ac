/**
 * Every `run:` step of the workflows, one after another, in a clone of this repository: a stack is
 * deployed, a good and bad changes are previewed and commented, and the night looks at it. Backblaze is
 * the emulator; the peer is pretended, so that nothing here needs one.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseDocument, stringify } from "yaml";
import { startB2Emulator, type B2Emulator } from "../../sandbox/b2/index.ts";
import { PROJECT, World } from "../../sandbox/world.ts";
import { Client } from "../../sdks/b2/client/client.ts";
import { validConfig } from "../config/valid.ts";
import { ForgeServer } from "../cli/report/forge-server.ts";
import { readWorkflow, runJob, type Contexts, type JobResult } from "../ci/workflow.ts";

const PASSPHRASE = "correct horse battery staple";
const world = new World();
const clone = join(world.folder("runner"), "offsite");
const nix = join(world.directory, "nix.git");
const forge = new ForgeServer();
const executed = new Set<string>();
let emulator: B2Emulator;
let main: string;
let contexts: Contexts;

const git = async (...args: readonly string[]) =>
  (
    await execa("git", ["-c", "user.name=a", "-c", "user.email=a@localhost", ...args], {
      cwd: clone,
    })
  ).stdout;

/** A folder on PATH with one program in it. */
function program(name: string, text: string): string {
  const folder = world.folder(`with-${name}`);
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return folder;
}

async function which(name: string): Promise<string> {
  return (await execa("sh", ["-c", `command -v ${name}`])).stdout;
}

/** Runs a job of a workflow on a commit, as the event of a pull request. */
async function run(workflow: string, job: string, commit: string): Promise<JobResult> {
  await git("checkout", "--quiet", "--force", commit);
  const event = world.file(
    "event.json",
    JSON.stringify({ pull_request: { number: 7, head: { sha: commit } } }),
  );
  const found = readWorkflow(`.github/workflows/${workflow}`).jobs[job];
  if (found === undefined) throw new Error(`There is no job ${job}`);
  const result = await runJob(found, {
    clone,
    scratch: world.folder("scratch"),
    contexts,
    pulumi: join(world.directory, "with-pulumi"),
    env: {
      HOME: process.env.HOME ?? "",
      PATH: `${join(world.directory, "with-npm")}:${process.env.PATH ?? ""}`,
      GITHUB_EVENT_PATH: event,
      GITHUB_API_URL: forge.api,
      GITHUB_REPOSITORY: "family/offsite",
    },
  });
  for (const { name } of result.steps) executed.add(`${workflow} ${job}: ${name}`);
  return result;
}

/** Commits a change of files on a branch of its own. */
async function change(files: Readonly<Record<string, (text: string) => string>>): Promise<string> {
  await git("checkout", "--quiet", "--force", main);
  for (const [file, edit] of Object.entries(files)) {
    const before = readFileSync(join(clone, file), "utf8");
    const after = edit(before);
    if (after === before) throw new Error(`The change leaves ${file} as it is`);
    writeFileSync(join(clone, file), after);
  }
  await git("commit", "--quiet", "--all", "--message", "a change");
  return await git("rev-parse", "HEAD");
}

/** A long line stays one: only what is changed differs. */
const STYLE = { lineWidth: 0 };

/** Edits the stack's settings. */
const settings = (path: readonly string[], value: unknown) => (text: string) => {
  const document = parseDocument(text);
  const [top = "", ...rest] = path;
  document.setIn(["config", `fort-offsite:${top}`, ...rest], value);
  return document.toString(STYLE);
};

const SETTINGS = "Pulumi.ci.yaml";
const comment = () => forge.comments.at(-1)?.body ?? "";
const said = ({ steps }: JobResult) => steps.map(({ output }) => output).join("\n");

beforeAll(async () => {
  emulator = await startB2Emulator({ dataDirectory: world.folder("b2") });
  await forge.start();
  await execa("git", ["clone", "--quiet", PROJECT, clone]);
  await execa("git", ["init", "--quiet", "--bare", "--initial-branch=main", nix]);
  const npm = await which("npm");
  // Each job begins with a clone of its own; here one install serves all.
  program(
    "npm",
    `[ "$1" = ci ] && [ -e node_modules/.package-lock.json ] && exit 0\nexec '${npm}' "$@"`,
  );
  await execa("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: clone,
    env: { PATH: `${join(world.directory, "with-npm")}:${process.env.PATH ?? ""}` },
  });
  for (const name of ["command", "docker", "cloudflare"]) {
    const { version } = JSON.parse(
      readFileSync(join(PROJECT, "node_modules/@pulumi", name, "package.json"), "utf8"),
    ) as { version: string };
    const folder = world.folder("pulumi", "plugins", `resource-${name}-v${version}`);
    symlinkSync(
      join(PROJECT, "sandbox/plugins/pretend/pulumi-resource-pretend"),
      join(folder, `pulumi-resource-${name}`),
    );
  }
  program(
    "pulumi",
    `export NODE_OPTIONS='--import tsx' PULUMI_HOME='${world.folder("pulumi")}' B2_ENDPOINT='${emulator.url}'
export PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true PULUMI_SKIP_UPDATE_CHECK=true
exec '${await which("pulumi")}' "$@"`,
  );
  await seedRepositories();
  const reader = await readKey();
  contexts = {
    "vars.STACK": "ci",
    "vars.TEST_PARTS": "format",
    "vars.PULUMI_BACKEND_URL": `file://${world.folder("state")}`,
    "vars.BUNDLE_REPOSITORY": `file://${nix}`,
    "github.event.pull_request.base.sha": main,
    "github.event.before": "0".repeat(40),
    "github.token": forge.env.GITHUB_TOKEN ?? "",
    "secrets.PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
    "secrets.B2_APPLICATION_KEY_ID": emulator.applicationKeyId,
    "secrets.B2_APPLICATION_KEY": emulator.applicationKey,
    "secrets.B2_READ_KEY_ID": reader.applicationKeyId,
    "secrets.B2_READ_KEY": reader.applicationKey,
  };
}, 600_000);

/** The stack's settings with their secrets on main, and a Nix repository with something in it. */
async function seedRepositories(): Promise<void> {
  await git("checkout", "--quiet", "-B", "main");
  const config = validConfig();
  config.targets = {
    ...(config.targets as object),
    cloud: { type: "b2", bucket: `fort-ci-${world.id}`, endpoint: emulator.url },
  };
  config.hosts = Object.fromEntries(
    Object.entries(config.hosts as object).map(([name, host]) => [
      name,
      { ...(host as object), generation: 1 },
    ]),
  );
  const { credentialSeed, ...open } = config;
  const entries = Object.entries(open).map(
    ([key, value]) => [`fort-offsite:${key}`, value] as const,
  );
  writeFileSync(join(clone, SETTINGS), stringify({ config: Object.fromEntries(entries) }));
  const env = {
    PATH: `${join(world.directory, "with-pulumi")}:${process.env.PATH ?? ""}`,
    PULUMI_BACKEND_URL: `file://${world.folder("state")}`,
    PULUMI_CONFIG_PASSPHRASE: PASSPHRASE,
  };
  const pulumi = async (...args: readonly string[]) =>
    await execa("pulumi", args, { cwd: clone, env });
  await pulumi("stack", "init", "ci", "--no-select");
  await pulumi(
    "config",
    "set",
    "--stack",
    "ci",
    "--secret",
    "fort-offsite:credentialSeed",
    String(credentialSeed),
  );
  // Pulumi has a style of its own.
  const written = readFileSync(join(clone, SETTINGS), "utf8");
  writeFileSync(join(clone, SETTINGS), parseDocument(written).toString(STYLE));
  await git("add", "--force", SETTINGS);
  await git("commit", "--quiet", "--message", "the family's settings");
  main = await git("rev-parse", "HEAD");
  const first = world.folder("nix");
  writeFileSync(join(first, "flake.nix"), "{ }\n");
  const at = { cwd: first };
  await execa("git", ["init", "--quiet", "--initial-branch=main"], at);
  await execa("git", ["add", "."], at);
  await execa(
    "git",
    ["-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "--quiet", "-m", "a"],
    at,
  );
  await execa("git", ["push", "--quiet", nix, "main"], at);
  mkdirSync(join(world.directory, "scratch"), { recursive: true });
}

/** The key that docs/ci.md tells to make for previews and for the night: it reads, and changes nothing. */
async function readKey(): Promise<{ applicationKeyId: string; applicationKey: string }> {
  const { applicationKeyId, applicationKey, url: endpoint } = emulator;
  const client = new Client({ applicationKeyId, applicationKey, endpoint });
  const { accountId } = await client.authorize();
  const capabilities = ["listBuckets", "listKeys", "readBucketEncryption", "readBucketRetentions"];
  return await client.call(
    "b2_create_key",
    { accountId, capabilities, keyName: "ci-reads" },
    { needs: [] },
  );
}

afterAll(async () => {
  await forge.stop();
  await emulator.stop();
  expect(await world.cleanup.run()).toEqual([]);
});

describe("the workflows' steps", () => {
  it("check a pull request", async () => {
    const result = await run("preview.yaml", "check", main);
    expect(said(result)).toMatch(/1 passed, 0 failed/);
    expect(result.failed).toBe(false);
  });

  it("plan and make the first update, and give the bundle back to the Nix repository", async () => {
    const plan = await run("update.yaml", "plan", main);
    expect(said(plan)).toContain("🟢 Safe");
    expect(plan.summary).toContain("created");
    expect(plan.failed).toBe(false);
    const update = await run("update.yaml", "update", main);
    expect(said(update)).toContain("The bundle was pushed to main");
    expect(update.failed).toBe(false);
    const { stdout: files } = await execa("git", [
      "-C",
      nix,
      "ls-tree",
      "-r",
      "--name-only",
      "main",
    ]);
    expect(files.split("\n")).toEqual(
      expect.arrayContaining([
        "flake.nix",
        "secrets/offsite/offsite.json",
        "secrets/offsite/hosts/q.env.age",
      ]),
    );
    expect(said(update)).not.toContain(PASSPHRASE);
  });

  it("preview a good change, in one comment that is updated", async () => {
    const good = await change({ [SETTINGS]: settings(["hosts", "q", "generation"], 2) });
    const first = await run("preview.yaml", "preview", good);
    expect(said(first)).toContain("The comment was created");
    expect(first.failed).toBe(false);
    expect(comment()).toMatch(/### 🟡 Look: credentials turn over/);
    expect(comment()).toContain("The credentials of `q` everywhere: generation 1 to 2");
    expect(comment()).toContain("**Deploy** the hub `ursula`, `q`");
    expect(comment()).toContain(good.slice(0, 10));
    const better = await change({ [SETTINGS]: settings(["hosts", "drhorrible", "sizeGiB"], 6) });
    const second = await run("preview.yaml", "preview", better);
    expect(said(second)).toContain("The comment was updated");
    expect(second.failed).toBe(false);
    expect(forge.comments).toHaveLength(1);
  });

  it("are loud and fail where a change opens the bucket and lets a key delete", async () => {
    const bad = await change({
      "components/b2-target.ts": (text) => text.replace('"allPrivate"', '"allPublic"'),
      "credentials/b2-capabilities.ts": (text) =>
        text.replace('"writeFiles"', '"writeFiles", "deleteFiles"'),
    });
    const result = await run("preview.yaml", "preview", bad);
    expect(result.failed).toBe(true);
    expect(comment()).toMatch(/### 🔴 DANGER/);
    expect(comment()).toContain("not to be merged");
    expect(comment()).toMatch(/allPublic/);
    expect(comment()).toMatch(/deleteFiles/);
    expect(forge.comments).toHaveLength(1);
    const ofFork = await run("preview.yaml", "preview-in-the-sandbox", bad);
    expect(ofFork.failed).toBe(true);
    expect(said(ofFork) + ofFork.summary).toMatch(/🔴 DANGER[^]*allPublic/);
    expect(ofFork.summary).not.toContain("could not be made");
    // What is the same is not told: the seed is none of the change's.
    expect(ofFork.summary).not.toContain("set anew");
  });

  it("are loud and fail where a change takes a target away, or cannot be read at all", async () => {
    const gone = await change({
      [SETTINGS]: (text) => {
        const document = parseDocument(text);
        document.deleteIn(["config", "fort-offsite:targets", "cloud"]);
        return document.toString(STYLE);
      },
    });
    const result = await run("preview.yaml", "preview", gone);
    expect(result.failed).toBe(true);
    expect(comment()).toMatch(/### ❌ FAILED: targets.cloud: is gone/);
    const broken = await change({ "index.ts": (text) => `throw new Error("no");\n${text}` });
    expect((await run("preview.yaml", "preview", broken)).failed).toBe(true);
    expect(comment()).toContain("❌ FAILED");
    expect(forge.comments).toHaveLength(1);
  });

  it("do not take what main got meanwhile for undone", async () => {
    const behind = await change({ [SETTINGS]: settings(["hosts", "q", "sizeGiB"], 11) });
    const ahead = await change({ [SETTINGS]: settings(["hosts", "ursula", "sizeGiB"], 3) });
    const before = contexts;
    contexts = { ...contexts, "github.event.pull_request.base.sha": ahead };
    const result = await run("preview.yaml", "preview", behind);
    contexts = before;
    expect(said(result)).not.toContain("error:");
    expect(comment()).toContain("hosts.q.sizeGiB: 11");
    expect(comment()).not.toContain("hosts.ursula.sizeGiB");
  });

  it("find at night what was changed by hand, and look at the targets all the same", async () => {
    const calm = await run("nightly.yaml", "look", main);
    const [, , drift, verify] = calm.steps;
    expect([drift?.name, drift?.exitCode]).toEqual(["Look for drift", 0]);
    // The peer is not there: that is what it says, after it has looked at the rest.
    expect([verify?.name, verify?.exitCode]).toEqual(["Verify the targets", 1]);
    expect(verify?.output).toMatch(/cloud +│ settings +│ ok/);
    expect(verify?.output).toMatch(/error: peer, login/);
    await openBucket();
    const night = await run("nightly.yaml", "look", main);
    const [, , found, verified] = night.steps;
    expect(found?.exitCode).toBe(1);
    expect(found?.output).toMatch(/was changed by hand: `bucketType`/);
    expect(verified?.output).toMatch(/error: cloud, settings/);
    expect(night.failed).toBe(true);
  });

  it("have all been run", () => {
    const all = ["preview.yaml", "update.yaml", "nightly.yaml"].flatMap((file) =>
      Object.entries(readWorkflow(`.github/workflows/${file}`).jobs).flatMap(([job, { steps }]) =>
        steps
          .filter(({ run: script }) => script !== undefined)
          .map(({ name }) => `${file} ${job}: ${name}`),
      ),
    );
    expect([...executed].sort()).toEqual(all.sort());
  });
});

async function openBucket(): Promise<void> {
  const { applicationKeyId, applicationKey, url: endpoint } = emulator;
  const client = new Client({ applicationKeyId, applicationKey, endpoint });
  const { accountId } = await client.authorize();
  const { buckets } = await client.call<{ buckets: { bucketId: string }[] }>(
    "b2_list_buckets",
    { accountId },
    { needs: [] },
  );
  const [bucket] = buckets;
  await client.call(
    "b2_update_bucket",
    { accountId, bucketId: bucket?.bucketId, bucketType: "allPublic" },
    { needs: [] },
  );
}
