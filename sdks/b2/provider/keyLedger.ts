import type { Client } from "../client/client.ts";
import { bucketIdsOf, createKey, deleteKey, listKeys } from "../client/keys.ts";
import type { Key, KeySettings, NewKey } from "../client/types.ts";

/** Milliseconds for which a list of keys serves reads. A run of Pulumi's starts with none. */
const fresh = 30_000;

const newBuckets = new WeakMap<Client, Set<string>>();

/** Notes a bucket that this process has made: no key of another's can be restricted to it. */
export function noteNewBucket(client: Client, bucketId: string): void {
  const all = newBuckets.get(client) ?? new Set<string>();
  newBuckets.set(client, all.add(bucketId));
}

/**
 * Knows which keys were there before this process made any, so that a key whose answer was lost can
 * be told from one of the same name that belongs to somebody. A lost key is deleted, because its
 * secret is told only once.
 */
export class KeyLedger {
  readonly #client: Client;
  // Names by id.
  #before: Promise<Map<string, string>> | undefined;
  readonly #made = new Map<string, string>();
  readonly #queues = new Map<string, Promise<unknown>>();
  #list: { keys: Promise<Map<string, Key>>; until: number } | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Creates a key. Keys of one name are made one after the other, so that each new one is known
   * before the next is made.
   *
   * @throws OutcomeUnknownError - When the answer was lost and the key could not be looked for.
   */
  create(settings: KeySettings): Promise<NewKey> {
    const before = this.#queues.get(settings.keyName) ?? Promise.resolve();
    const mine = before.then(
      () => this.#createNow(settings),
      () => this.#createNow(settings),
    );
    this.#queues.set(settings.keyName, mine);
    return mine;
  }

  /** Finds a key by its id. All that are asked for in a refresh are found in one list. */
  async find(id: string): Promise<Key | undefined> {
    if (this.#list === undefined || Date.now() > this.#list.until) {
      const keys = listKeys(this.#client).then(
        (all) => new Map(all.map((key) => [key.applicationKeyId, key])),
        (error: unknown) => {
          this.forget();
          throw error;
        },
      );
      this.#list = { keys, until: Date.now() + fresh };
    }
    return (await this.#list.keys).get(id);
  }

  /** To be called when keys were made or deleted: the next read asks again. */
  forget(): void {
    this.#list = undefined;
  }

  /** The ids of keys that may look like this one, and are not those of lost answers. */
  async known(settings: KeySettings): Promise<Set<string>> {
    const all = [...(await this.#others(settings)), ...this.#made];
    return new Set(all.filter(([, name]) => name === settings.keyName).map(([id]) => id));
  }

  /** The keys that were there before, as far as one of them could be taken for this one. */
  #others({ bucketIds }: KeySettings): Promise<Map<string, string>> {
    const own = newBuckets.get(this.#client);
    const isNew = bucketIds.length > 0 && bucketIds.every((id) => own?.has(id));
    if (isNew) return Promise.resolve(new Map<string, string>());
    this.#before ??= listKeys(this.#client).then(
      (keys) => new Map(keys.map((key) => [key.applicationKeyId, key.keyName])),
      (error: unknown) => {
        this.#before = undefined;
        throw error;
      },
    );
    return this.#before;
  }

  /** Deletes the keys that look like the lost one and are neither known here nor made here. */
  async deleteLost(settings: KeySettings, known: ReadonlySet<string>): Promise<void> {
    const before = await this.#before;
    for (const key of await listKeys(this.#client)) {
      const { applicationKeyId } = key;
      const isKnown = known.has(applicationKeyId) || before?.has(applicationKeyId);
      if (isKnown || this.#made.has(applicationKeyId)) continue;
      if (isLike(key, settings)) await deleteKey(this.#client, applicationKeyId);
    }
  }

  async #createNow(settings: KeySettings): Promise<NewKey> {
    await this.#others(settings);
    this.forget();
    const seen = { lost: false };
    const key = await createKey(this.#client, settings, async () => {
      seen.lost = true;
      await this.deleteLost(settings, new Set());
      return undefined;
    });
    this.#made.set(key.applicationKeyId, key.keyName);
    this.forget();
    // The lost attempt may have been carried out late. The new key stands, whatever comes of this.
    if (seen.lost) await this.deleteLost(settings, new Set()).catch(() => undefined);
    return key;
  }
}

function isLike(key: Key, settings: KeySettings): boolean {
  const sorted = (list: string[]) => [...new Set(list)].sort().join(" ");
  return (
    key.keyName === settings.keyName &&
    sorted(key.capabilities) === sorted(settings.capabilities) &&
    sorted(bucketIdsOf(key)) === sorted(settings.bucketIds) &&
    (key.namePrefix ?? "") === (settings.namePrefix ?? "") &&
    Boolean(key.expirationTimestamp) === Boolean(settings.validDurationInSeconds)
  );
}
