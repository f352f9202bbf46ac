/** The seed's seven hosts, 20 GB as file names: what a hub and a peer list on every other night. */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, cpSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import path from "node:path";
import { Forge } from "../../hub/forge.ts";
import { PASSWORD, restic, World } from "../../hub/world.ts";
import type { Bench } from "../benchmark.ts";
import { roomFor } from "./memory-folder.ts";

/** Gigabytes (10^9 bytes) a host, by the seed's table, scaled to 20 GB together. */
export const GIGABYTES: Readonly<Record<string, number>> = {
  ...{ drhorrible: 5.76, q: 11.52, ursula: 2.3, raishan: 0.12 },
  ...{ joker: 0.1, lordhenry: 0.1, minos: 0.1 },
};

/** All of them. */
export const HOSTS: readonly string[] = Object.keys(GIGABYTES);

/** As restic makes packs. */
const PACK_BYTES = 16.5e6;

/** What the hub's prune keeps: 7 daily, 4 weekly, 6 monthly. */
const SNAPSHOTS = 17;

/** Bytes that the repositories really take, at the hub and in two copies at the peer, and to spare. */
const REAL_BYTES = 500e6;

/** What each host backs up, unless a benchmark says another number: so many files, ten a folder. */
const FILES = 600;
const FILE_BYTES = 500;

/** Where at the peer a host's repository is that `restic copy` fills. */
export const COPY = "copy";

/** What the hub's repositories hold, and what else is to be written beside them. */
export interface Contents {
  /** Files a host. */
  readonly files?: number;
  /** Bytes that the benchmark adds. */
  readonly more?: number;
}

/**
 * Makes the hub's repositories: each a real one, made by `restic init` with a key as everybody's,
 * with a backup and as many snapshots as a prune leaves.
 */
export async function hub(
  bench: Pick<Bench, "log" | "defer">,
  { files = FILES, more = 0 }: Contents = {},
): Promise<World> {
  const parent = roomFor(REAL_BYTES + more);
  bench.log(`seven repositories in ${parent}`);
  const world = new World(HOSTS, parent);
  bench.defer(() => world.close());
  const template = path.join(world.root, "template");
  await restic(world, template, "init", "--quiet");
  const source = path.join(world.root, "source");
  for (let file = 0; file < files; file += 1) {
    const folder = path.join(source, `folder-${Math.floor(file / 10)}`);
    if (file % 10 === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, `file-${file}`), randomBytes(FILE_BYTES));
  }
  await restic(world, template, "backup", "--quiet", source);
  const [model] = JSON.parse(await restic(world, template, "snapshots", "--json")) as [
    { tree: string },
  ];
  const forge = new Forge(template, PASSWORD);
  for (let day = 1; day < SNAPSHOTS; day += 1) {
    const time = new Date(Date.now() - day * 86_400_000).toISOString();
    forge.snapshot({ tree: model.tree }, { time });
  }
  for (const host of HOSTS) cpSync(template, world.at(host), { recursive: true });
  return world;
}

/** Fills, at the peer, a repository of each host as `restic copy` does from an empty one. */
export async function copyAll(world: World): Promise<void> {
  const destination = path.join(world.root, "copied");
  const from = ["--from-repo", path.join(world.root, "template")];
  await restic(world, destination, "init", "--quiet", "--copy-chunker-params", ...from);
  await restic(world, destination, "copy", "--quiet", ...from);
  for (const host of HOSTS) {
    cpSync(destination, path.join(world.peerData, host, COPY), { recursive: true });
  }
}

/**
 * Adds packs to the hosts' repositories until they are as large as the cluster's, in `places` alike.
 * They have a name and a size and take no room.
 */
export function addNames(places: readonly string[], share = 1): number {
  let count = 0;
  for (const [host, gigabytes] of Object.entries(GIGABYTES)) {
    for (let left = (gigabytes * 1e9 * share) / PACK_BYTES; left > 0; left -= 1) {
      const name = randomBytes(32).toString("hex");
      for (const place of places) sparse(path.join(place, host), name);
      count += 1;
    }
  }
  return count;
}

/** Adds as many packs as {@link addNames}, small ones that are what their names say. */
export function addSmallPacks(world: World, share = 1): number {
  let count = 0;
  for (const [host, gigabytes] of Object.entries(GIGABYTES)) {
    for (let left = (gigabytes * 1e9 * share) / PACK_BYTES; left > 0; left -= 1) {
      const content = randomBytes(64);
      const name = createHash("sha256").update(content).digest("hex");
      writeFileSync(pack(world.at(host), name), content);
      count += 1;
    }
  }
  return count;
}

function sparse(repository: string, name: string): void {
  const descriptor = openSync(pack(repository, name), "w");
  try {
    ftruncateSync(descriptor, PACK_BYTES);
  } finally {
    closeSync(descriptor);
  }
}

function pack(repository: string, name: string): string {
  const folder = path.join(repository, "data", name.slice(0, 2));
  mkdirSync(folder, { recursive: true });
  return path.join(folder, name);
}
