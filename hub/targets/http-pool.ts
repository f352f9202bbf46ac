/**
 * undici's pool of HTTP connections, by the two files that it is made of: its index loads caches,
 * mocks, WebSocket and fetch as well, which would be a third of the agent's start, and the start is
 * most of a night with nothing new.
 */
import type { Dispatcher, Pool as PoolType } from "undici";
import request from "undici/lib/api/api-request.js";
import Pool from "undici/lib/dispatcher/pool.js";

/** Keep-alive connections to one server. */
export class HttpPool {
  readonly #pool: PoolType;

  /** @param origin - scheme, host and port, as in a URL. */
  constructor(origin: string, options: PoolType.Options) {
    this.#pool = new Pool(origin, options);
  }

  /** Sends a request on a free connection. Read or dump the answer's body. */
  async request(options: Dispatcher.RequestOptions): Promise<Dispatcher.ResponseData> {
    return await request.call(this.#pool, options);
  }

  /** Ends all connections, with what is under way on them. */
  async destroy(): Promise<void> {
    await this.#pool.destroy();
  }
}
