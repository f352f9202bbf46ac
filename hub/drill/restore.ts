/** Restoring one snapshot, and proving that all of it is there. */
import {
  closeSync,
  createReadStream,
  lstatSync,
  openSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { counted } from "../format.ts";
import type { ReadOnlyRepository } from "./repository.ts";
import { DrillError } from "./report.ts";
import type { Scratch } from "./scratch.ts";
import { openFolders } from "./tree.ts";

const nodeSchema = z.object({
  message_type: z.literal("node"),
  path: z.string(),
  type: z.string(),
  size: z.number().default(0),
  permissions: z.string().default(""),
});

type Node = z.infer<typeof nodeSchema>;

/** What a snapshot holds, as restic lists it. */
interface Listing {
  /** Its nodes, JSON, one a line. */
  readonly file: string;
  readonly files: number;
  readonly bytes: number;
  /** Device nodes, which no drill makes. */
  readonly devices: readonly string[];
  /** Files that their owner may not read, and that this process could not verify therefore. */
  readonly closed: readonly string[];
}

const SHOWN = 3;

/**
 * Restores a snapshot below `to`, has restic read every file back, and compares what is there with
 * the snapshot's own listing: each path, its type and its size.
 *
 * @returns how many regular files of how many bytes are there.
 * @throws DrillError where anything is not as the snapshot has it, or it holds no file.
 */
export async function restoreSnapshot(
  repository: ReadOnlyRepository,
  id: string,
  scratch: Scratch,
  to: string,
): Promise<{ files: number; bytes: number; notices: string[] }> {
  const listing = await list(repository, id, scratch);
  if (listing.files === 0) throw new DrillError(`snapshot ${id.slice(0, 8)} holds no file`);
  await mustFit(repository, id, listing, scratch);
  const notices: string[] = [];
  if (listing.devices.length > 0) {
    notices.push(`left out ${counted(listing.devices.length, "device node")}`);
  }
  const left = [...listing.devices, ...listing.closed];
  const patterns = scratch.folder("patterns");
  writeFileSync(patterns, left.map(pattern).join(""), { mode: 0o600 });
  const exclude = left.length > 0 ? ["--exclude-file", patterns] : [];
  await restore(repository, [id, "--target", to, "--verify", ...exclude]);
  if (listing.closed.length > 0) {
    // restic reads a file back with the mode that it has in the snapshot: without root's rights
    // these cannot be. Their content is still checked against its hashes as it arrives.
    openFolders(to);
    writeFileSync(patterns, listing.closed.map(pattern).join(""), { mode: 0o600 });
    await restore(repository, [id, "--target", to, "--include-file", patterns]);
    notices.push(
      `not read back: ${counted(listing.closed.length, "file")} without a right to read`,
    );
  }
  openFolders(to);
  await compare(listing, to);
  return { files: listing.files, bytes: listing.bytes, notices };
}

async function restore(repository: ReadOnlyRepository, args: readonly string[]): Promise<void> {
  const result = await repository.run(["restore", "--quiet", ...args]);
  if (result.exitCode === 0) return;
  const what = result.complaints.slice(0, SHOWN).join("; ");
  throw new DrillError(`restic restore failed: ${what === "" ? result.problem : what}`);
}

async function list(
  repository: ReadOnlyRepository,
  id: string,
  scratch: Scratch,
): Promise<Listing> {
  const file = scratch.folder("listing");
  const output = openSync(file, "w", 0o600);
  const devices: string[] = [];
  const closed: string[] = [];
  let files = 0;
  let bytes = 0;
  const isRoot = process.getuid?.() === 0;
  const closedFolders: string[] = [];
  const result = await repository.run(["ls", id], (line) => {
    const node = nodeSchema.safeParse(JSON.parse(line)).data;
    if (node === undefined) return;
    writeSync(output, `${JSON.stringify(node)}\n`);
    // Go's notation: "-rw-r--r--", "drwxr-xr-x", "urwxr-xr-x" with set-user-id.
    const [readable, passable] = ownersRights(node.permissions);
    if (node.type === "dev" || node.type === "chardev") devices.push(node.path);
    if (node.type === "dir" && !(passable && readable)) closedFolders.push(`${node.path}/`);
    if (node.type !== "file") return;
    files += 1;
    bytes += node.size;
    if (isRoot) return;
    if (!readable || closedFolders.some((folder) => node.path.startsWith(folder))) {
      closed.push(node.path);
    }
  });
  closeSync(output);
  if (result.exitCode !== 0) {
    throw new DrillError(`cannot list snapshot ${id.slice(0, 8)}: ${result.problem}`);
  }
  return { file, files, bytes, devices, closed };
}

function ownersRights(permissions: string): [readable: boolean, passable: boolean] {
  const rights = permissions.slice(-9);
  return [rights.startsWith("r"), rights[2] === "x"];
}

/** A line of a file of patterns that stands for this one path. */
function pattern(path: string): string {
  // Of white space restic would take some away, and a new line would end the pattern.
  const escaped = path.replaceAll(/[\\*?[]/g, "\\$&").replaceAll("$", "$$$$");
  return `${escaped.replaceAll(/\s/g, "?")}\n`;
}

async function mustFit(
  repository: ReadOnlyRepository,
  id: string,
  listing: Listing,
  scratch: Scratch,
): Promise<void> {
  // A folder or an empty file takes a block, and some room is left to others.
  const needed = (bytes: number): number => bytes * 1.05 + listing.files * 4096 + 64 * 1024 ** 2;
  if (scratch.free() >= needed(listing.bytes)) return;
  // Files with several names are listed under each and restored once.
  const result = await repository.run(["stats", "--mode", "restore-size", id]);
  const stats = z.object({ total_size: z.number() }).safeParse(safeJson(result.stdout)).data;
  scratch.mustHold(needed(stats?.total_size ?? listing.bytes), `snapshot ${id.slice(0, 8)}`);
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws DrillError where what is below `to` is not what the listing says. */
async function compare(listing: Listing, to: string): Promise<void> {
  const wrong: string[] = [];
  const lines = createInterface({ input: createReadStream(listing.file), crlfDelay: Infinity });
  let count = 0;
  for await (const line of lines) {
    const problem = difference(nodeSchema.parse(JSON.parse(line)), to);
    if (problem === undefined) continue;
    count += 1;
    if (wrong.length < SHOWN) wrong.push(problem);
  }
  if (count === 0) return;
  const more = count > wrong.length ? `, and ${count - wrong.length} more` : "";
  throw new DrillError(`not restored as the snapshot has it: ${wrong.join("; ")}${more}`);
}

function difference(node: Node, to: string): string | undefined {
  // A name that is no UTF-8 is listed with replacement characters; restic has verified the file.
  if (node.path.includes("\uFFFD")) return undefined;
  const stat = lstatSync(join(to, node.path), { throwIfNoEntry: false });
  switch (node.type) {
    case "file":
      if (stat?.isFile() !== true) return `${node.path} is missing`;
      if (stat.size === node.size) return undefined;
      return `${node.path} has ${stat.size} bytes, not ${node.size}`;
    case "dir":
      return stat?.isDirectory() === true ? undefined : `${node.path} is missing`;
    case "symlink":
      return stat?.isSymbolicLink() === true ? undefined : `${node.path} is missing`;
    default:
      // Pipes, sockets and devices hold nothing.
      return undefined;
  }
}
