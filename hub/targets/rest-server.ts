import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { PasswordTrio } from "../../config/manifest.ts";
import { forEachConcurrent } from "../concurrency.ts";
import { messageOf } from "../errors.ts";
import {
  HASHED_KINDS,
  pathOf,
  type HashedKind,
  type RepositoryFile,
} from "../repository/layout.ts";
import { NameTable } from "../repository/name-table.ts";
import {
  newChunkBuffers,
  openIfPresent,
  RottenFileError,
  verifiedChunks,
  type ChunkBuffers,
  type OpenFile,
} from "../repository/verified-read.ts";
import type { HttpAnswer } from "./http-pool.ts";
import { RateLimit } from "./rate-limit.ts";
import {
  discard,
  RestConnection,
  RestRepository,
  TransientError,
  urlPathOf,
  type Patience,
} from "./rest-client.ts";
import { LISTING_TYPE, readListing } from "./rest-listing.ts";
import type { Trust } from "./rest-trust.ts";
import {
  StopError,
  type AcceptedCredential,
  type Inventory,
  type SendObserver,
  type SendResult,
  type Target,
} from "./target.ts";

/** Files on their way at a time. rest-server syncs each to disk, which others use to travel. */
const IN_FLIGHT = 8;

/** Files up to this size travel with their headers, from memory. */
const SMALL_BYTES = 256 * 1024;

const CONFIG_LIMIT_BYTES = 64 * 1024;

/** How a rest-server target is reached. */
export interface RestServerOptions {
  readonly name: string;
  /** The server's base URL, ending in a slash. */
  readonly url: string;
  readonly maxBytes: number | undefined;
  /** The hub's folder of repositories. */
  readonly repositories: string;
  /** By host: its user name at the server and its passwords. */
  readonly users: ReadonlyMap<string, { user: string; passwords: PasswordTrio }>;
  /** Reads a host's passwords again, for when the server accepts none of them. It does not throw. */
  readonly renew?: (host: string) => PasswordTrio | undefined;
  /** Bytes a second; Infinity for no limit. */
  readonly uploadLimit: number;
  readonly patience?: Patience;
  /** How it proves who it is, where it speaks TLS. */
  readonly trust?: Trust;
}

/**
 * A rest-server, over version 2 of restic's REST API. It is taken to be append-only: whatever is
 * there stays as it is.
 */
export class RestServerTarget implements Target {
  readonly name: string;
  readonly maxBytes: number | undefined;
  readonly groupBytes = 0;
  readonly replaces = false;
  readonly #options: RestServerOptions;
  readonly #connection: RestConnection;
  readonly #limit: RateLimit;
  /** Memory of files that have arrived, for those that follow. */
  readonly #buffers: ChunkBuffers[] = [];
  readonly #repositories = new Map<string, RestRepository>();
  /** Hosts without a repository there, once one has been asked for with its making. */
  readonly #created = new Map<string, Promise<void> | undefined>();

  constructor(options: RestServerOptions) {
    this.name = options.name;
    this.maxBytes = options.maxBytes;
    this.#options = options;
    this.#connection = new RestConnection(options.url, IN_FLIGHT, options.patience, options.trust);
    this.#limit = new RateLimit(options.uploadLimit);
  }

  async inventory(hosts: readonly string[]): Promise<Map<string, Inventory | Error>> {
    const found = new Map<string, Inventory | Error>();
    await forEachConcurrent(hosts, IN_FLIGHT, async (host) => {
      try {
        found.set(host, await this.#inventoryOf(host));
      } catch (error) {
        found.set(host, error instanceof Error ? error : new Error(String(error)));
      }
    });
    return found;
  }

  async send(files: Iterable<RepositoryFile>, observer: SendObserver): Promise<void> {
    await forEachConcurrent(files, IN_FLIGHT, async (file) => {
      const repository = this.#repository(file.host);
      await this.#createIfMissing(file.host, repository);
      const result = await repository.retry((attempt) =>
        this.#sendOnce(repository, file, attempt, observer),
      );
      observer.done(file, result);
    });
  }

  credential(host: string): AcceptedCredential | undefined {
    return this.#repositories.get(host)?.accepted;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #repository(host: string): RestRepository {
    let repository = this.#repositories.get(host);
    if (repository === undefined) {
      const user = this.#options.users.get(host);
      if (user === undefined) {
        throw new StopError("host", `hub-credentials.json has no user for host "${host}"`);
      }
      repository = new RestRepository(this.#connection, user.user, user.passwords, () =>
        this.#options.renew?.(host),
      );
      this.#repositories.set(host, repository);
    }
    return repository;
  }

  async #createIfMissing(host: string, repository: RestRepository): Promise<void> {
    if (!this.#created.has(host)) return;
    const created = this.#created.get(host) ?? createRepository(repository);
    this.#created.set(host, created);
    await created;
  }

  async #inventoryOf(host: string): Promise<Inventory> {
    const repository = this.#repository(host);
    // Alone and first: it finds the credential that the server accepts.
    const content = await readConfig(repository);
    if (content === undefined) this.#created.set(host, undefined);
    const tables = await Promise.all(
      HASHED_KINDS.map(async (kind) => [kind, await list(repository, kind)] as const),
    );
    return {
      config: content && { size: content.length, content },
      files: Object.fromEntries(tables) as Record<HashedKind, NameTable>,
    };
  }

  async #sendOnce(
    repository: RestRepository,
    file: RepositoryFile,
    attempt: number,
    observer: SendObserver,
  ): Promise<SendResult> {
    const path = join(this.#options.repositories, file.host, pathOf(file.kind, file.name));
    // The answer to the last try may have been lost after the server had stored the file.
    if (attempt > 0) {
      const result = await lookAt(repository, file);
      if (result !== undefined) return result;
    }
    let open: OpenFile | undefined;
    try {
      open = await openIfPresent(path);
      if (open === undefined) return { result: "vanished" };
      return await this.#post(repository, file, open, attempt, observer);
    } catch (error) {
      if (error instanceof TransientError || error instanceof StopError) throw error;
      if (error instanceof RottenFileError) return { result: "rotten", reason: error.message };
      return { result: "failed", reason: messageOf(error) };
    } finally {
      await open?.handle.close();
    }
  }

  async #post(
    repository: RestRepository,
    file: RepositoryFile,
    open: OpenFile,
    attempt: number,
    observer: SendObserver,
  ): Promise<SendResult> {
    let body: () => Buffer | AsyncIterable<Buffer>;
    let spare: ChunkBuffers | undefined;
    let unreadable: unknown;
    let { size } = open;
    if (open.size <= SMALL_BYTES) {
      const content = await readWhole(open, file);
      // Of a config that has grown meanwhile no bytes must follow the request.
      size = content.length;
      await this.#limit.take(content.length);
      body = () => content;
      observer.bytes(content.length);
    } else {
      body = () => {
        // Of its own for each try: one that was refused may still be on its way.
        const buffers = this.#takeBuffers();
        spare = undefined;
        return this.#paced(open, file.name, buffers, observer, (error) => {
          if (error === undefined) spare = buffers;
          else unreadable = error;
        });
      };
    }
    let response: HttpAnswer;
    try {
      response = await repository.once({
        method: "POST",
        path: urlPathOf(file),
        headers: {
          "content-type": "application/octet-stream",
          "content-length": String(size),
        },
        body,
      });
    } catch (error) {
      // The connection was cut on purpose, before the last bytes.
      throw unreadable ?? error;
    }
    await discard(response);
    // The server has read all of it, so no socket holds a part of it any more, and nobody fills them.
    if (spare !== undefined && response.statusCode === 200) this.#buffers.push(spare);
    return await judge(repository, file, response.statusCode, attempt);
  }

  /** None with a limit: what is paced waits in the socket's queue, where it must not be read over. */
  #takeBuffers(): ChunkBuffers | undefined {
    if (this.#options.uploadLimit !== Infinity) return undefined;
    return this.#buffers.pop() ?? newChunkBuffers();
  }

  async *#paced(
    open: OpenFile,
    name: string,
    buffers: ChunkBuffers | undefined,
    observer: SendObserver,
    onEnd: (error: unknown) => void,
  ): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of verifiedChunks(open, name, buffers)) {
        for (const slice of this.#limit.slices(chunk)) {
          await this.#limit.take(slice.length);
          yield slice;
          observer.bytes(slice.length);
        }
      }
      onEnd(undefined);
    } catch (error) {
      onEnd(error);
      throw error;
    }
  }
}

/** What the answer to an upload means. */
async function judge(
  repository: RestRepository,
  file: RepositoryFile,
  status: number,
  attempt: number,
): Promise<SendResult> {
  switch (status) {
    case 200:
    case 201:
      return { result: "sent" };
    case 400:
      // The content was checked here, so it was changed or cut on the way.
      if (attempt < 2) throw new TransientError("the file did not arrive whole (400)");
      return { result: "failed", reason: "it did not arrive whole, three times (400)" };
    case 403: {
      const there = await lookAt(repository, file);
      return there ?? { result: "failed", reason: "the server refuses to store it (403)" };
    }
    case 413:
      return {
        result: "failed",
        reason: `the server refuses a body of ${file.size} bytes (413); raise the limit of the proxy before it`,
      };
    case 507:
      throw new StopError("target", "the target is full: its disk or its quota (507)");
    default:
      return { result: "failed", reason: `the server answered ${status}` };
  }
}

/** Whether the file is at the target: undefined where it is not. */
async function lookAt(
  repository: RestRepository,
  file: RepositoryFile,
): Promise<SendResult | undefined> {
  const response = await repository.once({ method: "HEAD", path: urlPathOf(file) });
  await discard(response);
  if (response.statusCode !== 200) return undefined;
  const size = Number(response.headers["content-length"]);
  if (size === file.size) return { result: "present" };
  return {
    result: "failed",
    reason: `the target has ${size} of its ${file.size} bytes, which the operator alone can remove there`,
  };
}

async function readConfig(repository: RestRepository): Promise<Buffer | undefined> {
  return await repository.retry(async () => {
    const response = await repository.once({ method: "GET", path: "config" });
    if (response.statusCode !== 200) await discard(response);
    if (response.statusCode === 404) return undefined;
    if (response.statusCode !== 200) throw unexpected("config", response.statusCode);
    try {
      const content = await buffer(response.body);
      if (content.length <= CONFIG_LIMIT_BYTES) return content;
    } catch (error) {
      throw new TransientError(messageOf(error), { cause: error });
    }
    throw new StopError("host", "the target's config is too large to be restic's");
  });
}

async function list(repository: RestRepository, kind: HashedKind): Promise<NameTable> {
  return await repository.retry(async () => {
    const headers = { accept: LISTING_TYPE };
    const response = await repository.once({ method: "GET", path: `${kind}/`, headers });
    const status = response.statusCode;
    if (status === 200 && response.headers["content-type"] === LISTING_TYPE) {
      try {
        return await readListing(response.body);
      } catch (error) {
        if (error instanceof StopError) throw error;
        throw new TransientError(`listing of ${kind}: ${messageOf(error)}`, { cause: error });
      }
    }
    await discard(response);
    if (status === 404) return new NameTable();
    throw unexpected(`the listing of ${kind}`, status);
  });
}

async function createRepository(repository: RestRepository): Promise<void> {
  const response = await repository.request({ method: "POST", path: "?create=true" });
  await discard(response);
  if (response.statusCode !== 200) throw unexpected("a new repository", response.statusCode);
}

function unexpected(what: string, status: number): StopError {
  const hint = status === 200 ? " with another content: is it a rest-server?" : "";
  return new StopError("host", `asked for ${what}, the server answered ${status}${hint}`);
}

/**
 * Reads a small file and checks it. `config` has no hash in its name; what it holds is protected by
 * the repository's password.
 */
async function readWhole(open: OpenFile, file: RepositoryFile): Promise<Buffer> {
  if (file.kind === "config") return await open.handle.readFile();
  const chunks: Buffer[] = [];
  for await (const chunk of verifiedChunks(open, file.name)) chunks.push(chunk);
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}
