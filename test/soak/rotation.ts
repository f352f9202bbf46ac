/**
 * Hosts back up and the hub mirrors without pause, while credentials are rotated again and again, and
 * the hub and the hosts are deployed in every order, early or late, each once between two rotations.
 * No run may fail, and each backup must be everywhere in the end. The schedule follows from a seed.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { restic } from "../hub/world.ts";
import { HOSTS, RotationWorld, TARGETS, type Subject } from "./rotation-world.ts";

/** How long to go on, and who is told. */
export interface RotationSoakOptions {
  readonly rotations: number;
  /** Decides the schedule. */
  readonly seed: number;
  readonly log: (line: string) => void;
}

/** What a soak came to. */
export interface RotationSoakResult {
  rotations: number;
  backups: number;
  /** Backups whose credential was refused in their middle. */
  repeated: number;
  mirrors: number;
  /** Mirrors that got on with another credential than the current one. */
  late: number;
  /** What went wrong, one line each. */
  problems: string[];
}

/** So slow that a rotation finds something at work, whatever the machine. */
const BACKUP_KIB = 1500;
const MIRROR_KIB = "2500";
const PERIOD_MS = 4000;

/** One host's packs go to the cloud in parts, the others' whole. */
const FILE_BYTES: Readonly<Record<string, number>> = { joker: 2_400_000 };

const SUBJECTS: readonly Subject[] = [...HOSTS, ...TARGETS];

/** Runs a soak to its end, in a folder of its own that is gone then. */
export async function soakRotations(options: RotationSoakOptions): Promise<RotationSoakResult> {
  const stage = new RotationWorld();
  process.env.RCLONE_B2_UPLOAD_CUTOFF = "5M";
  process.env.RCLONE_B2_CHUNK_SIZE = "5M";
  try {
    await stage.start();
    return await new RotationSoak(stage, options).run();
  } finally {
    delete process.env.RCLONE_B2_UPLOAD_CUTOFF;
    delete process.env.RCLONE_B2_CHUNK_SIZE;
    await stage.close();
  }
}

class RotationSoak {
  readonly #stage: RotationWorld;
  readonly #options: RotationSoakOptions;
  readonly #random: () => number;
  readonly #result: RotationSoakResult = {
    ...{ rotations: 0, backups: 0, repeated: 0, mirrors: 0, late: 0 },
    problems: [],
  };
  readonly #snapshots: { readonly host: string; readonly id: string }[] = [];
  #busy = true;

  constructor(stage: RotationWorld, options: RotationSoakOptions) {
    this.#stage = stage;
    this.#options = options;
    this.#random = mulberry32(options.seed);
  }

  async run(): Promise<RotationSoakResult> {
    const { problems } = this.#result;
    const work = [
      ...HOSTS.map((host) => this.#loop(() => this.#backUp(host))),
      this.#loop(() => this.#mirror()),
    ];
    // Something is at work before the first rotation.
    await setTimeout(PERIOD_MS / 2);
    try {
      for (let number = 0; number < this.#options.rotations; number += 1) {
        await this.#rotate(number);
        if (problems.length > 0) break;
      }
    } catch (error) {
      problems.push(String(error));
    }
    this.#busy = false;
    await Promise.all(work);
    if (problems.length === 0) await this.#finish();
    return this.#result;
  }

  async #loop(once: () => Promise<void>): Promise<void> {
    while (this.#busy) {
      try {
        await once();
      } catch (error) {
        this.#result.problems.push(String(error));
        return;
      }
    }
  }

  /** One rotation, and the deployment of every machine before the next. */
  async #rotate(number: number): Promise<void> {
    const stage = this.#stage;
    const subject = this.#pick(SUBJECTS);
    const bundleFirst = this.#random() < 0.5;
    const restart = this.#random() < 0.3;
    const early: Promise<void>[] = [];
    const machines = this.#shuffled(["hub", ...HOSTS]).map((machine) => {
      // At once, at the last moment, or some time between.
      const share = this.#pick([0, 1, this.#random()]);
      const deploy = async (): Promise<void> => {
        if (machine === "hub") await stage.deployHub(restart);
        else stage.deployHost(machine);
      };
      return { machine, share, deploy };
    });
    const plan = machines.map(({ machine, share }) => `${machine} ${share.toFixed(2)}`).join(", ");
    this.#options.log(
      `rotation ${number + 1}/${this.#options.rotations}: ${subject}, ${bundleFirst ? "the bundle" : "the peer"} first; deployed: ${plan}${restart ? ", the hub with a restart" : ""}`,
    );
    await stage.rotate(subject, bundleFirst, async () => {
      await setTimeout(this.#random() * 500);
      if (!bundleFirst) return;
      // The bundle is there, and the peer has not changed over yet.
      early.push(...machines.filter(({ share }) => share === 0).map(({ deploy }) => deploy()));
      await Promise.all(early);
    });
    this.#result.rotations += 1;
    await Promise.all(
      machines
        .filter(({ share }) => share > 0 || early.length === 0)
        .map(async ({ share, deploy }) => {
          await setTimeout(share * PERIOD_MS);
          await deploy();
        }),
    );
    // Whoever was deployed last may be at work with what it has now.
    await setTimeout(this.#random() * (PERIOD_MS / 2));
  }

  async #backUp(host: string): Promise<void> {
    const folder = join(this.#stage.world.root, "data", host);
    mkdirSync(folder, { recursive: true });
    for (const name of readdirSync(folder).slice(4)) rmSync(join(folder, name));
    for (let file = 0; file < 3; file += 1) {
      const name = `${randomBytes(4).toString("hex")}.bin`;
      writeFileSync(join(folder, name), randomBytes(FILE_BYTES[host] ?? 1_000_000));
    }
    const { exitCode, stderr, snapshot } = await this.#stage.backUp(host, folder, BACKUP_KIB);
    this.#result.backups += 1;
    if (stderr.includes("running it again")) this.#result.repeated += 1;
    if (exitCode !== 0 || snapshot === undefined) {
      throw new Error(`a backup of ${host} ended with ${exitCode}: ${stderr}`);
    }
    this.#snapshots.push({ host, id: snapshot });
  }

  async #mirror(...more: string[]): Promise<void> {
    const run = await this.#stage.world.mirror("--limit-upload", MIRROR_KIB, ...more);
    this.#result.mirrors += 1;
    const ages = Object.values(run.report.targets).map(({ credential }) => credential);
    if (ages.some((age) => age !== "current")) this.#result.late += 1;
    if (run.exitCode !== 0) {
      throw new Error(`a mirror ended with ${String(run.exitCode)}: ${run.stderr}`);
    }
  }

  /** With everybody at rest: all snapshots are everywhere, and sound. */
  async #finish(): Promise<void> {
    const { world, cloud } = this.#stage;
    const { problems } = this.#result;
    await this.#mirror();
    for (const host of HOSTS) {
      await cloud.fetch(host);
      for (const place of [world.repositories, world.peerData, world.cloudData]) {
        const there = new Set(world.filesAt(place, host, "snapshots"));
        const lost = this.#snapshots.filter((each) => each.host === host && !there.has(each.id));
        for (const { id } of lost) problems.push(`${place} has no snapshot ${id} of ${host}`);
        await restic(world, join(place, host), "check", "--read-data", "--no-lock", "--no-cache");
      }
    }
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.#random() * items.length)] as Item;
  }

  #shuffled<Item>(items: readonly Item[]): Item[] {
    return items
      .map((item) => [this.#random(), item] as const)
      .sort(([a], [b]) => a - b)
      .map(([, item]) => item);
  }
}

/** Numbers from 0 to below 1 that follow from a seed (T. Ettinger's mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
