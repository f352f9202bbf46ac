import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";

/** A file whose content is not what its name says. */
export class RottenFileError extends Error {
  override name = "RottenFileError";
}

// A larger chunk costs memory, eight times twice; a smaller one more turns of the event loop a file.
const CHUNK_BYTES = 1024 * 1024;

/** Two chunks' worth of memory: one is read into while the other is held or on its way. */
export type ChunkBuffers = readonly [Buffer, Buffer];

/** Memory for {@link verifiedChunks}: to use it again saves the kernel the clearing of new pages. */
export function newChunkBuffers(): ChunkBuffers {
  return [Buffer.allocUnsafeSlow(CHUNK_BYTES), Buffer.allocUnsafeSlow(CHUNK_BYTES)];
}

/** An open file and what it held when it was opened. Close it. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly size: number;
}

/**
 * Opens a file of a repository.
 *
 * @returns undefined where it is no longer there.
 * @throws Error where it cannot be opened.
 */
export async function openIfPresent(path: string): Promise<OpenFile | undefined> {
  try {
    const handle = await open(path, "r");
    try {
      return { handle, size: (await handle.stat()).size };
    } catch (error) {
      await handle.close();
      throw error;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Reads a file and yields its bytes, but the last chunk only when all of it has the SHA-256 that
 * its name says. A receiver that is promised `size` bytes therefore never gets a rotten file whole,
 * whether it checks or not, and the bytes that were checked are the bytes that leave.
 *
 * @param buffers - where to read to; a chunk then holds until the one after it is asked for.
 * Without them each chunk has memory of its own.
 * @throws RottenFileError where the content does not match the name or the size has changed.
 */
export async function* verifiedChunks(
  file: OpenFile,
  name: string,
  buffers?: ChunkBuffers,
): AsyncGenerator<Buffer> {
  const hash = createHash("sha256");
  let held: Buffer | undefined;
  for (let position = 0, turn = 0; position < file.size; turn = 1 - turn) {
    const length = Math.min(CHUNK_BYTES, file.size - position);
    const chunk = buffers?.[turn] ?? Buffer.allocUnsafeSlow(length);
    const { bytesRead } = await file.handle.read(chunk, 0, length, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const read = bytesRead === chunk.length ? chunk : chunk.subarray(0, bytesRead);
    if (held !== undefined) yield held;
    hash.update(read);
    held = read;
  }
  if (hash.digest("hex") !== name) throw new RottenFileError("content does not match its name");
  if (held !== undefined) yield held;
}

/**
 * Reads a file to its end without keeping it.
 *
 * @throws RottenFileError where the content does not match the name.
 */
export async function verifyFile(file: OpenFile, name: string): Promise<void> {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(1, file.size)));
  for (;;) {
    const { bytesRead } = await file.handle.read(chunk, 0, chunk.length);
    if (bytesRead === 0) break;
    hash.update(chunk.subarray(0, bytesRead));
  }
  if (hash.digest("hex") !== name) throw new RottenFileError("content does not match its name");
}

/** What a file's content hashes to, in hexadecimal. */
export interface Digests {
  readonly bytes: number;
  readonly sha256: string;
  readonly sha1: string;
}

/** Reads a file to its end without keeping it, and hashes what it reads. */
export async function digestFile(file: OpenFile): Promise<Digests> {
  const sha256 = createHash("sha256");
  const sha1 = createHash("sha1");
  const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(1, file.size)));
  for (let bytes = 0; ;) {
    const { bytesRead } = await file.handle.read(chunk, 0, chunk.length);
    if (bytesRead === 0) return { bytes, sha256: sha256.digest("hex"), sha1: sha1.digest("hex") };
    const read = chunk.subarray(0, bytesRead);
    sha256.update(read);
    sha1.update(read);
    bytes += bytesRead;
  }
}
