import { createHash } from "node:crypto";
import { B2_CAPABILITIES } from "../../../credentials/b2-capabilities.ts";
import { BUCKET, type Cloud } from "../cloud.ts";
import type { World } from "../world.ts";

type Json = Record<string, unknown>;

/** The least that a part but the last may have. */
const PART_BYTES = 5_000_000;

const OF_THE_ACCOUNT = ["list_buckets", "update_bucket", "create_key"];

/** The account's owner, who alone can make keys and change the bucket. */
export class Owner {
  readonly #url: string;
  readonly #accountId: string;
  readonly #token: string;
  readonly #bucketId: string;

  private constructor(url: string, accountId: string, token: string, bucketId: string) {
    this.#url = url;
    this.#accountId = accountId;
    this.#token = token;
    this.#bucketId = bucketId;
  }

  static async of({ b2 }: Cloud): Promise<Owner> {
    const basic = Buffer.from(`${b2.applicationKeyId}:${b2.applicationKey}`).toString("base64");
    const answer = await fetch(`${b2.url}/b2api/v3/b2_authorize_account`, {
      headers: { authorization: `Basic ${basic}` },
    });
    const { authorizationToken } = (await answer.json()) as { authorizationToken: string };
    const stranger = new Owner(b2.url, b2.accountId, authorizationToken, "");
    const { buckets } = await stranger.call("list_buckets", { bucketName: BUCKET });
    const [bucket] = buckets as { bucketId: string }[];
    return new Owner(b2.url, b2.accountId, authorizationToken, bucket?.bucketId ?? "");
  }

  /** Calls B2's native API. */
  async call(operation: string, body: Json): Promise<Json> {
    const response = await fetch(`${this.#url}/b2api/v3/b2_${operation}`, {
      method: "POST",
      headers: { authorization: this.#token },
      body: JSON.stringify(
        OF_THE_ACCOUNT.includes(operation) ? { accountId: this.#accountId, ...body } : body,
      ),
    });
    const result = (await response.json()) as Json;
    if (!response.ok) throw new Error(JSON.stringify(result));
    return result;
  }

  /** Changes the bucket. */
  async updateBucket(settings: Json): Promise<void> {
    await this.call("update_bucket", { bucketId: this.#bucketId, ...settings });
  }

  /** Sends a file of more than 5 MB in parts, of which only the sender says what their SHA-1 is together. */
  async sendInParts(fileName: string, content: Buffer, sha1: string): Promise<void> {
    const { fileId } = await this.call("start_large_file", {
      bucketId: this.#bucketId,
      fileName,
      contentType: "application/octet-stream",
      fileInfo: { large_file_sha1: sha1 },
    });
    const partSha1Array: string[] = [];
    for (const part of [content.subarray(0, PART_BYTES), content.subarray(PART_BYTES)]) {
      const target = await this.call("get_upload_part_url", { fileId });
      const partSha1 = createHash("sha1").update(part).digest("hex");
      partSha1Array.push(partSha1);
      await fetch(String(target.uploadUrl), {
        method: "POST",
        headers: {
          authorization: String(target.authorizationToken),
          "x-bz-part-number": String(partSha1Array.length),
          "x-bz-content-sha1": partSha1,
        },
        body: new Uint8Array(part),
      });
    }
    await this.call("finish_large_file", { fileId, partSha1Array });
  }

  /** Gives the hub all four keys that a stack makes, with what they may do beside. */
  async giveKeys(world: World, extra: Partial<Record<string, readonly string[]>> = {}) {
    const purposes = {
      cloud: "sync",
      "cloud-next": "sync",
      "cloud-restore": "restore",
      "cloud-monitor": "monitor",
    } as const;
    const sections: string[] = [];
    for (const [remote, purpose] of Object.entries(purposes)) {
      const key = await this.call("create_key", {
        keyName: remote,
        capabilities: [...B2_CAPABILITIES[purpose], ...(extra[remote] ?? [])],
        bucketId: this.#bucketId,
      });
      const secret = `account = ${String(key.applicationKeyId)}\nkey = ${String(key.applicationKey)}`;
      sections.push(`[${remote}]\ntype = b2\nendpoint = ${this.#url}\n${secret}\n`);
    }
    world.addCloud({ rcloneConfig: sections.join("\n"), path: `${BUCKET}/restic`, bucket: BUCKET });
    const [current, next, restore, monitor] = Object.keys(purposes);
    Object.assign(world.credentials.targets.cloud ?? {}, {
      remotes: { current, next, restore, monitor },
    });
  }
}
