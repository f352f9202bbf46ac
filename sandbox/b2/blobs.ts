import { randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, readdirSync, rmSync } from "node:fs";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";

import type { Segment } from "./model.ts";

/** File contents on disk. A blob is written once under a random name and never changed. */
export class Blobs {
  readonly #directory: string;
  readonly #references = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** @returns a new blob open for writing; it lives on only once something refers to it */
  async create(): Promise<{ blobId: string; handle: FileHandle }> {
    const blobId = randomBytes(16).toString("hex");
    mkdirSync(join(this.#directory, blobId.slice(0, 2)), { recursive: true, mode: 0o700 });
    return { blobId, handle: await open(this.#path(blobId), "wx", 0o600) };
  }

  /** Deletes a blob that nothing came to refer to. */
  async discard(blobId: string): Promise<void> {
    if (!this.#references.has(blobId)) await unlink(this.#path(blobId)).catch(() => undefined);
  }

  addReferences(segments: readonly Segment[]): void {
    for (const { blobId } of segments) {
      this.#references.set(blobId, (this.#references.get(blobId) ?? 0) + 1);
    }
  }

  /** Drops references; a blob without any is deleted from the disk. */
  dropReferences(segments: readonly Segment[], deleteUnused: boolean): void {
    for (const { blobId } of segments) {
      const left = (this.#references.get(blobId) ?? 0) - 1;
      if (left > 0) {
        this.#references.set(blobId, left);
      } else {
        this.#references.delete(blobId);
        if (deleteUnused) rmSync(this.#path(blobId), { force: true });
      }
    }
  }

  /** Deletes what an interrupted run left behind. */
  deleteUnreferenced(): void {
    for (const shard of readdirSync(this.#directory)) {
      for (const blobId of readdirSync(join(this.#directory, shard))) {
        if (!this.#references.has(blobId)) {
          rmSync(join(this.#directory, shard, blobId), { force: true });
        }
      }
    }
  }

  /** @returns the bytes of the segments, one after the other, in chunks */
  async *read(segments: readonly Segment[]): AsyncGenerator<Buffer> {
    for (const { blobId, offset, length } of segments) {
      if (length === 0) continue;
      const stream = createReadStream(this.#path(blobId), {
        start: offset,
        end: offset + length - 1,
        highWaterMark: 256 * 1024,
      });
      for await (const chunk of stream) yield chunk as Buffer;
    }
  }

  #path(blobId: string): string {
    return join(this.#directory, blobId.slice(0, 2), blobId);
  }
}

/** @returns the segments that hold `length` bytes from `offset` on */
export function sliceSegments(
  segments: readonly Segment[],
  offset: number,
  length: number,
): Segment[] {
  const result: Segment[] = [];
  let position = 0;
  for (const segment of segments) {
    const from = Math.max(offset, position);
    const to = Math.min(offset + length, position + segment.length);
    if (from < to) {
      result.push({
        blobId: segment.blobId,
        offset: segment.offset + from - position,
        length: to - from,
      });
    }
    position += segment.length;
  }
  return result;
}
