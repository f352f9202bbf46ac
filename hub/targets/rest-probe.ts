import { createHash } from "node:crypto";
import { forEachConcurrent } from "../concurrency.ts";
import { messageOf } from "../errors.ts";
import {
  HASHED_KINDS,
  isFileName,
  type HashedKind,
  type RepositoryFile,
} from "../repository/layout.ts";
import { NameTable } from "../repository/name-table.ts";
import type { CanaryReport, Probe, ReadBack } from "./probe.ts";
import { RestCanary } from "./rest-canary.ts";
import {
  discard,
  RestConnection,
  RestRepository,
  TransientError,
  urlPathOf,
} from "./rest-client.ts";
import { LISTING_TYPE, readListingInto, type Names } from "./rest-listing.ts";
import type { RestServerOptions } from "./rest-server.ts";
import { tryCertificate } from "./rest-trust.ts";
import { Oddities, StopError } from "./target.ts";

/** Files read at a time. */
const IN_FLIGHT = 4;

/** A rest-server, with the hub's credentials of each host. */
export class RestProbe implements Probe {
  readonly #options: RestServerOptions;
  readonly #connection: RestConnection;
  readonly #canary: RestCanary;

  constructor(options: RestServerOptions) {
    this.#options = options;
    this.#connection = new RestConnection(options.url, IN_FLIGHT, options.patience, options.trust);
    this.#canary = new RestCanary(options, this.#connection);
  }

  async readBack(
    files: Iterable<RepositoryFile>,
    done: (file: RepositoryFile, result: ReadBack) => void,
  ): Promise<void> {
    await forEachConcurrent(files, IN_FLIGHT, async (file) => {
      const repository = this.#repository(file.host);
      done(file, await repository.retry(() => readOnce(repository, file)));
    });
  }

  async oddities(host: string): Promise<Oddities> {
    const repository = this.#repository(host);
    const found = new Oddities();
    for (const kind of [...HASHED_KINDS, "locks"] as const) {
      found.addAll(await repository.retry(() => odditiesOf(repository, kind)));
    }
    return found;
  }

  async tryHost(host: string): Promise<CanaryReport> {
    return await this.#canary.tryHost(host);
  }

  async tryTarget(): Promise<CanaryReport> {
    return await tryCertificate(new URL(this.#options.url), this.#options.trust ?? {});
  }

  async close(): Promise<void> {
    await this.#canary.close();
    await this.#connection.close();
  }

  #repository(host: string): RestRepository {
    const user = this.#options.users.get(host);
    if (user === undefined) {
      throw new StopError("host", `hub-credentials.json has no user for host "${host}"`);
    }
    return new RestRepository(this.#connection, user.user, user.passwords, () =>
      this.#options.renew?.(host),
    );
  }
}

async function odditiesOf(
  repository: RestRepository,
  kind: HashedKind | "locks",
): Promise<Oddities> {
  const found = new Oddities();
  const headers = { accept: LISTING_TYPE };
  const response = await repository.once({ method: "GET", path: `${kind}/`, headers });
  if (response.statusCode !== 200) {
    await discard(response);
    return found;
  }
  try {
    const names = kind === "locks" ? new NameTable() : NOBODY;
    await readListingInto(names, response.body, (name) => found.add(`${kind}/${name}`));
    if (names instanceof NameTable) found.locks = names.count;
    return found;
  } catch (error) {
    if (error instanceof StopError) throw error;
    throw new TransientError(`listing of ${kind}: ${messageOf(error)}`, { cause: error });
  }
}

/** For a listing of which only what is odd is wanted. */
const NOBODY: Names = {
  set: () => undefined,
  setFrom: (text, at) =>
    isFileName(Buffer.from(text.buffer, text.byteOffset + at, 64).toString("latin1")),
};

async function readOnce(repository: RestRepository, file: RepositoryFile): Promise<ReadBack> {
  const response = await repository.once({ method: "GET", path: urlPathOf(file) });
  if (response.statusCode !== 200) {
    await discard(response);
    return { result: "unreadable", reason: `the server answered ${response.statusCode}` };
  }
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      hash.update(chunk);
      bytes += chunk.length;
      // Leaving the loop ends the connection.
      if (bytes > file.size) return { result: "unreadable", reason: "longer than listed" };
    }
  } catch (error) {
    throw new TransientError(messageOf(error), { cause: error });
  }
  return { result: "read", bytes, sha256: hash.digest("hex") };
}
