/**
 * The rehearsal of a theft of the hub's own key to a cloud target: what the thief does is noticed,
 * and what was there before comes back. All of it happens to a small repository of random bytes
 * below `offsite-canary/`, and to nothing else.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { CANARY } from "../../config/canary.ts";
import { messageOf } from "../errors.ts";
import { lockTarget } from "../locks.ts";
import type { Inputs } from "../options.ts";
import {
  HASHED_KINDS,
  pathOf,
  type HashedKind,
  type RepositoryFile,
} from "../repository/layout.ts";
import { openIfPresent, verifyFile } from "../repository/verified-read.ts";
import { recordResult } from "../results.ts";
import { RCLONE_SERVICES } from "../targets/rclone-services.ts";
import { RcloneTarget } from "../targets/rclone.ts";
import { runRclone } from "../targets/rclone-process.ts";
import { emptyInventory, type Inventory } from "../targets/target.ts";
import { compare, isClean, type Findings } from "../verify/compare.ts";
import { DrillError, since, type ThiefReport } from "./report.ts";
import { Scratch } from "./scratch.ts";

const PREFIX = "thief-";
const FILE_BYTES = 20_000;

/** On either side of the moment to go back to, so that clocks need not agree to the second. */
const PAUSE_MS = 1500;

const KINDS: readonly HashedKind[] = ["keys", "data", "data", "data", "index", "snapshots"];

/** What a rehearsal works with. */
interface Stage {
  readonly report: ThiefReport;
  readonly scratch: Scratch;
  /** The canary's folder at the target. */
  readonly name: string;
  /** The canary's files as they were made. */
  readonly made: Inventory;
  readonly files: readonly RepositoryFile[];
  readonly program: string;
  readonly config: string;
  /** The target's folder of canaries, below a remote. */
  readonly path: string;
  /** The generation of the current remote's key. */
  readonly generation: number;
  readonly remotes: Readonly<Record<"current" | "next" | "restore", string>>;
}

/**
 * Rehearses at one target.
 *
 * @param scratch - the folder below which a folder is made for the files.
 */
export async function thief(inputs: Inputs, target: string, scratch: string): Promise<ThiefReport> {
  const begin = performance.now();
  const started = new Date().toISOString();
  const report: ThiefReport = {
    ...{ target, started, outcome: "failed", seconds: 0, files: 0 },
    ...{ steps: [], notices: [], errors: [] },
  };
  const release: (() => void)[] = [];
  try {
    // Who writes at a target, or judges what is there, does it alone.
    release.push(await lockTarget(inputs.state, target, inputs.patience));
    const folder = new Scratch(scratch);
    release.push(() => folder.remove());
    await rehearse(stageAt(inputs, target, folder, report));
  } catch (error) {
    report.errors.push(messageOf(error));
  }
  for (const each of release.reverse()) each();
  report.seconds = since(begin);
  report.outcome = report.errors.length === 0 ? "ok" : "failed";
  recordResult(inputs.state, "thief", target, "*", {
    started,
    seconds: report.seconds,
    outcome: report.outcome,
    errors: report.errors,
    facts: { files: report.files },
  });
  return report;
}

function stageAt(inputs: Inputs, target: string, scratch: Scratch, report: ThiefReport): Stage {
  const place = inputs.manifest.targets[target];
  const credential = inputs.credentials().targets[target];
  if (place?.type !== "b2" || credential?.type !== "b2") {
    throw new DrillError("hub-credentials.json and the manifest are not of the same bundle");
  }
  if (inputs.rcloneConfig === undefined) {
    throw new DrillError("it needs the bundle's rclone.conf: give --rclone-config");
  }
  const name = `${PREFIX}${randomBytes(6).toString("hex")}`;
  const { made, files } = makeCanary(scratch.fresh("hub"), name);
  report.files = files.length;
  return {
    ...{ report, scratch, name, made, files },
    program: inputs.rclone,
    config: inputs.rcloneConfig,
    path: place.path === "" ? CANARY : `${place.path}/${CANARY}`,
    generation: credential.generation,
    remotes: credential.remotes,
  };
}

/** Writes files of random bytes that are named as a repository's are. */
function makeCanary(folder: string, name: string): { made: Inventory; files: RepositoryFile[] } {
  const made = emptyInventory();
  const files = KINDS.map((kind) => {
    const content = randomBytes(FILE_BYTES);
    const sha256 = createHash("sha256").update(content).digest("hex");
    const path = join(folder, name, pathOf(kind, sha256));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    made.files[kind].set(sha256, content.length, createHash("sha1").update(content).digest("hex"));
    return { host: name, kind, name: sha256, size: content.length };
  });
  return { made, files };
}

async function rehearse(stage: Stage): Promise<void> {
  const { report, files, scratch } = stage;
  const hub = targetOf(stage, scratch.folder("hub"));
  try {
    await clearLeftovers(stage, hub);
    await send(hub, files);
    if (!isClean(await look(stage, hub))) {
      throw new DrillError("what was sent is not what the listing shows");
    }
    report.steps.push(`sent ${files.length} files`);
    await setTimeout(PAUSE_MS);
    const before = new Date();
    await setTimeout(PAUSE_MS);
    const [hidden, overwritten] = files.filter(({ kind }) => kind === "data");
    if (hidden === undefined || overwritten === undefined) throw new Error("no files to steal");
    await steal(stage, hub, hidden, overwritten);
    const { missing, wrongHash } = await look(stage, hub);
    if (!missing.paths.includes(pathOf("data", hidden.name))) {
      report.errors.push("verify would not notice a file that was hidden");
    }
    if (!wrongHash.paths.includes(pathOf("data", overwritten.name))) {
      report.errors.push("verify would not notice a file that was overwritten with as many bytes");
    }
    report.steps.push("hid one and overwrote another with the hub's own key; looked with verify");
    await bringBack(stage, before, [hidden, overwritten]);
    if (!isClean(await look(stage, hub))) {
      throw new DrillError("what was brought back is not what was there before");
    }
    report.steps.push(`brought both back as of ${before.toISOString()}, and looked again`);
  } finally {
    const { hidden, reason } = await hide(hub, files);
    if (hidden.size < files.length) {
      report.notices.push(
        `not all of the canary is hidden, the next rehearsal does it: ${reason ?? "it was not listed"}`,
      );
    }
  }
}

function targetOf(stage: Stage, folder: string): RcloneTarget {
  return new RcloneTarget({
    name: stage.report.target,
    service: RCLONE_SERVICES.b2,
    path: stage.path,
    generation: stage.generation,
    remotes: [
      { age: "current", remote: stage.remotes.current },
      { age: "next", remote: stage.remotes.next },
    ],
    repositories: folder,
    program: stage.program,
    config: stage.config,
    uploadLimitKiB: undefined,
  });
}

/** Hides files as the hub's mirror does, and as a thief on it would. */
async function hide(
  target: RcloneTarget,
  files: readonly RepositoryFile[],
): ReturnType<NonNullable<RcloneTarget["hide"]>> {
  if (target.hide === undefined) throw new DrillError("nothing can be hidden there");
  return await target.hide(files);
}

/** Hides what rehearsals left that were killed. */
async function clearLeftovers(stage: Stage, target: RcloneTarget): Promise<void> {
  await target.inventory([stage.name]);
  const names = [...target.others.keys()].filter((name) => name.startsWith(PREFIX));
  if (names.length === 0) return;
  const left: RepositoryFile[] = [];
  for (const [host, inventory] of await target.inventory(names)) {
    if (inventory instanceof Error) throw inventory;
    for (const kind of HASHED_KINDS) {
      for (const [name, size] of inventory.files[kind].entries()) {
        left.push({ host, kind, name, size });
      }
    }
  }
  await hide(target, left);
}

async function send(target: RcloneTarget, files: readonly RepositoryFile[]): Promise<void> {
  const problems: string[] = [];
  await target.send(files, {
    bytes: () => undefined,
    done: (file, result) => {
      if ("reason" in result) problems.push(`${pathOf(file.kind, file.name)}: ${result.reason}`);
    },
  });
  if (problems.length > 0) throw new DrillError(`cannot send: ${problems.join("; ")}`);
}

/** Looks at the canary as verify looks at a repository. */
async function look({ name, made }: Stage, target: RcloneTarget): Promise<Findings> {
  const inventory = (await target.inventory([name])).get(name);
  if (inventory === undefined || inventory instanceof Error) {
    throw inventory ?? new DrillError("the target does not list the canary");
  }
  const ledger = {
    has: (kind: HashedKind, file: string) => made.files[kind].has(file),
    size: (kind: HashedKind, file: string) => made.files[kind].get(file),
    fingerprint: (kind: HashedKind, file: string) => made.files[kind].fingerprint(file),
  };
  return compare({ listing: made, inventory, ledger });
}

/** What a thief with the hub's key does. */
async function steal(
  stage: Stage,
  hub: RcloneTarget,
  hidden: RepositoryFile,
  overwritten: RepositoryFile,
): Promise<void> {
  const { hidden: gone, reason } = await hide(hub, [hidden]);
  if (gone.size === 0) throw new DrillError(`cannot hide a file: ${reason ?? "it is not listed"}`);
  const loot = stage.scratch.folder("loot");
  writeFileSync(loot, randomBytes(overwritten.size));
  const remote = hub.credential()?.age === "next" ? stage.remotes.next : stage.remotes.current;
  const to = `${remote}:${stage.path}/${stage.name}/${pathOf(overwritten.kind, overwritten.name)}`;
  await rclone(stage, "copyto", "--ignore-times", loot, to);
}

/** Fetches files with the restore key as they were at a moment, and sends them with the hub's. */
async function bringBack(stage: Stage, at: Date, files: readonly RepositoryFile[]): Promise<void> {
  const { scratch, name, path, remotes } = stage;
  const back = scratch.fresh("back");
  const from = `${remotes.restore}:${path}/${name}`;
  await rclone(stage, "copy", "--b2-version-at", at.toISOString(), from, join(back, name));
  for (const file of files) {
    const open = await openIfPresent(join(back, name, pathOf(file.kind, file.name)));
    if (open === undefined) {
      throw new DrillError(
        `the target does not give back what it held at ${at.toISOString()}. Is the hub's clock right, ` +
          "and is the bucket's lifecycle as the stack made it?",
      );
    }
    await verifyFile(open, file.name).finally(() => open.handle.close());
  }
  await send(targetOf(stage, back), files);
}

async function rclone(stage: Stage, ...args: string[]): Promise<void> {
  const tries = ["--retries", "2", "--low-level-retries", "3"];
  const result = await runRclone(stage, [...args, ...tries], {});
  if (result.exitCode === 0) return;
  throw new DrillError(`rclone ${args[0] ?? ""}: ${result.errors.at(-1) ?? "it failed"}`);
}
