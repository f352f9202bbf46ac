import { mkdirSync } from "node:fs";

import { type Account, loadAccount, masterKey } from "./account.ts";
import { Caps } from "./caps.ts";
import { type Clock, MovableClock } from "./clock.ts";
import { lockDirectory } from "./directory-lock.ts";
import { FaultList } from "./faults.ts";
import { applyLifecycleRules } from "./lifecycle.ts";
import type { BucketRecord, FileRecord, KeyRecord } from "./model.ts";
import { Counters } from "./stats.ts";
import { Store } from "./store.ts";
import { Tokens } from "./tokens.ts";

const day = 24 * 60 * 60 * 1000;

/** Everything that a call works on. */
export class World implements Clock {
  readonly account: Account;
  readonly store: Store;
  readonly tokens: Tokens;
  readonly faults = new FaultList();
  readonly counters = new Counters();
  readonly caps = new Caps();
  /** The server's own address, known once it listens. */
  url = "";
  readonly #clock: MovableClock;
  readonly #master: KeyRecord;
  readonly #unlock: () => void;

  constructor(dataDirectory: string) {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    this.#unlock = lockDirectory(dataDirectory);
    try {
      this.account = loadAccount(dataDirectory);
      this.store = new Store(dataDirectory);
    } catch (error) {
      this.#unlock();
      throw error;
    }
    this.#master = masterKey(this.account);
    this.#clock = new MovableClock(this.store.clockOffset);
    this.tokens = new Tokens(this.account.tokenSecret, this.#clock);
  }

  /** Gives the data folder back. */
  close(): void {
    this.store.close();
    this.#unlock();
  }

  now(): number {
    return this.#clock.now();
  }

  advance(milliseconds: number): void {
    if (!Number.isSafeInteger(milliseconds) || milliseconds < 0) {
      throw new Error(
        `The clock moves forward only, by whole milliseconds; got "${milliseconds}".`,
      );
    }
    // Backblaze applies the rules once a day: so a long way is walked day by day.
    for (let left = milliseconds; left > 0; left -= day) {
      this.#clock.move(Math.min(left, day));
      applyLifecycleRules(this);
    }
    this.store.commit({ type: "clock", offset: this.#clock.offset });
  }

  /** @returns a key by its id, the master key among them, whether expired or not */
  key(applicationKeyId: string): KeyRecord | undefined {
    if (applicationKeyId === this.#master.applicationKeyId) return this.#master;
    return this.store.keys.get(applicationKeyId);
  }

  /** @returns the time for a new version: later than those that the name has, so that both order */
  nextUploadTimestamp(bucketId: string, fileName: string): number {
    const newest = this.store.names(bucketId).versionsOf(fileName)[0];
    return Math.max(this.now(), (newest?.uploadTimestamp ?? 0) + 1);
  }

  /** @returns the bucket of a file */
  bucketOf(file: FileRecord): BucketRecord {
    const bucket = this.store.buckets.get(file.bucketId);
    if (bucket === undefined) throw new Error(`The bucket of file ${file.fileId} is gone.`);
    return bucket;
  }
}
