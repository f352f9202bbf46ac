/** A hub whose repositories belong to an account of their own, as a rest-server's do. */
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { afterAll } from "vitest";
import type { PruneReport, HostPruneReport } from "../../../hub/prune/report.ts";
import { Forge } from "../forge.ts";
import { PASSWORD, restic, World, type Run } from "../world.ts";

/** Who the repositories belong to: not root, where the tests run as root. */
export const OWNER = process.getuid?.() === 0 ? 65_534 : (process.getuid?.() ?? 0);

export const DAY = 86_400_000;
export const HOUR = 3_600_000;

/** What the tests of a file share; it goes with the last of them. */
const shared = mkdtempSync(join(tmpdir(), "offsite-prune-test-"));
chmodSync(shared, 0o755);
afterAll(() => rmSync(shared, { recursive: true, force: true }));

/** restic where every account can run it. */
const program = join(shared, "restic");
const folders = (process.env.PATH ?? "").split(delimiter);
const found = folders.map((folder) => join(folder, "restic")).find((path) => exists(path));
if (found === undefined) throw new Error("no restic on PATH");
copyFileSync(found, program);
chmodSync(program, 0o755);

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Options for every run of the agent. */
export const FLAGS = ["--restic", program, "--wait", "0", "--json"];

interface Template {
  readonly directory: string;
  /** The tree of the snapshot that was there. */
  readonly tree: string;
}

let template: Template | undefined;

async function makeTemplate(world: { readonly root: string }): Promise<Template> {
  const directory = join(shared, "template");
  await restic(world, directory, "init");
  new Forge(directory, PASSWORD).cheapen(PASSWORD);
  mkdirSync(join(shared, "data"));
  writeFileSync(join(shared, "data", "file"), "of every snapshot");
  await restic(world, directory, "backup", "--quiet", join(shared, "data"));
  const listed = JSON.parse(await restic(world, directory, "snapshots", "--json")) as {
    id: string;
    tree: string;
  }[];
  const [only] = listed;
  if (only === undefined) throw new Error("restic lists no snapshot");
  rmSync(join(directory, "snapshots", only.id));
  // So that copies of it are quickly made: restic makes these folders where it needs them.
  for (const prefix of readdirSync(join(directory, "data"))) {
    const folder = join(directory, "data", prefix);
    if (readdirSync(folder).length === 0) rmdirSync(folder);
  }
  return { directory, tree: only.tree };
}

/** A world with a repository of one real snapshot's data for each host, and no snapshot. */
export class OwnedWorld extends World {
  #tree = "";

  static async make(hosts: readonly string[]): Promise<OwnedWorld> {
    const world = new OwnedWorld(hosts);
    chmodSync(world.root, 0o755);
    const password = join(world.root, "password");
    writeFileSync(password, `${PASSWORD}\n`, { mode: 0o600 });
    world.settings = { passwordFiles: Object.fromEntries(hosts.map((host) => [host, password])) };
    template ??= await makeTemplate(world);
    world.#tree = template.tree;
    for (const host of hosts) world.addRepository(host);
    return world;
  }

  /** Adds a repository without a snapshot. */
  addRepository(folder: string): void {
    cpSync(template?.directory ?? "", this.at(folder), { recursive: true });
    this.handOver(folder);
  }

  /** Gives a host's repository to its account. */
  handOver(host: string): void {
    if (process.getuid?.() !== 0) return;
    const path = this.at(host);
    chownSync(path, OWNER, OWNER);
    for (const name of readdirSync(path, { recursive: true, encoding: "utf8" })) {
      chownSync(join(path, name), OWNER, OWNER);
    }
  }

  /** Adds an honest snapshot, taken some hours ago; its file arrived a minute later. */
  snapshot(host: string, hoursAgo: number, bytes?: number): string {
    const taken = Date.now() - hoursAgo * HOUR;
    return this.forged(host, taken, taken + 60_000, bytes);
  }

  /** Adds a snapshot that claims a time, and whose file arrived at another. */
  forged(host: string, claimed: number, arrived: number, bytes?: number): string {
    const claims = {
      time: new Date(claimed).toISOString(),
      hostname: host,
      ...(bytes !== undefined && { summary: { total_bytes_processed: bytes } }),
    };
    const forge = new Forge(this.at(host), PASSWORD);
    const id = forge.snapshot({ tree: this.#tree }, claims, arrived);
    if (process.getuid?.() === 0) {
      chownSync(join(this.at(host), "snapshots", id), OWNER, OWNER);
    }
    return id;
  }

  /** Adds one honest snapshot a day, the newest yesterday; the newest is first. */
  days(host: string, count: number, bytes?: number): string[] {
    const noon = new Date().setUTCHours(12, 0, 0, 0);
    return Array.from({ length: count }, (_, day) => {
      const taken = noon - (day + 1) * DAY;
      return this.forged(host, taken, taken + 60_000, bytes);
    });
  }

  /** Backs random data up, as it would have been some days ago; returns the snapshot's id. */
  async oldBackup(
    folder: string,
    bytes: number,
    daysAgo: number,
    options: { host?: string; password?: string } = {},
  ): Promise<string> {
    const data = join(this.root, "old-data");
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data);
    writeFileSync(join(data, "file"), randomBytes(bytes));
    const taken = new Date(Date.now() - daysAgo * DAY);
    const time = taken.toISOString().slice(0, 19).replace("T", " ");
    const before = this.snapshotsOf(folder);
    const { host = folder, password = PASSWORD } = options;
    const env = { RESTIC_PASSWORD: password, TZ: "UTC" };
    const args = ["backup", "--quiet", "--no-cache", "--time", time, "--host", host, data];
    await execa("restic", ["-r", this.at(folder), ...args], { env });
    const id = this.snapshotsOf(folder).find((each) => !before.includes(each)) ?? "";
    utimesSync(join(this.at(folder), "snapshots", id), taken, taken);
    this.handOver(folder);
    return id;
  }

  /** Adds a file to the snapshots that is none, as anybody may who can append. */
  junk(host: string, bytes: number): string {
    const content = randomBytes(bytes);
    const name = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(this.at(host), "snapshots", name), content);
    this.handOver(host);
    return name;
  }

  /** Adds what any client may. */
  forge(host: string): Forge {
    return new Forge(this.at(host), PASSWORD);
  }

  /** The ids of the snapshots that a host has. */
  snapshotsOf(host: string): string[] {
    const names = this.filesAt(this.repositories, host, "snapshots");
    return names.filter((name) => name.length === 64);
  }

  /** Runs `offsite-hub prune --json`. */
  async prune(...args: string[]): Promise<Run<PruneReport>> {
    return await this.run<PruneReport>("prune", ...FLAGS, ...args);
  }
}

/** The report on one host. */
export function hostOf(run: Run<PruneReport>, host: string): HostPruneReport {
  const report = run.report.hosts[host];
  if (report === undefined) throw new Error(`no report on ${host}: ${run.stderr}`);
  return report;
}
