import type { Client } from "./client.ts";
import { B2Error } from "./errors.ts";
import type { Key, KeySettings, NewKey } from "./types.ts";

const pageSize = 10_000;

/** All keys of the account, but the master key. */
export async function listKeys(client: Client): Promise<Key[]> {
  const keys: Key[] = [];
  let start: string | null = null;
  do {
    const page: { keys: Key[]; nextApplicationKeyId: string | null } = await listPage(
      client,
      pageSize,
      start,
    );
    keys.push(...page.keys);
    start = page.nextApplicationKeyId;
  } while (start !== null);
  return keys;
}

/** Finds a key by its id; undefined when there is none, or it has expired. */
export async function findKey(client: Client, id: string): Promise<Key | undefined> {
  const isIt = (key: Key) => key.applicationKeyId === id;
  // The start is inclusive, so one entry is enough when the key is there.
  try {
    const found = (await listPage(client, 1, id)).keys.find(isIt);
    if (found) return found;
  } catch (error) {
    // How an id that never was is answered is not documented; the whole list tells.
    if (!(error instanceof B2Error && error.status === 400)) throw error;
  }
  return (await listKeys(client)).find(isIt);
}

function listPage(client: Client, maxKeyCount: number, start: string | null) {
  return client.call<{ keys: Key[]; nextApplicationKeyId: string | null }>(
    "b2_list_keys",
    {
      accountId: undefined,
      maxKeyCount,
      ...(start === null ? {} : { startApplicationKeyId: start }),
    },
    { needs: ["listKeys"], reads: true },
  );
}

/** The buckets that a key is restricted to, in order; none when it reaches all. */
export function bucketIdsOf(key: Key): string[] {
  return [...(key.bucketIds ?? (key.bucketId ? [key.bucketId] : []))].sort();
}

/**
 * Creates a key, once. The key's secret is in this answer and never again.
 *
 * A key of one bucket or of none is made through version 3 of the API: one made through version 4
 * could not authorise with older clients (restic #5741).
 *
 * @param lookFirst - Deals with a key whose answer was lost; called before another attempt.
 */
export function createKey(
  client: Client,
  { bucketIds, ...settings }: KeySettings,
  lookFirst: () => Promise<undefined>,
): Promise<NewKey> {
  const several = bucketIds.length > 1;
  const restriction = several ? { bucketIds } : { bucketId: bucketIds[0] };
  return client.call<NewKey>(
    "b2_create_key",
    { accountId: undefined, ...settings, ...restriction },
    // Finding a lost key again needs the other two; better to miss them before than after.
    { version: several ? 4 : 3, needs: ["writeKeys", "listKeys", "deleteKeys"], lookFirst },
  );
}

/** Deletes a key; one that is already gone is no error. */
export async function deleteKey(client: Client, applicationKeyId: string): Promise<void> {
  try {
    await client.call("b2_delete_key", { applicationKeyId }, { needs: ["deleteKeys"] });
  } catch (error) {
    // An unknown key is a plain bad_request; so look whether that was it.
    if (!(error instanceof B2Error && (error.status === 400 || error.status === 404))) throw error;
    if (await findKey(client, applicationKeyId)) throw error;
  }
}
