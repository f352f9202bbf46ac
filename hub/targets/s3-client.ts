/** What verify asks an S3 for, with one of the hub's keys: single calls, signed, tried once. */
import { createHash } from "node:crypto";
import { AwsV4Signer } from "aws4fetch";
import type { Transport } from "../../sdks/b2/client/transport.ts";
import type { RcloneSection } from "./rclone-config.ts";

/** An answer of an S3, whatever its status. */
export interface S3Answer {
  readonly status: number;
  /** The code of an error; empty where there is none, or no body. */
  readonly code: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** One call. */
export interface S3Call {
  readonly method: "GET" | "HEAD" | "PUT" | "DELETE";
  /** The object; the bucket itself where it is left out. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sends it without a signature, as anybody could. */
  readonly anonymous?: boolean;
}

/** An S3 did not do what was asked for. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  readonly answer: S3Answer;

  constructor(what: string, answer: S3Answer) {
    const code = answer.code === "" ? "" : ` ${answer.code}`;
    super(`${what}: the service answered ${answer.status}${code}`);
    this.answer = answer;
  }
}

/** One key at one bucket. */
export class S3Client {
  readonly #section: RcloneSection;
  readonly #bucket: string;
  readonly #transport: Transport;

  /** @param section - the remote of type s3 that has the key. */
  constructor(section: RcloneSection, bucket: string, transport: Transport) {
    this.#section = section;
    this.#bucket = bucket;
    this.#transport = transport;
  }

  /**
   * Makes a call.
   *
   * @throws Error where no answer comes.
   */
  async call(call: S3Call, signal?: AbortSignal): Promise<S3Answer> {
    const url = this.#url(call);
    const answer = await this.#transport.send(
      {
        method: call.method,
        url,
        headers: await this.#headers(url, call),
        ...(call.body !== undefined && { body: call.body }),
      },
      signal,
    );
    const [, code = ""] = /<Code>([\w.-]{1,80})<\/Code>/.exec(answer.body) ?? [];
    return { ...answer, code: answer.status < 400 ? "" : code };
  }

  /**
   * Makes a call that must succeed.
   *
   * @throws S3Error where it does not.
   */
  async must(what: string, call: S3Call, signal?: AbortSignal): Promise<S3Answer> {
    const answer = await this.call(call, signal);
    if (answer.status >= 400) throw new S3Error(what, answer);
    return answer;
  }

  #url({ key, query = {} }: S3Call): string {
    const { endpoint = "" } = this.#section;
    const path = [this.#bucket, ...(key === undefined ? [] : key.split("/"))];
    const url = new URL(
      `${endpoint.replace(/\/+$/, "")}/${path.map(encodeURIComponent).join("/")}`,
    );
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }

  async #headers(url: string, call: S3Call): Promise<Record<string, string>> {
    const { method, body = "" } = call;
    const headers = {
      ...call.headers,
      // Object lock, and changes of a bucket's settings, ask for it.
      ...(method === "PUT" && { "content-md5": createHash("md5").update(body).digest("base64") }),
    };
    if (call.anonymous === true) return headers;
    const { access_key_id: accessKeyId = "", secret_access_key: secretAccessKey = "" } =
      this.#section;
    const signer = new AwsV4Signer({
      ...{ method, url, accessKeyId, secretAccessKey },
      service: "s3",
      region: this.#section.region ?? "us-east-1",
      headers: {
        ...headers,
        "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
      },
    });
    const signed = await signer.sign();
    return Object.fromEntries(signed.headers.entries());
  }
}
