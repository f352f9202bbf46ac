/** What goes through the door: listings, and the removal of named files. */
import { setTimeout } from "node:timers/promises";
import { messageOf } from "../../hub/errors.ts";
import type { HashedKind } from "../../hub/repository/layout.ts";
import type { NameTable } from "../../hub/repository/name-table.ts";
import { discardBody, HttpPool, type HttpAnswer } from "../../hub/targets/http-pool.ts";
import { LISTING_TYPE, readListing } from "../../hub/targets/rest-listing.ts";
import type { Door } from "./door.ts";

const IN_FLIGHT = 8;
const TRIES = 3;
const PAUSE_MS = 500;
const TIMEOUT_MS = 60_000;
const NOTICE_MS = 3_000;

/** Works on the hosts' repositories through an open door. */
export class DoorClient {
  readonly inFlight = IN_FLIGHT;
  readonly #door: Door;
  readonly #pool: HttpPool;

  constructor(door: Door) {
    this.#door = door;
    this.#pool = new HttpPool(`http://127.0.0.1:${door.port}`, {
      connections: IN_FLIGHT,
      idle: TIMEOUT_MS,
    });
  }

  /** Lists the files of a kind. */
  async list(host: string, kind: HashedKind): Promise<NameTable> {
    return await this.#retry(async () => {
      const response = await this.#send(host, "GET", `${kind}/`);
      if (response.statusCode === 200 && response.headers["content-type"] === LISTING_TYPE) {
        return await readListing(response.body);
      }
      await discardBody(response);
      throw new Error(`asked for the listing of ${kind}, the door answered ${response.statusCode}`);
    });
  }

  /**
   * Removes a file; one that is not there is removed already.
   *
   * @throws Error where the server did not say that it is gone.
   */
  async remove(host: string, kind: HashedKind, name: string): Promise<void> {
    await this.#retry(async () => {
      const response = await this.#send(host, "DELETE", `${kind}/${name}`);
      await discardBody(response);
      if (response.statusCode !== 200) {
        throw new Error(
          `asked to remove ${kind}/${name}, the door answered ${response.statusCode}`,
        );
      }
    });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #send(host: string, method: "GET" | "DELETE", path: string): Promise<HttpAnswer> {
    const basic = Buffer.from(`${host}:${this.#door.password}`).toString("base64");
    return await this.#pool.request({
      method,
      path: `/${encodeURIComponent(host)}/${path}`,
      headers: { accept: LISTING_TYPE, authorization: `Basic ${basic}` },
      signal: this.#door.signal,
    });
  }

  async #retry<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      this.#door.signal.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        this.#door.signal.throwIfAborted();
        if (attempt === TRIES) {
          // Where the door has gone, that is soon known, and says more than what it did to a request.
          await setTimeout(NOTICE_MS, undefined, { signal: this.#door.signal }).catch(
            () => undefined,
          );
          this.#door.signal.throwIfAborted();
          throw new Error(messageOf(error), { cause: error });
        }
        await setTimeout(PAUSE_MS * attempt);
      }
    }
  }
}
