import { randomBytes } from "node:crypto";
import { mkdirSync, openSync, closeSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { restic, type World } from "../../hub/world.ts";

const BLOCK = 1 << 20;

/** Data that does not compress, as photos and archives; or half such, and half that does. */
export type Kind = "dense" | "mixed";

/** Backs so many megabytes (10^6 bytes) of new data up to a host's repository at the hub. */
export async function backUp(
  world: World,
  host: string,
  megabytes: number,
  kind: Kind,
): Promise<void> {
  const folder = path.join(world.root, "data", host);
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${randomBytes(4).toString("hex")}.bin`);
  write(file, megabytes * 1e6, kind);
  try {
    await restic(world, world.at(host), "backup", "--quiet", "--host", host, folder);
  } finally {
    rmSync(file);
  }
}

function write(file: string, bytes: number, kind: Kind): void {
  const descriptor = openSync(file, "w");
  try {
    for (let left = bytes, turn = 0; left > 0; left -= BLOCK, turn += 1) {
      const length = Math.min(BLOCK, left);
      // Digits take half of a byte each.
      const block =
        turn % 2 === 0 || kind === "dense"
          ? randomBytes(length)
          : Buffer.from(randomBytes(length / 2).toString("hex"));
      writeSync(descriptor, block);
    }
  } finally {
    closeSync(descriptor);
  }
}
