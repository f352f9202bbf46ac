import pLimit from "p-limit";
import type { B2Account } from "../../hub/targets/b2-account.ts";
import type { Snapshots } from "./snapshots.ts";

const IN_FLIGHT = 8;

/**
 * Lists the snapshots of hosts by their names alone, with one call a host where there are not
 * thousands.
 *
 * @returns what each host has, and the hosts whose snapshots are all hidden.
 */
export async function listSnapshots(
  account: B2Account,
  bucketId: string,
  hosts: readonly string[],
): Promise<{ found: ReadonlyMap<string, Snapshots>; hidden: readonly string[] }> {
  const found = new Map<string, Snapshots>();
  const hidden: string[] = [];
  const limit = pLimit(IN_FLIGHT);
  const list = async (host: string) => {
    const prefix = `${host}/snapshots/`;
    let count = 0;
    let newest: number | undefined;
    for await (const { uploadTimestamp } of account.files(bucketId, prefix)) {
      count += 1;
      newest = Math.max(newest ?? 0, uploadTimestamp);
    }
    found.set(host, { count, newest });
    if (count === 0 && (await account.hasVersions(bucketId, prefix))) hidden.push(host);
  };
  await Promise.all(hosts.map((host) => limit(() => list(host))));
  return { found, hidden };
}
