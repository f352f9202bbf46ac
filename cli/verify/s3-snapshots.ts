import pLimit from "p-limit";
import type { S3Client } from "../../hub/targets/s3-client.ts";
import { interruption } from "../interruption.ts";
import type { Snapshots } from "./snapshots.ts";

const IN_FLIGHT = 8;

/**
 * Lists the snapshots of hosts by their names alone, with one call a host where there are not
 * thousands.
 *
 * @param below - the folders above the hosts' repositories.
 */
export async function listS3Snapshots(
  client: S3Client,
  below: readonly string[],
  hosts: readonly string[],
): Promise<ReadonlyMap<string, Snapshots>> {
  const limit = pLimit(IN_FLIGHT);
  const found = await Promise.all(
    hosts.map((host) =>
      limit(async () => {
        const prefix = `${[...below, host].join("/")}/snapshots/`;
        return [host, await listOne(client, prefix)] as const;
      }),
    ),
  );
  return new Map(found);
}

async function listOne(client: S3Client, prefix: string): Promise<Snapshots> {
  let count = 0;
  let newest: number | undefined;
  let token: string | undefined;
  do {
    const query = {
      "list-type": "2",
      prefix,
      ...(token !== undefined && { "continuation-token": token }),
    };
    const call = { method: "GET", query } as const;
    const { body } = await client.must("cannot list snapshots", call, interruption);
    for (const [, object = ""] of body.matchAll(/<Contents>([^]*?)<\/Contents>/g)) {
      const written = Date.parse(textOf(object, "LastModified") ?? "");
      // Some services list a folder as an object of its own.
      if (textOf(object, "Key") === prefix || Number.isNaN(written)) continue;
      count += 1;
      newest = Math.max(newest ?? 0, written);
    }
    const more = textOf(body, "IsTruncated") === "true";
    token = more ? textOf(body, "NextContinuationToken") : undefined;
  } while (token !== undefined);
  return { count, newest };
}

function textOf(xml: string, tag: string): string | undefined {
  const [, text] = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml) ?? [];
  return text?.replaceAll("&quot;", '"').replaceAll("&amp;", "&");
}
