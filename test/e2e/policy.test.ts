/**
 * The policies over what the real engine says of this program, and in the engine itself. The old
 * language host of closed machines cannot start a pack of its own runtime; under a runtime that it
 * does not know, the engine asks for a program, which does what a new language host does.
 */
import { randomBytes } from "node:crypto";
import { symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { judge } from "../../policy/judge.ts";
import { resourcesOf } from "../../policy/preview.ts";
import { startB2Emulator, type B2Emulator } from "../../sandbox/b2/index.ts";
import { makeHosts } from "../../sandbox/hosts.ts";
import { Stack } from "../../sandbox/stack.ts";
import { PROJECT, World } from "../../sandbox/world.ts";

const RUNTIME = "offsitetest";
const HOST_KEY =
  "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBM2lBkUBM9wpDNkwkcesUOQjmHPJezE73pzArI86TdqYVbLD90hQlcEB77efaHUtR185hy4hhn2pJeCJMzX6tuQ=";

const world = new World();
let emulator: B2Emulator;
let stack: Stack;
/** The preview of the good stack. */
let good: Preview;
let settings: Record<string, unknown>;
let peer: Record<string, unknown>;
let cloud: Record<string, unknown>;

/** The pack as the engine takes it: its own files, under a runtime that the test provides. */
const pack = world.folder("pack");
const shim = world.folder("shim");

function packUnderTest(): void {
  writeFileSync(join(pack, "PulumiPolicy.yaml"), `runtime: ${RUNTIME}\n`);
  for (const name of ["package.json", "main.cjs"]) {
    symlinkSync(join(PROJECT, "policy", name), join(pack, name));
  }
  // As Pulumi's language host of Node.js starts a pack: in the pack's folder, with two arguments.
  const start = join(PROJECT, "node_modules/@pulumi/pulumi/cmd/run-policy-pack");
  writeFileSync(
    join(shim, `pulumi-analyzer-policy-${RUNTIME}`),
    `#!/bin/sh\nNODE_OPTIONS= exec '${process.execPath}' '${start}' "$1" '${pack}'\n`,
    { mode: 0o755 },
  );
}

const targets = (change: { cloud?: object; peer?: object } = {}) => ({
  ...settings,
  "fort-offsite:targets": {
    cloud: { ...cloud, ...change.cloud },
    peer: { ...peer, ...change.peer },
  },
});

async function preview(...args: string[]): Promise<Preview> {
  const output = await stack.must(["preview", "--json", ...args]);
  return JSON.parse(output.slice(output.indexOf("{"))) as Preview;
}

interface Preview {
  steps: { newState: { urn: string; inputs: Record<string, unknown> } }[];
}

/** What is told, as `severity rule subject`. */
function told(found: unknown): string[] {
  return judge(resourcesOf(found)).map(
    ({ severity, rule, subject }) => `${severity} ${rule} ${subject}`,
  );
}

beforeAll(async () => {
  packUnderTest();
  emulator = await startB2Emulator({ dataDirectory: world.folder("b2") });
  const hosts = (await makeHosts(world)).filter(({ name }) => ["q", "ursula"].includes(name));
  settings = {
    "fort-offsite:hub": {
      host: "ursula",
      url: "https://backup.fort.example",
      repositories: "/var/lib/restic-repos",
    },
    "fort-offsite:hosts": Object.fromEntries(
      hosts.map(({ name, key, sizeGiB }) => [name, { key, sizeGiB }]),
    ),
    "fort-offsite:lookForDrift": false,
    "fort-offsite:seal": {
      format: "age",
      directory: join(world.directory, "bundle"),
      operators: [],
    },
  };
  cloud = { type: "b2", bucket: `fort-test-${world.id}`, endpoint: emulator.url };
  peer = {
    type: "rest-server",
    ssh: { host: "100.64.0.9", hostKey: HOST_KEY },
    listen: "100.64.0.9:8000",
    dataDir: "/srv/fort-offsite",
    maxSizeGiB: 200,
  };
  stack = new Stack(world, {
    name: `policy-${world.id}`,
    config: { ...settings, "fort-offsite:targets": { cloud } },
    secrets: { "fort-offsite:credentialSeed": randomBytes(32).toString("hex") },
    env: {
      B2_APPLICATION_KEY_ID: emulator.applicationKeyId,
      B2_APPLICATION_KEY: emulator.applicationKey,
      B2_ENDPOINT: emulator.url,
      NODE_OPTIONS: "--import tsx",
      PATH: `${shim}${delimiter}${process.env.PATH ?? ""}`,
    },
    plugins: {
      "resource-command-v1.2.1": join(PROJECT, "sandbox/plugins/command/pulumi-resource-command"),
    },
  });
  await stack.create();
});

afterAll(async () => {
  await emulator.stop();
  expect(await world.cleanup.run()).toEqual([]);
});

describe("a stack with a cloud and a peer", () => {
  it("is let through, by the rules over its preview and by the engine with the pack", async () => {
    stack.configure(targets());
    good = await preview();
    expect(told(good)).toEqual([]);
    // Enough was seen: what is judged is there.
    expect(resourcesOf(good).length).toBeGreaterThan(10);
    const { output, exitCode } = await stack.run(["preview", "--policy-pack", pack]);
    expect(output).toContain("✅ fort-offsite@v");
    expect(output).not.toMatch(/\[(?:mandatory|advisory)\]/);
    expect(exitCode).toBe(0);
  });

  it("is told what an edit of the preview's resources would break", () => {
    const found = structuredClone(good);
    const inputsOf = (name: string) => {
      const state = found.steps.find(({ newState }) => newState.urn.endsWith(`::${name}`));
      return state?.newState.inputs ?? {};
    };
    inputsOf("cloud-bucket").bucketType = "allPublic";
    (inputsOf("cloud-sync-g1").capabilities as string[]).push("deleteFiles");
    inputsOf("cloud-hub-restore-g1").bucketIds = [];
    const files = inputsOf("peer").files as Record<string, string>;
    files["compose.yaml"] = (files["compose.yaml"] ?? "").replace(
      "- --append-only",
      "# --append-only",
    );
    expect(told(found)).toEqual([
      "error no-public-bucket the bucket of cloud",
      "error no-key-that-deletes the hub's sync key of cloud, generation 1",
      "error keys-restricted-to-their-bucket the hub's restore key of cloud, generation 1",
      "error peer-append-only peer",
    ]);
  });
});

describe("a change that no reviewer should let through", () => {
  beforeAll(() => {
    stack.configure(
      targets({
        cloud: { keepHiddenDays: 3, protect: false },
        peer: {
          ...{ listen: "0.0.0.0:8000", expose: "any", url: "http://100.64.0.9:8000" },
          image: `sha256:${"a".repeat(64)}`,
        },
      }),
    );
  });

  it("is stopped by the rules over its preview, and by the engine with the pack", async () => {
    const errors = ["hidden-versions-kept", "peer-no-wildcard-without-tls"];
    expect(told(await preview())).toEqual([
      `error ${errors[0] ?? ""} the bucket of cloud`,
      `error ${errors[1] ?? ""} peer`,
      "warning data-protected the bucket of cloud",
    ]);
    const { output, exitCode } = await stack.run(["preview", "--policy-pack", pack]);
    expect(exitCode).not.toBe(0);
    const level = (name: string) =>
      [...output.matchAll(new RegExp(`\\[${name}\\] +(\\S+)`, "g"))].map(([, rule]) => rule).sort();
    expect(level("mandatory")).toEqual(errors);
    expect(level("advisory")).toEqual(["data-protected-advice"]);
    expect(output).toContain("deletes hidden versions after 3 days, must be at least 7");
  });

  it("does not reach the cloud, even without a preview before", async () => {
    const calls = { ...emulator.stats().operations };
    const args = ["up", "--yes", "--skip-preview", "--policy-pack", pack];
    const { output, exitCode } = await stack.run(args);
    expect(exitCode).not.toBe(0);
    expect(output).toMatch(/\[mandatory\] +(?:hidden-versions-kept|peer-no-wildcard-without-tls)/);
    expect(emulator.stats().operations.b2_create_bucket).toBe(calls.b2_create_bucket);
  });
});

describe("a stack that exists", () => {
  it("is judged whole: a preview that hides what stays as it is is refused", async () => {
    stack.configure({ ...settings, "fort-offsite:targets": { cloud } });
    await stack.must(["up", "--yes", "--skip-preview"]);
    stack.configure(targets());
    const partial = await preview();
    expect(() => resourcesOf(partial)).toThrow("pulumi preview --json --show-sames");
    expect(told(await preview("--show-sames"))).toEqual([]);
  });
});
