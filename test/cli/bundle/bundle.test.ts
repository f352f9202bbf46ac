import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { compare } from "../../../cli/bundle/compare.ts";
import { deployedBundle, type DeployedBundle } from "../../../cli/bundle/deployed.ts";
import { owedUpdates } from "../../../cli/bundle/owed.ts";
import { bringUpToDate, requireOwn } from "../../../cli/bundle/write.ts";
import { parseStackConfig } from "../../../config/parse.ts";
import type { StackRecord } from "../../../config/record.ts";
import { raw, validConfig } from "../../config/valid.ts";

const SECRET = "RESTIC_REST_PASSWORD=secret-of-q\n";
const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

let folder: string;
let directory: string;
let identity: string;
let recipient: string;
let keys: string;

beforeAll(async () => {
  keys = mkdtempSync(join(tmpdir(), "offsite-bundle-keys-"));
  identity = join(keys, "identity");
  await execa("age-keygen", ["--output", identity]);
  recipient = (await execa("age-keygen", ["-y", identity])).stdout.trim();
  return () => rmSync(keys, { recursive: true });
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "offsite-bundle-"));
  directory = join(folder, "bundle");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** As `pulumi up` leaves it: the state knows the checksum of each file that it wrote. */
async function deployed(hosts: readonly string[] = ["q", "ursula"]): Promise<DeployedBundle> {
  const publicFile = { path: "offsite.json", content: "{}\n", format: "public", recipients: "" };
  const files = [
    { ...publicFile, format: "public" as const, written: sha256(publicFile.content) },
    ...hosts.map((host) => ({
      path: `hosts/${host}.env.age`,
      content: SECRET + host,
      format: "age" as const,
      recipients: recipient,
      written: undefined,
    })),
  ];
  const bare = { directory, files };
  await bringUpToDate(bare, directory, await compare(bare, directory, []));
  return {
    directory,
    files: files.map((file) => ({
      ...file,
      written: sha256(readFileSync(join(directory, file.path))),
    })),
  };
}

const problems = async (bundle: DeployedBundle, where = directory, identities: string[] = []) =>
  (await compare(bundle, where, identities))
    .filter(({ status }) => status !== "current")
    .map(({ path, status }) => `${path} ${status}`);

const everyFile = (where: string) =>
  Object.fromEntries(
    readdirSync(where, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(join(where, name)).isFile())
      .map((name) => [name, readFileSync(join(where, name), "base64")]),
  );

describe("a check of the bundle's own directory", () => {
  it("finds nothing to say of what the last update wrote", async () => {
    expect(await problems(await deployed())).toEqual([]);
  });

  it("names what is missing, edited and surplus, one by one, and writes nothing", async () => {
    const bundle = await deployed();
    rmSync(join(directory, "hosts/q.env.age"));
    writeFileSync(join(directory, "hosts/ursula.env.age"), "edited");
    writeFileSync(join(directory, "offsite.json"), "{ }\n");
    writeFileSync(join(directory, "notes.txt"), "somebody's");
    const before = everyFile(directory);
    expect(await problems(bundle)).toEqual([
      "offsite.json edited",
      "hosts/q.env.age missing",
      "hosts/ursula.env.age edited",
      "notes.txt surplus",
    ]);
    expect(everyFile(directory)).toEqual(before);
  });

  it("says what cannot be checked without a private key, and checks it with one", async () => {
    const bundle = await deployed();
    const old = { ...bundle, files: bundle.files.map((file) => ({ ...file, written: undefined })) };
    expect(await problems(old)).toEqual([
      "hosts/q.env.age unknown",
      "hosts/ursula.env.age unknown",
    ]);
    expect(await problems(old, directory, [identity])).toEqual([]);
    const files = old.files.map((file) => ({ ...file, content: `${file.content}!` }));
    expect(await problems({ ...old, files }, directory, [identity])).toEqual([
      "offsite.json edited",
      "hosts/q.env.age edited",
      "hosts/ursula.env.age edited",
    ]);
  });

  it("takes a directory that is not there for one without files", async () => {
    const bundle = await deployed();
    rmSync(directory, { recursive: true });
    expect(await problems(bundle)).toHaveLength(3);
    expect(existsSync(directory)).toBe(false);
  });
});

describe("writing without an update", () => {
  it("writes what is not as it should be, and leaves the bytes of the rest", async () => {
    const bundle = await deployed();
    const before = everyFile(directory);
    rmSync(join(directory, "hosts/q.env.age"));
    const { written } = await bringUpToDate(
      bundle,
      directory,
      await compare(bundle, directory, []),
    );
    expect(written).toEqual(["hosts/q.env.age"]);
    const after = everyFile(directory);
    expect(after["hosts/ursula.env.age"]).toBe(before["hosts/ursula.env.age"]);
    const opened = await execa("age", ["-d", "-i", identity, join(directory, "hosts/q.env.age")], {
      stripFinalNewline: false,
    });
    expect(opened.stdout).toBe(`${SECRET}q`);
    expect(await problems(bundle)).toEqual([]);
  });

  it("knows a copy in another directory again, and what a later update makes of it", async () => {
    const bundle = await deployed();
    const copy = join(folder, "copy");
    const write = async (of: DeployedBundle) =>
      await bringUpToDate(of, copy, await compare(of, copy, []));
    expect((await write(bundle)).written).toHaveLength(3);
    expect(await problems(bundle, copy)).toEqual([]);
    const before = everyFile(copy);
    expect((await write(bundle)).written).toEqual([]);
    expect(everyFile(copy)).toEqual(before);
    expect(JSON.stringify(before)).not.toContain(Buffer.from(SECRET).toString("base64"));

    const files = bundle.files.map((file) =>
      file.path === "hosts/q.env.age" ? { ...file, written: sha256("another") } : file,
    );
    expect(await problems({ ...bundle, files }, copy)).toEqual(["hosts/q.env.age outdated"]);
    writeFileSync(join(copy, "hosts/ursula.env.age"), "edited");
    expect(await problems(bundle, copy)).toEqual(["hosts/ursula.env.age edited"]);
  });

  it("takes the files of a host that left along, and nothing that somebody else put there", async () => {
    const copy = join(folder, "copy");
    const bundle = await deployed();
    await bringUpToDate(bundle, copy, await compare(bundle, copy, []));
    writeFileSync(join(copy, "hosts/notes.txt"), "somebody's");
    const without = {
      ...bundle,
      files: bundle.files.filter(({ path }) => path !== "hosts/q.env.age"),
    };
    const { removed } = await bringUpToDate(without, copy, await compare(without, copy, []));
    expect(removed).toEqual(["hosts/q.env.age"]);
    expect(await problems(without, copy)).toEqual(["hosts/notes.txt surplus"]);
  });

  it("refuses a directory with others' files and writes nothing there", async () => {
    const others = join(folder, "others");
    mkdirSync(others);
    await requireOwn(others);
    writeFileSync(join(others, "thesis.txt"), "years");
    await expect(requireOwn(others)).rejects.toThrow(/files that fort-offsite did not write/);
    await expect(requireOwn(join(others, "thesis.txt"))).rejects.toThrow(/cannot be a bundle/);
    await requireOwn(join(folder, "new"));
    expect(readdirSync(others)).toEqual(["thesis.txt"]);
  });

  it("names the file that could not be written, writes the others, and shows no content", async () => {
    const bundle = await deployed();
    rmSync(directory, { recursive: true });
    const files = bundle.files.map((file) =>
      file.path === "hosts/q.env.age" ? { ...file, recipients: "age1none" } : file,
    );
    const broken = { ...bundle, files };
    const failure = await bringUpToDate(broken, directory, await compare(broken, directory, []))
      .then(() => undefined)
      .catch((error: unknown) => String(error));
    expect(failure).toMatch(/age/);
    expect(failure).not.toContain("secret-of-q");
    expect(await problems(broken)).toEqual(["hosts/q.env.age missing"]);
  });
});

describe("the state", () => {
  const resource = (name: string, change: object = {}) => ({
    urn: `urn:pulumi:prod::fort-offsite::fort-offsite:index:Bundle$command:local:Command::${name}`,
    type: "command:local:Command",
    inputs: {
      stdin: SECRET,
      environment: {
        ...{ DIRECTORY: "../nix/offsite", FILE: `../nix/offsite/${name}.age` },
        ...{ FORMAT: "age", RECIPIENTS: "age1q", ...change },
      },
    },
    outputs: { stdout: "a".repeat(64) },
  });

  it("gives each file with its place below the directory", () => {
    const found = deployedBundle([resource("hosts/q.env")]);
    expect(found?.directory).toBe("../nix/offsite");
    expect(found?.files).toMatchObject([{ path: "hosts/q.env.age", written: "a".repeat(64) }]);
    expect(deployedBundle([])).toBeUndefined();
  });

  it("gives no file that would be written outside of the directory", () => {
    const outside = resource("q", { FILE: "../nix/thesis.txt" });
    expect(() => deployedBundle([outside])).toThrow(/outside of the bundle/);
  });
});

describe("an update that is owed", () => {
  const config = parseStackConfig(raw(validConfig()), "prod");
  const all = { generation: 1, revoked: 0 };
  const record: StackRecord = {
    version: 1,
    hosts: { drhorrible: all, q: { generation: 3, revoked: 0 }, ursula: all },
    targets: { cloud: all, peer: all },
    kept: {},
    directory: "../fort-nix/secrets/offsite",
    files: {},
  } as unknown as StackRecord;

  it("is said for each generation and each host that is in the settings alone", () => {
    expect(owedUpdates(config, record)).toEqual([]);
    expect(owedUpdates(config, undefined)).toEqual([]);
    const older = { ...record, hosts: { drhorrible: all, q: all } };
    expect(owedUpdates(config, older)).toEqual([
      "hosts.q is at generation 3 in the settings, and 1 is deployed",
      "hosts.ursula is in the settings and not deployed",
    ]);
  });
});
