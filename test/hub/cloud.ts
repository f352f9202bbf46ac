/** The B2 emulator as a world's cloud target. */
import { join } from "node:path";
import { execa } from "execa";
import { startB2Emulator, type B2Emulator } from "../../sandbox/b2/index.ts";
import type { World } from "./world.ts";

export const BUCKET = "fort-backups";

const SYNC = ["listBuckets", "listFiles", "readFiles", "writeFiles"];

type Json = Record<string, unknown>;

/** One version of a file in the bucket, as B2 lists it; the newest of a name comes first. */
export interface Version {
  readonly fileName: string;
  readonly action: "upload" | "hide";
  readonly uploadTimestamp: number;
}

/** A bucket, and keys like the hub's: one bucket, and no deleteFiles. */
export class Cloud {
  readonly b2: B2Emulator;
  readonly #world: World;
  readonly #token: string;
  readonly #bucketId: unknown;

  private constructor(world: World, b2: B2Emulator, token: string, bucketId: unknown) {
    this.b2 = b2;
    this.#world = world;
    this.#token = token;
    this.#bucketId = bucketId;
  }

  /** Starts an emulator and makes it the world's target "cloud". Close it before the world. */
  static async start(world: World): Promise<Cloud> {
    const b2 = await startB2Emulator({ dataDirectory: join(world.root, "b2") });
    const basic = Buffer.from(`${b2.applicationKeyId}:${b2.applicationKey}`).toString("base64");
    const answer = await fetch(`${b2.url}/b2api/v3/b2_authorize_account`, {
      headers: { authorization: `Basic ${basic}` },
    });
    const { authorizationToken } = (await answer.json()) as { authorizationToken: string };
    const bucket = { accountId: b2.accountId, bucketName: BUCKET, bucketType: "allPrivate" };
    const { bucketId } = await call(b2, authorizationToken, "create_bucket", bucket);
    const cloud = new Cloud(world, b2, authorizationToken, bucketId);
    cloud.useKeys(await cloud.syncKey(), await cloud.syncKey());
    return cloud;
  }

  /** Makes a key with what the hub's has, as lines of an rclone.conf. */
  async syncKey(): Promise<string> {
    return await this.key(SYNC);
  }

  /**
   * Makes a key of this bucket that may do so much, as lines of an rclone.conf.
   *
   * @param days - after which it ends by itself.
   */
  async key(capabilities: readonly string[], days?: number): Promise<string> {
    const { accountId } = this.b2;
    const key = {
      ...{ accountId, keyName: "hub", capabilities, bucketId: this.#bucketId },
      ...(days !== undefined && { validDurationInSeconds: days * 86_400 }),
    };
    const made = await call(this.b2, this.#token, "create_key", key);
    return `account = ${String(made.applicationKeyId)}\nkey = ${String(made.applicationKey)}\n`;
  }

  /** Takes a key away, given as lines of an rclone.conf. */
  async removeKey(lines: string): Promise<void> {
    const applicationKeyId = /^account = (.*)$/m.exec(lines)?.[1];
    await call(this.b2, this.#token, "delete_key", { applicationKeyId });
  }

  /** Large files that were begun and not ended. */
  async unfinished(): Promise<number> {
    const body = { bucketId: this.#bucketId };
    const answer = await call(this.b2, this.#token, "list_unfinished_large_files", body);
    return (answer.files as unknown[]).length;
  }

  /** Gives the hub these keys. */
  useKeys(current: string, next: string): void {
    const remote = (name: string, key: string): string =>
      `[${name}]\ntype = b2\nendpoint = ${this.b2.url}\n${key}hard_delete = false\n`;
    const rcloneConfig = `${remote("cloud", current)}\n${remote("cloud-next", next)}`;
    this.#world.addCloud({ rcloneConfig, path: `${BUCKET}/restic`, bucket: BUCKET });
  }

  /** All versions of all files in the bucket, hide markers among them. */
  async versions(): Promise<Version[]> {
    const all: Version[] = [];
    let start: Json = {};
    for (;;) {
      const page = await call(this.b2, this.#token, "list_file_versions", {
        bucketId: this.#bucketId,
        maxFileCount: 10_000,
        ...start,
      });
      all.push(...(page.files as Version[]));
      if (page.nextFileName === null || page.nextFileName === undefined) return all;
      start = { startFileName: page.nextFileName, startFileId: page.nextFileId };
    }
  }

  /** rclone with the hub's keys and one operand below the hosts' folder. */
  async rclone(command: string, path: string, ...args: string[]): Promise<string> {
    const config = ["--config", join(this.#world.root, "rclone.conf")];
    const operand = `cloud:${BUCKET}/restic/${path}`;
    return (await execa("rclone", [command, operand, ...args, ...config])).stdout;
  }

  /** Puts a file there with the hub's keys, as a thief could. */
  async put(file: string, path: string): Promise<void> {
    const config = ["--config", join(this.#world.root, "rclone.conf")];
    await execa("rclone", ["copyto", file, `cloud:${BUCKET}/restic/${path}`, ...config]);
  }

  /** Brings a host's repository from the bucket to the world's `cloudData`, as it is now. */
  async fetch(host: string, ...args: string[]): Promise<void> {
    const to = join(this.#world.cloudData, host);
    await this.rclone("sync", host, to, "--size-only", "--fast-list", ...args);
  }

  /** Brings a host's repository from the bucket, and has restic read and check all of it. */
  async check(host: string): Promise<void> {
    await this.fetch(host);
    await this.#world.check(this.#world.cloudData, host);
  }

  async close(): Promise<void> {
    await this.b2.stop();
  }
}

async function call(b2: B2Emulator, token: string, operation: string, body: Json): Promise<Json> {
  const response = await fetch(`${b2.url}/b2api/v3/b2_${operation}`, {
    method: "POST",
    headers: { authorization: token },
    body: JSON.stringify(body),
  });
  const result = (await response.json()) as Json;
  if (!response.ok) throw new Error(JSON.stringify(result));
  return result;
}
