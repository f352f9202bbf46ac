/**
 * Backups and prunes run at a hub without pause, while the mirror to a rest-server and to B2 (the
 * emulator), with removal, is killed at random moments. After each kill restic checks both targets.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { execa } from "execa";
import { Cloud } from "../hub/cloud.ts";
import { restic, World } from "../hub/world.ts";

const HOST = "q";
const REMOVAL = ["--grace-days", "0", "--allow-removal"];

/** How long to go on, and who is told. */
export interface SoakOptions {
  /** How many mirrors are killed, at least; a third of them after a target became another. */
  readonly kills: number;
  readonly log: (line: string) => void;
}

/** What a soak came to. */
export interface SoakResult {
  /** Kills of a mirror at work, and those after which something at a target was another. */
  kills: number;
  hits: number;
  backups: number;
  prunes: number;
  /** Files hidden at the cloud. */
  hidden: number;
  /** Checks by restic, of both targets together. */
  checks: number;
  /** What went wrong, one line each. */
  problems: string[];
}

/** Runs a soak to its end, in a folder of its own that is gone then. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const world = new World([HOST]);
  let cloud: Cloud | undefined;
  try {
    await world.addPeer();
    cloud = await Cloud.start(world);
    await world.seed(HOST);
    return await new Soak(world, cloud, options).run();
  } finally {
    await cloud?.close();
    await world.close();
  }
}

class Soak {
  readonly #world: World;
  readonly #cloud: Cloud;
  readonly #options: SoakOptions;
  readonly #data: string;
  readonly #result: SoakResult = {
    kills: 0,
    hits: 0,
    backups: 0,
    prunes: 0,
    hidden: 0,
    checks: 0,
    problems: [],
  };
  #busy = true;
  /** How long a mirror takes that is not killed, about, in milliseconds. */
  #duration = 4000;

  constructor(world: World, cloud: Cloud, options: SoakOptions) {
    this.#world = world;
    this.#cloud = cloud;
    this.#options = options;
    this.#data = join(world.root, "data", HOST);
    mkdirSync(this.#data, { recursive: true });
  }

  async run(): Promise<SoakResult> {
    const result = this.#result;
    const hub = this.#workAtHub().catch((error: unknown) => {
      result.problems.push(`the hub's work ended: ${String(error)}`);
    });
    const { kills } = this.#options;
    const enough = (): boolean => result.kills >= kills && result.hits * 3 >= kills;
    for (let tries = 0; !enough() && tries < 3 * kills + 10; tries += 1) {
      await this.#killOnce(tries);
      if (result.problems.length > 0) break;
    }
    this.#busy = false;
    await hub;
    await this.#finish();
    result.hidden = (await this.#atCloud()).hidden;
    if (result.kills < kills)
      result.problems.push(`only ${result.kills} kills hit a mirror at work`);
    if (result.hits * 3 < kills) {
      result.problems.push(`only ${result.hits} kills left a target other than it was`);
    }
    if (result.prunes < kills / 2) result.problems.push(`only ${result.prunes} prunes`);
    if (result.hidden === 0) result.problems.push("nothing was hidden at the cloud");
    return result;
  }

  async #workAtHub(): Promise<void> {
    const repository = this.#world.at(HOST);
    const keep = ["--group-by", "", "--keep-last", "3", "--prune", "--max-unused", "0"];
    while (this.#busy) {
      // Some files go, some come, most stay.
      for (const name of readdirSync(this.#data).slice(12)) rmSync(join(this.#data, name));
      for (let file = 0; file < 4; file += 1) {
        const name = `${randomBytes(4).toString("hex")}.bin`;
        const bytes = Math.ceil(Math.random() * 400_000);
        writeFileSync(join(this.#data, name), randomBytes(bytes));
      }
      await restic(this.#world, repository, "backup", "--quiet", "--host", HOST, this.#data);
      this.#result.backups += 1;
      if (Math.random() < 0.3) continue;
      await restic(this.#world, repository, "forget", "--quiet", ...keep);
      this.#result.prunes += 1;
    }
  }

  async #killOnce(number: number): Promise<void> {
    const before = [this.#atPeer(), await this.#atCloud()] as const;
    const started = performance.now();
    const run = this.#world.startMirror(...REMOVAL);
    const over = run.then(() => true);
    // Every third time while it hides, which is a short part of it; else at any time.
    const ended = await (number % 3 === 2
      ? this.#untilItHides(over)
      : Promise.race([over, setTimeout(200 + Math.random() * this.#duration, false)]));
    const after = performance.now() - started;
    if (ended || run.pid === undefined) {
      const { exitCode, stderr } = await run;
      this.#duration = this.#duration * 0.7 + (performance.now() - started) * 0.3;
      this.#complain(exitCode, stderr);
      return;
    }
    // Now the agent alone, so that its rclone lives on, now both.
    const alone = number % 2 === 0;
    process.kill(alone ? run.pid : -run.pid, "SIGKILL");
    await (alone ? once(run, "exit") : run);
    this.#result.kills += 1;
    const now = [this.#atPeer(), await this.#atCloud()] as const;
    const sent = [now[0] - before[0], now[1].sent - before[1].sent];
    const hidden = now[1].hidden - before[1].hidden;
    if (sent.some((files) => files > 0) || hidden > 0) this.#result.hits += 1;
    const readData = this.#result.kills % 10 === 0;
    const verdicts = await this.#checkBoth(readData);
    this.#options.log(
      `kill ${this.#result.kills}/${this.#options.kills}: ${alone ? "the agent" : "all"} after ` +
        `${(after / 1000).toFixed(2)} s; sent ${sent.join(" and ")}, hidden ${hidden}; ` +
        `check${readData ? " --read-data" : ""}: ${verdicts.join(", ")}`,
    );
    // Its output ends when the rclone that it left does.
    if (alone) await run;
  }

  /** Resolves when some more files are hidden, or with true when the mirror is over. */
  async #untilItHides(over: Promise<boolean>): Promise<boolean> {
    const hides = (): number => this.#cloud.b2.stats().operations.b2_hide_file ?? 0;
    const enough = hides() + 1 + Math.floor(Math.random() * 8);
    for (;;) {
      if (await Promise.race([over, setTimeout(3, false)])) return true;
      if (hides() >= enough) return false;
    }
  }

  /** Errors of a mirror that was not killed, but for what restless prunes explain. */
  #complain(exitCode: number | undefined, stderr: string): void {
    const known = /pruned again and again|no consistent view|held back/;
    const errors = stderr
      .split("\n")
      .filter((line) => line.startsWith("error: ") && !known.test(line));
    if (exitCode === 0 || errors.length === 0) return;
    this.#result.problems.push(...errors.map((line) => `a mirror that was not killed: ${line}`));
  }

  #atPeer(): number {
    const kinds = ["keys", "data", "index", "snapshots"];
    return kinds
      .map((kind) => this.#world.filesAt(this.#world.peerData, HOST, kind).length)
      .reduce((sum, files) => sum + files, 0);
  }

  async #atCloud(): Promise<{ sent: number; hidden: number }> {
    const versions = await this.#cloud.versions();
    const hidden = versions.filter(({ action }) => action === "hide").length;
    return { sent: versions.length - hidden, hidden };
  }

  async #checkBoth(readData: boolean): Promise<string[]> {
    const verdicts: string[] = [];
    for (const place of ["peer", "cloud"] as const) {
      verdicts.push(`${place} ${await this.#check(place, readData)}`);
    }
    return verdicts;
  }

  async #check(place: "peer" | "cloud", readData: boolean): Promise<string> {
    const folder = place === "peer" ? this.#world.peerData : this.#world.cloudData;
    const args = ["check", "--no-lock", "--no-cache", ...(readData ? ["--read-data"] : [])];
    // A program that was left running may change the bucket while it is copied: then once more.
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (place === "cloud") await this.#cloud.fetch(HOST);
        if (!existsSync(join(folder, HOST, "config"))) return "has no repository yet";
        await restic(this.#world, join(folder, HOST), ...args);
        this.#result.checks += 1;
        return "ok";
      } catch (error) {
        if (attempt === 1 && place === "cloud") {
          await setTimeout(2000);
          continue;
        }
        const stderr = (error as { stderr?: string }).stderr ?? String(error);
        this.#result.problems.push(
          `${place}: ${stderr.trim().split("\n").slice(0, 5).join(" | ")}`,
        );
        return "FAILED";
      }
    }
  }

  /** With the hub at rest: all is there, and what is restored is what was backed up. */
  async #finish(): Promise<void> {
    const { problems } = this.#result;
    const world = this.#world;
    await restic(world, world.at(HOST), "backup", "--quiet", "--host", HOST, this.#data);
    const run = await world.mirror(...REMOVAL);
    for (const target of ["peer", "cloud"]) {
      const report = run.report.targets[target]?.hosts[HOST];
      if (report?.outcome === "complete" && report.verified) continue;
      problems.push(`the last mirror to ${target}: ${report?.errors.join("; ") ?? run.stderr}`);
    }
    await this.#checkBoth(true);
    for (const folder of [world.peerData, world.cloudData]) {
      const to = join(world.root, "restored");
      await restic(world, join(folder, HOST), "restore", "latest", "--no-lock", "--target", to);
      const { exitCode, stdout } = await execa("diff", ["-r", this.#data, join(to, this.#data)], {
        reject: false,
      });
      if (exitCode !== 0) problems.push(`restored from ${folder}: ${stdout.slice(0, 300)}`);
      rmSync(to, { recursive: true });
    }
  }
}
