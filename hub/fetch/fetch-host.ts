/**
 * Brings one host's repository back to the hub.
 *
 * The order is such that a kill at any moment leaves nothing that looks like a repository and is none:
 * where the hub has none, `config` comes last, and until then restic finds no repository there. Each
 * file is written beside, checked against the SHA-256 that is its name, synced, and only then gets its
 * name. So what is there is right, and a further run goes on with what is missing.
 */
import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { KINDS, pathOf, type Kind, type RepositoryFile } from "../repository/layout.ts";
import type { LocalListing } from "../repository/listing.ts";
import { digestFile, openIfPresent } from "../repository/verified-read.ts";
import { syncFolder } from "../sync-folder.ts";
import type { Inventory } from "../targets/target.ts";
import type { HostFetch } from "./report.ts";
import { placeOf, type Source } from "./source.ts";

/** So much is beside the repository at most, but for the last file. */
const BATCH_BYTES = 256 * 1024 ** 2;
const BATCH_FILES = 1000;

const PREFIXES = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, "0"));

/**
 * Why a host's repository may not be filled from what the target has; undefined where it may.
 *
 * @param directory - the repository at the hub.
 */
export function refusalToFetch(
  directory: string,
  listing: LocalListing,
  { config, files }: Inventory,
): string | undefined {
  if (config === undefined) {
    return "the target has files of this host and no config, without which nothing opens them. Fetch it from another target";
  }
  const moveAway = `If what is there is empty or of no use, move it away first: mv ${directory} ${directory}.old`;
  if (listing.config !== undefined) {
    const own = readFileSync(join(directory, "config"));
    const same = config.size === own.length && (config.content?.equals(own) ?? true);
    const shared = [...listing.files.keys.entries()].some(([name]) => files.keys.has(name));
    if (same && shared) return undefined;
    return `the hub has another repository in ${directory} than the target: a host that backed up before its repository was back has made a new one. ${moveAway}`;
  }
  const strange = [...listing.files.keys.entries()].find(([name]) => !files.keys.has(name));
  if (strange === undefined) return undefined;
  return `${directory} has keys of another repository, and no config. ${moveAway}`;
}

/** The files that the target has and the hub does not, in the order in which they are to be brought. */
export function* missing(
  host: string,
  listing: LocalListing,
  inventory: Inventory,
): Generator<RepositoryFile> {
  const config = "config" as const;
  const kinds: readonly Kind[] =
    listing.config === undefined ? [...KINDS.filter((kind) => kind !== config), config] : KINDS;
  for (const kind of kinds) {
    if (kind === config) {
      const { size } = inventory.config ?? {};
      if (listing.config === undefined && size !== undefined) {
        yield { host, kind, name: config, size };
      }
      continue;
    }
    for (const [name, size] of inventory.files[kind].entries()) {
      if (listing.files[kind].get(name) !== size) yield { host, kind, name, size };
    }
  }
}

/** Where the files of a run go before they have their names. */
export interface FetchPlace {
  readonly repositories: string;
  /** On the same file system; it is the run's own. */
  readonly beside: string;
}

/**
 * Brings files, batch by batch.
 *
 * @param onFiles - told after each batch how many bytes have come.
 * @throws StopError where the target cannot be worked with; what has come is kept.
 */
export async function bringAll(
  source: Source,
  { repositories, beside }: FetchPlace,
  files: Iterable<RepositoryFile>,
  report: HostFetch,
  onFiles: (bytes: number) => void = () => undefined,
): Promise<void> {
  let prepared = "";
  for (const batch of batches(files)) {
    const host = batch[0]?.host ?? "";
    if (prepared !== host) prepare(join(repositories, (prepared = host)));
    const failures = new Map<RepositoryFile, string>();
    try {
      await source.bring(batch, beside, (file, reason) => failures.set(file, reason));
      for (const file of batch) {
        const reason = await takeIn(file, placeOf(beside, file), join(repositories, host));
        if (reason === undefined) {
          report.files += 1;
          report.bytes += file.size;
          if (file.kind === "snapshots") report.snapshots += 1;
        } else complain(report, file, failures.get(file) ?? reason);
      }
    } finally {
      rmSync(beside, { recursive: true, force: true });
    }
    onFiles(report.bytes);
  }
}

/** The folders of a repository, as rest-server makes them. */
function prepare(directory: string): void {
  const folders = ["data", "index", "keys", "locks", "snapshots"];
  for (const name of [...folders, ...PREFIXES.map((prefix) => join("data", prefix))]) {
    mkdirSync(join(directory, name), { recursive: true, mode: 0o700 });
  }
}

/** Gives a file its name if it is what that says; else why not. */
async function takeIn(
  file: RepositoryFile,
  from: string,
  directory: string,
): Promise<string | undefined> {
  const open = await openIfPresent(from);
  if (open === undefined) return "it is listed there and could not be had";
  try {
    const { bytes, sha256 } = await digestFile(open);
    if (bytes !== file.size) return `it has ${bytes} bytes and not the ${file.size} of the listing`;
    if (file.kind !== "config" && sha256 !== file.name)
      return "its content is not what its name says";
    await open.handle.sync();
  } finally {
    await open.handle.close();
  }
  const to = join(directory, pathOf(file.kind, file.name));
  renameSync(from, to);
  syncFolder(dirname(to));
  return undefined;
}

function complain(report: HostFetch, file: RepositoryFile, reason: string): void {
  const path = pathOf(file.kind, file.name);
  report.damaged.push(path);
  if (report.damaged.length <= 3) report.errors.push(`${path}: ${reason}; it was not taken`);
}

function* batches(files: Iterable<RepositoryFile>): Generator<RepositoryFile[]> {
  let batch: RepositoryFile[] = [];
  let bytes = 0;
  for (const file of files) {
    // `config` goes alone, when everything else has its name.
    const isFull = batch.length >= BATCH_FILES || bytes >= BATCH_BYTES || file.kind === "config";
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(file);
    bytes += file.size;
  }
  if (batch.length > 0) yield batch;
}
