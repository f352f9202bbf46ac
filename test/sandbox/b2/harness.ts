import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type B2Emulator, startB2Emulator } from "../../../sandbox/b2/index.ts";

/** A JSON answer: every call fills some of these fields. */
export interface Answer {
  apiInfo: { storageApi: Answer };
  allowed: Answer;
  applicationKey: string;
  applicationKeyExpirationTimestamp: number | null;
  applicationKeyId: string;
  authorizationToken: string;
  bucketId: string;
  buckets: Answer[];
  code: string;
  contentLength: number;
  contentSha1: string;
  defaultServerSideEncryption: { value: Answer };
  fileId: string;
  fileLockConfiguration: { value: Answer };
  fileName: string;
  fileRetention: { value: Answer };
  files: Answer[];
  keyName: string;
  keys: Answer[];
  legalHold: { value: string };
  message: string;
  mode: string | null;
  nextApplicationKeyId: string | null;
  nextFileId: string | null;
  nextFileName: string | null;
  nextPartNumber: number | null;
  action: string;
  partNumber: number;
  parts: Answer[];
  retainUntilTimestamp: number | null;
  revision: number;
  serverSideEncryption: Answer;
  size: number;
  uploadTimestamp: number;
  uploadUrl: string;
}

/** An answer and its status. */
export interface Result {
  status: number;
  body: Answer;
  headers: Headers;
}

/** @returns the SHA-1 of some bytes, in hex */
export function sha1(bytes: Uint8Array | string): string {
  return createHash("sha1").update(bytes).digest("hex");
}

/** Calls an emulator with one key, as a client would. */
export class Client {
  readonly url: string;
  readonly accountId: string;
  token = "";

  constructor(url: string, accountId: string) {
    this.url = url;
    this.accountId = accountId;
  }

  static async authorize(
    emulator: Pick<B2Emulator, "url" | "accountId">,
    keyId: string,
    key: string,
  ): Promise<Client> {
    const client = new Client(emulator.url, emulator.accountId);
    const answer = await authorize(emulator.url, keyId, key);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    client.token = answer.body.authorizationToken;
    return client;
  }

  async call(operation: string, parameters: object = {}, version = 4): Promise<Result> {
    const response = await fetch(`${this.url}/b2api/v${version}/b2_${operation}`, {
      method: "POST",
      headers: { Authorization: this.token },
      body: JSON.stringify(parameters),
    });
    return {
      status: response.status,
      body: (await response.json()) as Answer,
      headers: response.headers,
    };
  }

  /** As `call`, for a call that must succeed. */
  async ok(operation: string, parameters: object = {}, version = 4): Promise<Answer> {
    const result = await this.call(operation, parameters, version);
    if (result.status !== 200) throw new Error(`${operation}: ${JSON.stringify(result.body)}`);
    return result.body;
  }

  async createBucket(bucketName: string, more: object = {}): Promise<string> {
    const bucket = await this.ok("create_bucket", {
      accountId: this.accountId,
      bucketName,
      bucketType: "allPrivate",
      ...more,
    });
    return bucket.bucketId;
  }

  /** Creates a key and authorises with it. */
  async withKey(parameters: object, version = 4): Promise<Client> {
    const key = await this.ok(
      "create_key",
      { accountId: this.accountId, keyName: "test", ...parameters },
      version,
    );
    return Client.authorize(this, key.applicationKeyId, key.applicationKey);
  }

  async upload(
    bucketId: string,
    fileName: string,
    content: string | Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<Result> {
    const target = await this.call("get_upload_url", { bucketId });
    if (target.status !== 200) return target;
    return post(target.body.uploadUrl, content, {
      Authorization: target.body.authorizationToken,
      "X-Bz-File-Name": encodeURIComponent(fileName),
      "Content-Type": "b2/x-auto",
      "X-Bz-Content-Sha1": sha1(content),
      ...headers,
    });
  }

  /** As `upload`, for one that must succeed. */
  async put(
    bucketId: string,
    fileName: string,
    content: string | Uint8Array = fileName,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const result = await this.upload(bucketId, fileName, content, headers);
    if (result.status !== 200) throw new Error(`upload: ${JSON.stringify(result.body)}`);
    return result.body;
  }

  async download(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { headers: { Authorization: this.token, ...headers } });
  }

  /** Starts a large file and uploads its parts. */
  async startLarge(
    bucketId: string,
    fileName: string,
    parts: readonly Uint8Array[],
    more: object = {},
  ): Promise<string> {
    const { fileId } = await this.ok("start_large_file", {
      bucketId,
      fileName,
      contentType: "text/plain",
      ...more,
    });
    for (const [index, part] of parts.entries()) {
      const target = await this.ok("get_upload_part_url", { fileId });
      const result = await post(target.uploadUrl, part, {
        Authorization: target.authorizationToken,
        "X-Bz-Part-Number": String(index + 1),
        "X-Bz-Content-Sha1": sha1(part),
      });
      if (result.status !== 200) throw new Error(JSON.stringify(result.body));
    }
    return fileId;
  }

  /** @returns the names and actions of all versions in a bucket, in the listing's order */
  async versions(bucketId: string): Promise<string[]> {
    const { files } = await this.ok("list_file_versions", { bucketId, maxFileCount: 1000 });
    return (files as { action: string; fileName: string }[]).map(
      ({ action, fileName }) => `${action} ${fileName}`,
    );
  }

  /** @returns the visible names in a bucket */
  async names(bucketId: string, more: object = {}): Promise<string[]> {
    const { files } = await this.ok("list_file_names", { bucketId, ...more });
    return (files as { fileName: string }[]).map(({ fileName }) => fileName);
  }
}

/** Calls `b2_authorize_account`. */
export async function authorize(
  url: string,
  keyId: string,
  key: string,
  version = 4,
): Promise<Result> {
  const response = await fetch(`${url}/b2api/v${version}/b2_authorize_account`, {
    headers: { Authorization: `Basic ${Buffer.from(`${keyId}:${key}`).toString("base64")}` },
  });
  return {
    status: response.status,
    body: (await response.json()) as Answer,
    headers: response.headers,
  };
}

/** Sends bytes. */
export async function post(
  url: string,
  content: string | Uint8Array,
  headers: Record<string, string>,
): Promise<Result> {
  const response = await fetch(url, { method: "POST", headers, body: Buffer.from(content) });
  return {
    status: response.status,
    body: (await response.json()) as Answer,
    headers: response.headers,
  };
}

/** An emulator on a folder of its own, and a client with its master key. */
export interface Setup {
  emulator: B2Emulator;
  master: Client;
  directory: string;
  stop(): Promise<void>;
}

/** Starts an emulator for a test. */
export async function setUp(): Promise<Setup> {
  const directory = await mkdtemp(join(tmpdir(), "b2-emulator-"));
  const emulator = await startB2Emulator({ dataDirectory: directory });
  const master = await Client.authorize(
    emulator,
    emulator.applicationKeyId,
    emulator.applicationKey,
  );
  return {
    emulator,
    master,
    directory,
    stop: async () => {
      await emulator.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
