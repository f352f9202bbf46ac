/** What verify asks Backblaze's native API for, with one of the hub's keys. */
import { createHash } from "node:crypto";
import { Client } from "../../sdks/b2/client/client.ts";
import { B2Error, hasCode, UserError } from "../../sdks/b2/client/errors.ts";
import type { Transport } from "../../sdks/b2/client/transport.ts";
import type { Authorization, Bucket } from "../../sdks/b2/client/types.ts";
import type { RcloneSection } from "./rclone-config.ts";

const TRIES = 3;

/** A version of a file, as `b2_list_file_versions` answers it. */
export interface FileVersion {
  readonly action: string;
  readonly fileId: string;
  readonly fileName: string;
  readonly contentLength: number;
}

/** A file, as `b2_list_file_names` answers it. */
export interface StoredFile {
  readonly fileName: string;
  /** When it arrived, in milliseconds since 1970. */
  readonly uploadTimestamp: number;
}

interface Page {
  readonly files: StoredFile[];
  readonly nextFileName: string | null;
}

/** Files of one answer, as many as B2 gives. */
const PAGE = 10_000;

/** One application key. */
export class B2Account {
  readonly #transport: Transport;
  readonly #client: Client;

  /** @param section - the remote of type b2 that has the key. */
  constructor(section: RcloneSection, transport: Transport) {
    this.#transport = transport;
    const credentials = {
      applicationKeyId: section.account ?? "",
      applicationKey: section.key ?? "",
      endpoint: section.endpoint ?? "",
    };
    this.#client = new Client(credentials, { transport, attempts: TRIES });
  }

  /**
   * What the key may do.
   *
   * @returns undefined where the service refuses the key.
   * @throws Error where the service cannot be asked.
   */
  async authorize(): Promise<Authorization | undefined> {
    try {
      return await this.#client.authorize();
    } catch (error) {
      if (error instanceof UserError) return undefined;
      throw error;
    }
  }

  /** The bucket of that name, as far as the key sees it. */
  async bucket(bucketName: string): Promise<Bucket | undefined> {
    const body = { accountId: undefined, bucketName };
    const { buckets } = await this.#call<{ buckets: Bucket[] }>("b2_list_buckets", body);
    return buckets[0];
  }

  /** The versions of one file, the newest first. */
  async versions(bucketId: string, fileName: string): Promise<FileVersion[]> {
    const body = { bucketId, prefix: fileName, startFileName: fileName, maxFileCount: 10 };
    const { files } = await this.#call<{ files: FileVersion[] }>("b2_list_file_versions", body);
    return files.filter((file) => file.fileName === fileName);
  }

  /** Uploads a small file of text, and returns the new version's id. */
  async upload(bucketId: string, fileName: string, content: string): Promise<string> {
    for (let attempt = 1; ; attempt += 1) {
      const target = await this.uploadUrl(bucketId);
      const answer = await this.#transport.send({
        method: "POST",
        url: target.uploadUrl,
        headers: {
          authorization: target.authorizationToken,
          "content-type": "text/plain",
          "x-bz-file-name": encodeName(fileName),
          "x-bz-content-sha1": createHash("sha1").update(content).digest("hex"),
        },
        body: content,
      });
      if (answer.status === 200) return (JSON.parse(answer.body) as FileVersion).fileId;
      // Backblaze asks for another URL after whatever went wrong with one.
      if (attempt === TRIES) {
        throw new B2Error("b2_upload_file", answer.status, codeOf(answer.body), "");
      }
    }
  }

  /** Where the key may upload to. */
  async uploadUrl(bucketId: string): Promise<{ uploadUrl: string; authorizationToken: string }> {
    return await this.#call("b2_get_upload_url", { bucketId });
  }

  /** Hides a file. */
  async hide(bucketId: string, fileName: string): Promise<void> {
    await this.#call("b2_hide_file", { bucketId, fileName });
  }

  /**
   * Whether the key may change the bucket's settings. It is asked for at a revision that no bucket
   * has any more, so that nothing changes either way.
   */
  async mayChange(bucketId: string): Promise<boolean> {
    const body = { accountId: undefined, bucketId, ifRevisionIs: 1 };
    try {
      await this.#call("b2_update_bucket", body);
    } catch (error) {
      if (isRefusal(error)) return false;
      if (!hasCode(error, "conflict")) throw error;
    }
    return true;
  }

  /** The visible files that begin so, by name. */
  async *files(bucketId: string, prefix: string): AsyncGenerator<StoredFile> {
    for (let startFileName: string | null = prefix; startFileName !== null;) {
      const body: object = { bucketId, prefix, startFileName, maxFileCount: PAGE };
      const page: Page = await this.#call<Page>("b2_list_file_names", body);
      yield* page.files;
      startFileName = page.nextFileName;
    }
  }

  /** Whether there is any version of a file that begins so, hidden ones included. */
  async hasVersions(bucketId: string, prefix: string): Promise<boolean> {
    const body = { bucketId, prefix, maxFileCount: 1 };
    const { files } = await this.#call<{ files: FileVersion[] }>("b2_list_file_versions", body);
    return files.length > 0;
  }

  /** Removes a version for good. */
  async remove(fileName: string, fileId: string): Promise<void> {
    await this.#call("b2_delete_file_version", { fileName, fileId });
  }

  /** Reads a version of a file of text; undefined where the service refuses it. */
  async read(fileId: string): Promise<string | undefined> {
    const { apiInfo, authorizationToken } = await this.#client.authorize();
    return await readText(
      this.#transport,
      `${apiInfo.storageApi.downloadUrl}/b2api/v3/b2_download_file_by_id?fileId=${encodeURIComponent(fileId)}`,
      { authorization: authorizationToken },
    );
  }

  /** The status of a download by somebody without any key. */
  async statusForAnybody(bucketName: string, fileName: string): Promise<number> {
    const { apiInfo } = await this.#client.authorize();
    const url = `${apiInfo.storageApi.downloadUrl}/file/${bucketName}/${encodeName(fileName)}`;
    return (await this.#transport.send({ method: "GET", url, headers: {} })).status;
  }

  // The service itself is to refuse what the key may not do, so nothing is asked for beforehand.
  async #call<Answer>(operation: string, body: object): Promise<Answer> {
    return await this.#client.call<Answer>(operation, body, { needs: [] });
  }
}

/** Whether the service said no, for want of a right. */
export function isRefusal(error: unknown): boolean {
  return error instanceof B2Error && (error.status === 401 || error.status === 403);
}

async function readText(
  transport: Transport,
  url: string,
  headers: Record<string, string>,
): Promise<string | undefined> {
  const answer = await transport.send({ method: "GET", url, headers });
  if (answer.status === 200) return answer.body;
  if ([401, 403, 404].includes(answer.status)) return undefined;
  throw new B2Error("b2_download_file_by_id", answer.status, codeOf(answer.body), "");
}

function codeOf(body: string): string {
  try {
    const { code } = JSON.parse(body) as { code?: unknown };
    return typeof code === "string" ? code : "unknown";
  } catch {
    return "unknown";
  }
}

function encodeName(fileName: string): string {
  return fileName.split("/").map(encodeURIComponent).join("/");
}
