import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

import { execa } from "execa";

import { type B2Emulator, startB2Emulator } from "../../../sandbox/b2/index.ts";
import { Client } from "../../sandbox/b2/harness.ts";

/** A program's end: never an exception, tests look at it. */
export interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** An emulator, a folder for everything, and a client with the master key. */
export class ConformanceWorld {
  readonly emulator: B2Emulator;
  readonly directory: string;
  readonly master: Client;
  /** Added to every program's environment. */
  readonly environment: Record<string, string>;

  private constructor(emulator: B2Emulator, directory: string, master: Client) {
    this.emulator = emulator;
    this.directory = directory;
    this.master = master;
    this.environment = {
      RCLONE_CONFIG: join(directory, "rclone.conf"),
      RESTIC_PASSWORD: "a test's password",
      RESTIC_CACHE_DIR: join(directory, "restic-cache"),
    };
  }

  static async start(): Promise<ConformanceWorld> {
    const directory = await mkdtemp(join(tmpdir(), "b2-conformance-"));
    const emulator = await startB2Emulator({ dataDirectory: join(directory, "data") });
    const { applicationKeyId, applicationKey } = emulator;
    const master = await Client.authorize(emulator, applicationKeyId, applicationKey);
    const world = new ConformanceWorld(emulator, directory, master);
    await world.addRemote("master", applicationKeyId, applicationKey);
    return world;
  }

  async stop(): Promise<void> {
    await this.emulator.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  /** Adds an rclone remote with a key. */
  async addRemote(name: string, keyId: string, key: string): Promise<void> {
    const lines = [`[${name}]`, "type = b2", `account = ${keyId}`, `key = ${key}`];
    const text = [...lines, `endpoint = ${this.emulator.url}`, ""].join("\n");
    await writeFile(this.path("rclone.conf"), text, { flag: "a", mode: 0o600 });
  }

  /** Creates a key through the version that rclone and restic need, and a remote with it. */
  async addRestrictedRemote(name: string, parameters: object): Promise<void> {
    const { applicationKeyId, applicationKey } = await this.master.ok(
      "create_key",
      { accountId: this.master.accountId, keyName: name, ...parameters },
      3,
    );
    await this.addRemote(name, applicationKeyId, applicationKey);
  }

  /** Runs a program of PATH. */
  async run(program: string, ...parameters: string[]): Promise<Ended> {
    const result = await execa(program, parameters, { env: this.environment, reject: false });
    if (result.exitCode === undefined) throw new Error(result.message ?? `${program} did not run`);
    return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
  }

  /** As `run`, for one that must succeed. */
  async ok(program: string, ...parameters: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(program, ...parameters);
    if (exitCode !== 0) {
      throw new Error(`${program} ${parameters.join(" ")}: ${exitCode}\n${stdout}\n${stderr}`);
    }
    return stdout;
  }

  async rclone(...parameters: string[]): Promise<string> {
    return this.ok("rclone", ...parameters);
  }

  /** Writes files into a folder of this world. */
  async write(folder: string, files: Record<string, string | Buffer>): Promise<string> {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(this.path(folder, name)), { recursive: true });
      await writeFile(this.path(folder, name), content);
    }
    return this.path(folder);
  }

  /** @returns the SHA-1 of every file in a folder, by its path */
  async read(folder: string): Promise<Record<string, string>> {
    const root = this.path(folder);
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const files: Record<string, string> = {};
    for (const entry of entries.filter((candidate) => candidate.isFile())) {
      const path = join(entry.parentPath, entry.name);
      files[relative(root, path)] = createHash("sha1")
        .update(await readFile(path))
        .digest("hex");
    }
    return files;
  }
}

/** @returns bytes that look random and are the same every time */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2_654_435_761 + 1;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}
