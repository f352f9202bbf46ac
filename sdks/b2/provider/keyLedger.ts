import type { Client } from "../client/client.ts";
import { bucketIdsOf, createKey, deleteKey, listKeys } from "../client/keys.ts";
import type { Key, KeySettings, NewKey } from "../client/types.ts";

/**
 * Knows which keys were there before this process made any, so that a key whose answer was lost can
 * be told from one of the same name that belongs to somebody. A lost key is deleted, because its
 * secret is told only once.
 */
export class KeyLedger {
  readonly #client: Client;
  // Names by id.
  #known: Promise<Map<string, string>> | undefined;
  readonly #queues = new Map<string, Promise<unknown>>();

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

  /** The ids of the keys of a name that are not those of lost answers. */
  async known(keyName: string): Promise<Set<string>> {
    const all = [...(await this.#all())];
    return new Set(all.filter(([, name]) => name === keyName).map(([id]) => id));
  }

  #all(): Promise<Map<string, string>> {
    this.#known ??= listKeys(this.#client).then(
      (keys) => new Map(keys.map((key) => [key.applicationKeyId, key.keyName])),
      (error: unknown) => {
        this.#known = undefined;
        throw error;
      },
    );
    return this.#known;
  }

  /** Deletes the keys that look like the lost one and are neither known here nor made here. */
  async deleteLost(settings: KeySettings, known: ReadonlySet<string>): Promise<void> {
    const made = await this.#known;
    for (const key of await listKeys(this.#client)) {
      const { applicationKeyId } = key;
      if (known.has(applicationKeyId) || made?.has(applicationKeyId)) continue;
      if (isLike(key, settings)) await deleteKey(this.#client, applicationKeyId);
    }
  }

  async #createNow(settings: KeySettings): Promise<NewKey> {
    const all = await this.#all();
    const seen = { lost: false };
    const key = await createKey(this.#client, settings, async () => {
      seen.lost = true;
      await this.deleteLost(settings, new Set());
      return undefined;
    });
    all.set(key.applicationKeyId, key.keyName);
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
