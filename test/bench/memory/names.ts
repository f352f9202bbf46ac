/** Repositories of very many files, made of names: next to nothing of them takes room on a disk. */
import { createHash } from "node:crypto";
import { closeSync, cpSync, ftruncateSync, linkSync, openSync, rmdirSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { openLedger, type Ledger } from "../../../hub/ledger.ts";
import { pathOf } from "../../../hub/repository/layout.ts";
import type { World } from "../../hub/world.ts";

/** The folder whose packs the target does not have, one of 256: what a night has brought. */
export const NEW = "00";

/** As large as each pack is made to look. */
const PACK_BYTES = 16 * 1024 ** 2;

/**
 * Fills a host's repository at the hub and at the peer with so many packs: one in 256 has the content
 * that its name says, and is not at the peer; the others are names for one and the same empty space.
 * The hub's ledger is as after a verify that has read all of them.
 */
export async function fill(
  world: World,
  host: string,
  packs: number,
  signal: AbortSignal,
): Promise<void> {
  const peer = makeFolders(world, host);
  const ledger = await openLedger(world.state, host);
  try {
    const link = linker(path.join(world.root, "space"));
    for (let number = 0; number < packs; number += 1) {
      const content = `${host} ${number}`;
      const name = createHash("sha256").update(content).digest("hex");
      if (name.startsWith(NEW))
        writeFileSync(path.join(world.at(host), pathOf("data", name)), content);
      else link(path.join(peer, pathOf("data", name)));
      const size = name.startsWith(NEW) ? content.length : PACK_BYTES;
      ledger.learn("data", name, size, createHash("sha1").update(content).digest("hex"));
      if (number % 10_000 > 0) continue;
      ledger.flush();
      signal.throwIfAborted();
      await setImmediate();
    }
    for (const kind of ["index", "snapshots"] as const) writeSome(world, host, kind, ledger);
    ledger.flush();
  } finally {
    ledger.close();
  }
}

/**
 * Makes a host's repository at the hub, and at the peer what a mirror would have made of it: but for
 * {@link NEW} the hub's folders of packs are the peer's own, for a server lists no folder through a
 * link.
 *
 * @returns the folder at the peer.
 */
function makeFolders(world: World, host: string): string {
  world.init(host);
  const peer = path.join(world.peerData, host);
  cpSync(world.at(host), peer, { recursive: true });
  for (let prefix = 1; prefix < 256; prefix += 1) {
    const folder = path.join("data", prefix.toString(16).padStart(2, "0"));
    rmdirSync(path.join(world.at(host), folder));
    symlinkSync(path.join(peer, folder), path.join(world.at(host), folder));
  }
  return peer;
}

/** Some small files of a kind, each with the name of its content. */
function writeSome(world: World, host: string, kind: "index" | "snapshots", ledger: Ledger): void {
  for (let number = 0; number < 50; number += 1) {
    const content = `${host} ${kind} ${number}`;
    const name = createHash("sha256").update(content).digest("hex");
    writeFileSync(path.join(world.at(host), pathOf(kind, name)), content);
    ledger.learn(kind, name, content.length, createHash("sha1").update(content).digest("hex"));
  }
}

/** Makes further names of an empty file; of another one where a file may have no more. */
function linker(space: string): (name: string) => void {
  let source: string | undefined;
  let files = 0;
  const another = (): string => {
    files += 1;
    const made = `${space}-${files}`;
    const file = openSync(made, "wx");
    ftruncateSync(file, PACK_BYTES);
    closeSync(file);
    return (source = made);
  };
  return (name) => {
    try {
      linkSync(source ?? another(), name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EMLINK") throw error;
      linkSync(another(), name);
    }
  };
}
