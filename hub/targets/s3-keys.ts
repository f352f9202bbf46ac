/** The hub's keys at a bucket behind an S3 API, as verify tries them. */
import type { HubCredentials } from "../../config/manifest.ts";
import type { Transport } from "../../sdks/b2/client/transport.ts";
import { UsageError } from "../errors.ts";
import type { CanaryReport } from "./probe.ts";
import { readRcloneConfig } from "./rclone-config.ts";
import { S3Client, S3Error, type S3Answer } from "./s3-client.ts";

/** A key that the service accepts. */
export interface S3CanaryKey {
  /** As a message calls it: `the key …`. */
  readonly called: string;
  readonly purpose: "sync" | "restore";
  readonly client: S3Client;
}

/** The remotes of a target of type r2 or s3. */
export type S3Remotes = Extract<
  HubCredentials["targets"][string],
  { type: "r2" | "s3" }
>["remotes"];

/** What is needed to try the hub's keys. */
export interface S3KeyOptions {
  /** rclone.conf. */
  readonly config: string;
  readonly remotes: S3Remotes;
  /** The generation of the current keys. */
  readonly generation: number;
  readonly bucket: string;
}

/** Whether the service said no, for whatever reason: a right, a lock, a policy. */
export function isRefusal({ status }: S3Answer): boolean {
  return status >= 400 && status < 500 && ![404, 408, 429].includes(status);
}

/**
 * Asks the service for each key whether it is let in; what is refused is in the report.
 *
 * @returns those that are.
 * @throws S3Error, Error where the service cannot be asked.
 */
export async function acceptedKeys(
  { config, remotes, generation, bucket }: S3KeyOptions,
  transport: Transport,
  report: CanaryReport,
): Promise<S3CanaryKey[]> {
  const sections = readRcloneConfig(config);
  const accepted: S3CanaryKey[] = [];
  const refused: { purpose: S3CanaryKey["purpose"]; line: string }[] = [];
  for (const role of ["current", "next", "previous", "restore"] as const) {
    const remote = remotes[role];
    // Without a key that only reads, the hub reads with the one that writes.
    if (remote === undefined || (role === "restore" && remote === remotes.current)) continue;
    const section = sections.get(remote);
    if (section?.type !== "s3") {
      throw new UsageError(
        `rclone.conf has no remote "${remote}" of type s3. Deploy it from the same bundle`,
      );
    }
    const key: S3CanaryKey = {
      called: `the key of the remote "${remote}"`,
      purpose: role === "restore" ? "restore" : "sync",
      client: new S3Client(section, bucket, transport),
    };
    const answer = await mayList(key.client);
    if (answer.status < 400) accepted.push(key);
    else {
      const line = `${key.called} is refused (${answer.status} ${answer.code}): it was taken away, or cannot list the bucket "${bucket}". Deploy the hub with the bundle that pulumi up wrote last`;
      refused.push({ purpose: key.purpose, line });
    }
    if (role === "previous") continue;
    (report.keys ??= []).push({
      role,
      generation: role === "next" ? generation + 1 : generation,
      accepted: answer.status < 400,
      expires: null,
    });
  }
  const canSync = accepted.some(({ purpose }) => purpose === "sync");
  for (const { purpose, line } of refused) {
    (purpose === "sync" && canSync ? report.notices : report.errors).push(line);
  }
  return accepted;
}

/** Whether a key is let in: the answer to a listing of one name. */
async function mayList(client: S3Client): Promise<S3Answer> {
  const query = { "list-type": "2", "max-keys": "1" };
  const answer = await client.call({ method: "GET", query });
  if (answer.status >= 400 && !isRefusal(answer))
    throw new S3Error("cannot list the bucket", answer);
  return answer;
}
