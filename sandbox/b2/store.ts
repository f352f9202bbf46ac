import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { Blobs } from "./blobs.ts";
import { type Change, Journal } from "./journal.ts";
import type { BucketRecord, FileRecord, KeyRecord, PartRecord } from "./model.ts";
import { NameIndex } from "./name-index.ts";

/**
 * The account's buckets, keys and files: an index in memory, every change of it in a journal on
 * disk, contents in blobs on disk.
 *
 * All changes go through {@link Store.commit}, which is synchronous: a caller that looks and then
 * commits without awaiting in between cannot be overtaken by another request.
 */
export class Store {
  readonly blobs: Blobs;
  readonly buckets = new Map<string, BucketRecord>();
  readonly keys = new Map<string, KeyRecord>();
  readonly files = new Map<string, FileRecord>();
  /** Offset of the movable clock, in milliseconds, as of the last run. */
  clockOffset = 0;
  readonly #parts = new Map<string, Map<number, PartRecord>>();
  readonly #names = new Map<string, NameIndex>();
  readonly #bucketIdsByName = new Map<string, string>();
  readonly #journal: Journal;
  #storedBytes = 0;
  #sequence = 0;
  #replaying = true;

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.blobs = new Blobs(join(directory, "blobs"));
    let changes = 0;
    this.#journal = Journal.open(join(directory, "journal.jsonl"), (change) => {
      changes += 1;
      this.#apply(change);
    });
    this.#replaying = false;
    this.blobs.deleteUnreferenced();
    const records = this.buckets.size + this.keys.size + this.files.size;
    if (changes > 2 * records + 1000) this.#journal.rewrite(this.#snapshot());
  }

  /** Bytes of all file versions and parts. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  commit(change: Change): void {
    this.#journal.append(change);
    this.#apply(change);
  }

  close(): void {
    this.#journal.close();
  }

  nextSequence(): number {
    return this.#sequence + 1;
  }

  /** Bucket names are unique whatever their case. */
  bucketByName(name: string): BucketRecord | undefined {
    return this.buckets.get(this.#bucketIdsByName.get(name.toLowerCase()) ?? "");
  }

  names(bucketId: string): NameIndex {
    let index = this.#names.get(bucketId);
    if (index === undefined) {
      index = new NameIndex();
      this.#names.set(bucketId, index);
    }
    return index;
  }

  /** @returns the parts of an unfinished large file by their number, ascending */
  parts(fileId: string): PartRecord[] {
    return [...(this.#parts.get(fileId)?.values() ?? [])].sort(
      (a, b) => a.partNumber - b.partNumber,
    );
  }

  #apply(change: Change): void {
    switch (change.type) {
      case "bucket":
        this.buckets.set(change.bucket.bucketId, change.bucket);
        this.#bucketIdsByName.set(change.bucket.bucketName.toLowerCase(), change.bucket.bucketId);
        break;
      case "deleteBucket": {
        const bucket = this.buckets.get(change.bucketId);
        if (bucket !== undefined) this.#bucketIdsByName.delete(bucket.bucketName.toLowerCase());
        this.buckets.delete(change.bucketId);
        this.#names.delete(change.bucketId);
        break;
      }
      case "key":
        this.keys.set(change.key.applicationKeyId, change.key);
        break;
      case "deleteKey":
        this.keys.delete(change.applicationKeyId);
        break;
      case "file":
        this.#putFile(change.file);
        break;
      case "deleteFile":
        this.#deleteFile(change.fileId);
        break;
      case "part":
        this.#putPart(change.part);
        break;
      case "clock":
        this.clockOffset = change.offset;
        break;
    }
  }

  #putFile(file: FileRecord): void {
    const before = this.files.get(file.fileId);
    this.blobs.addReferences(file.segments);
    this.#storedBytes += file.contentLength;
    this.#sequence = Math.max(this.#sequence, file.sequence);
    if (before !== undefined) {
      this.#storedBytes -= before.contentLength;
      this.blobs.dropReferences(before.segments, !this.#replaying);
    }
    if (file.action !== "start") this.#dropParts(file.fileId);
    this.files.set(file.fileId, file);
    this.names(file.bucketId).put(file);
  }

  #deleteFile(fileId: string): void {
    const file = this.files.get(fileId);
    if (file === undefined) return;
    this.files.delete(fileId);
    this.names(file.bucketId).remove(file);
    this.#storedBytes -= file.contentLength;
    this.blobs.dropReferences(file.segments, !this.#replaying);
    this.#dropParts(fileId);
  }

  #putPart(part: PartRecord): void {
    let parts = this.#parts.get(part.fileId);
    if (parts === undefined) {
      parts = new Map();
      this.#parts.set(part.fileId, parts);
    }
    const before = parts.get(part.partNumber);
    this.blobs.addReferences(part.segments);
    this.#storedBytes += part.contentLength;
    if (before !== undefined) this.#dropPart(before);
    parts.set(part.partNumber, part);
  }

  #dropParts(fileId: string): void {
    for (const part of this.#parts.get(fileId)?.values() ?? []) this.#dropPart(part);
    this.#parts.delete(fileId);
  }

  #dropPart(part: PartRecord): void {
    this.#storedBytes -= part.contentLength;
    this.blobs.dropReferences(part.segments, !this.#replaying);
  }

  *#snapshot(): Generator<Change> {
    yield { type: "clock", offset: this.clockOffset };
    for (const bucket of this.buckets.values()) yield { type: "bucket", bucket };
    for (const key of this.keys.values()) yield { type: "key", key };
    for (const file of this.files.values()) yield { type: "file", file };
    for (const parts of this.#parts.values()) {
      for (const part of parts.values()) yield { type: "part", part };
    }
  }
}
