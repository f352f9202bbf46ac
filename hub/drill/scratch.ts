/**
 * The folder that a drill restores to. It holds other machines' secrets in clear text: it is private,
 * and it goes however the drill ends; what a killed drill left goes with the next one.
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import { size } from "../format.ts";
import { isHeld, writeOwner } from "../lock.ts";
import { DrillError } from "./report.ts";

const PREFIX = "offsite-drill-";

/** The folder in it that says whose it is. */
const OWNER = "owner";

/** The mark of a folder that the operator wants to look at. */
const KEPT = "kept";

/** A folder without its owner's mark may be one that is being made. */
const UNMARKED_MS = 60_000;

/** For how long the end of the agent waits for programs that still write into the folder. */
const LINGER_MS = 5000;

/** Where drills restore to, where nothing else is said. */
export function defaultScratch(): string {
  const [first] = (process.env.RUNTIME_DIRECTORY ?? "").split(":");
  return first !== undefined && first !== "" ? first : tmpdir();
}

/**
 * Does something with a scratch folder, which is removed afterwards whatever happens.
 *
 * @param errors - gets a line for what the work throws, and for a folder that cannot be removed.
 */
export async function inScratch(
  base: string,
  errors: string[],
  work: (scratch: Scratch) => Promise<void>,
): Promise<void> {
  let scratch: Scratch | undefined;
  try {
    scratch = new Scratch(base);
    await work(scratch);
  } catch (error) {
    errors.push(messageOf(error));
  }
  try {
    scratch?.remove();
  } catch (error) {
    errors.push(`cannot remove the scratch folder: ${messageOf(error)}`);
  }
}

/** One drill's folder. */
export class Scratch {
  readonly path: string;
  readonly #unmark: () => void;
  readonly #onExit = (): void => removeNow(this.path);
  #kept = false;

  /**
   * Makes the folder below `base`, after whatever dead processes left there is removed.
   *
   * @throws DrillError where that is not possible.
   */
  constructor(base: string) {
    try {
      mkdirSync(base, { recursive: true, mode: 0o700 });
      sweep(base);
      this.path = mkdtempSync(join(base, PREFIX));
    } catch (error) {
      throw new DrillError(
        `cannot use the scratch folder "${base}": ${String(error)}. ` +
          "Set drill.scratch in the settings, or give --scratch",
      );
    }
    process.on("exit", this.#onExit);
    mkdirSync(this.folder(OWNER), { mode: 0o700 });
    this.#unmark = writeOwner(this.folder(OWNER));
    // For PostgreSQL, which may have to run as another account: what is inside is private by itself.
    chmodSync(this.path, 0o711);
  }

  /** A folder or file of this name in it. */
  folder(name: string): string {
    return join(this.path, name);
  }

  /** Makes an empty private folder of this name, in place of what was there. */
  fresh(name: string): string {
    const path = this.folder(name);
    remove(path);
    mkdirSync(path, { mode: 0o700 });
    return path;
  }

  /** Bytes that are free for this process. */
  free(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /**
   * @throws DrillError where fewer bytes are free than are needed.
   */
  mustHold(bytes: number, what: string): void {
    const free = this.free();
    if (free >= bytes) return;
    throw new DrillError(
      `${what} needs ${size(bytes)}, and "${this.path}" has ${size(free)} free. ` +
        "Set drill.scratch in the settings to a larger place, or give --scratch",
    );
  }

  /** Leaves this one of its folders where it is when the drill ends, for the operator to look at. */
  keep(name: string): void {
    for (const each of readdirSync(this.path)) {
      if (each !== name && each !== OWNER) remove(this.folder(each));
    }
    this.#kept = true;
    writeFileSync(join(this.folder(OWNER), KEPT), "");
    process.off("exit", this.#onExit);
    chmodSync(this.path, 0o700);
  }

  /** Removes the folder, unless it is kept. */
  remove(): void {
    if (this.#kept) return;
    remove(this.path);
    this.#unmark();
    process.off("exit", this.#onExit);
  }
}

/** Removes what drills left whose processes are gone, but what was to be kept. */
function sweep(base: string): void {
  for (const entry of readdirSync(base, { withFileTypes: true })) {
    if (!entry.isDirectory() || !entry.name.startsWith(PREFIX)) continue;
    const path = join(base, entry.name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || stat.uid !== process.getuid?.()) continue;
    const owners = namesIn(join(path, OWNER));
    if (owners.includes(KEPT) || owners.some((name) => isHeld(join(path, OWNER, name)))) {
      continue;
    }
    if (owners.length === 0 && Date.now() - stat.mtimeMs < UNMARKED_MS) continue;
    remove(path);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Removes a tree, also where its folders may not be written to. */
export function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    openUp(Buffer.from(path));
    rmSync(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 });
  }
}

function openUp(folder: Buffer): void {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory() !== true) return;
  chmodSync(folder, 0o700);
  for (const name of readdirSync(folder, { encoding: "buffer" })) {
    openUp(Buffer.concat([folder, Buffer.from("/"), name]));
  }
}

function removeNow(path: string): void {
  const until = Date.now() + LINGER_MS;
  const nobody = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    try {
      remove(path);
      return;
    } catch {
      if (Date.now() > until) return;
    }
    Atomics.wait(nobody, 0, 0, 50);
  }
}
