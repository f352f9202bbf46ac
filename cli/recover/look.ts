/** What is at Backblaze: the targets' buckets and all keys. */
import type { RawConfig } from "../../config/parse.ts";
import { findBucket } from "../../sdks/b2/client/buckets.ts";
import { Client } from "../../sdks/b2/client/client.ts";
import { listKeys } from "../../sdks/b2/client/keys.ts";
import { proxyTransport } from "../../sdks/b2/client/proxy.ts";
import { isProxied } from "../../sdks/b2/client/transport.ts";
import type { Key } from "../../sdks/b2/client/types.ts";
import { interruption } from "../interruption.ts";
import { operatorKey } from "../verify/operator-key.ts";

/** What the account has. */
export interface Account {
  /** By target; undefined for one whose bucket is not there. */
  readonly buckets: ReadonlyMap<string, string | undefined>;
  readonly keys: readonly Key[];
}

/** Works at Backblaze with the operator's key, as the stack's provider does. */
export async function withClient<T>(
  raw: RawConfig,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client(
    operatorKey(raw),
    isProxied(process.env) ? { transport: proxyTransport() } : {},
  );
  const cancel = () => client.cancel();
  interruption.addEventListener("abort", cancel, { once: true });
  try {
    return await work(client);
  } catch (error) {
    interruption.throwIfAborted();
    throw error;
  } finally {
    interruption.removeEventListener("abort", cancel);
    await client.close();
  }
}

/**
 * Looks the buckets and keys up.
 *
 * @param bucketNames - by target.
 */
export async function readAccount(
  client: Client,
  bucketNames: Readonly<Record<string, string>>,
): Promise<Account> {
  const buckets = await Promise.all(
    Object.entries(bucketNames).map(async ([target, bucketName]) => {
      const found = await findBucket(client, { bucketName });
      return [target, found?.bucketId] as const;
    }),
  );
  return { buckets: new Map(buckets), keys: await listKeys(client) };
}
