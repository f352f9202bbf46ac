import { setTimeout } from "node:timers/promises";
import type { PasswordTrio } from "../../config/manifest.ts";
import { messageOf } from "../errors.ts";
import type { RepositoryFile } from "../repository/layout.ts";
import { discardBody, HttpPool, type HttpAnswer } from "./http-pool.ts";
import { remedyOf, tlsOptions, type Trust } from "./rest-trust.ts";
import { GENERATION_OFFSETS, StopError, type AcceptedCredential } from "./target.ts";

/** How patient the client is. Times in milliseconds. */
export interface Patience {
  readonly connect: number;
  /** Without any progress of a request or an answer. */
  readonly idle: number;
  /** Tries of one request. */
  readonly attempts: number;
  /** The pause after the first failed try; it doubles with each. */
  readonly pause: number;
}

export const PATIENCE: Patience = { connect: 15_000, idle: 120_000, attempts: 6, pause: 300 };

const LONGEST_PAUSE_MS = 15_000;

/** One request to a repository. */
export interface RestRequest {
  readonly method: "GET" | "HEAD" | "POST";
  /** Below the repository's URL: "config", "data/", "?create=true". */
  readonly path: string;
  readonly headers?: Record<string, string>;
  /** Makes the body, anew for every try. */
  readonly body?: () => Buffer | AsyncIterable<Buffer>;
}

/** Where a file is below its repository's URL. rest-server itself sorts packs into folders. */
export function urlPathOf({ kind, name }: Pick<RepositoryFile, "kind" | "name">): string {
  return kind === "config" ? "config" : `${kind}/${name}`;
}

/** A connection failed, or the server answered that it cannot serve now: worth another try. */
export class TransientError extends Error {
  override name = "TransientError";
}

/** Connections to one rest-server, shared by its repositories. */
export class RestConnection {
  readonly patience: Patience;
  readonly #pool: HttpPool;
  readonly #path: string;
  readonly #url: string;
  readonly #trust: Trust;

  /** @param url - the server's base URL, ending in a slash. */
  constructor(url: string, connections: number, patience: Patience = PATIENCE, trust: Trust = {}) {
    const parsed = new URL(url);
    this.patience = patience;
    this.#url = url;
    this.#trust = trust;
    this.#path = parsed.pathname;
    this.#pool = new HttpPool(parsed.origin, {
      connections,
      connect: patience.connect,
      idle: patience.idle,
      tls: tlsOptions(trust),
    });
  }

  /** Sends one request, once. Read or dump the answer's body. */
  async send(user: string, password: string, request: RestRequest): Promise<HttpAnswer> {
    const basic = Buffer.from(`${user}:${password}`).toString("base64");
    return await this.#pool.request({
      method: request.method,
      path: `${this.#path}${encodeURIComponent(user)}/${request.path}`,
      headers: { ...request.headers, authorization: `Basic ${basic}` },
      body: request.body?.(),
    });
  }

  /** What went wrong with a connection, with the server's address. */
  describe(error: unknown): string {
    return `${this.#url}: ${messageOf(error)}${remedyOf(error, this.#trust)}`;
  }

  /** Waits before the next try. */
  async pause(attempt: number): Promise<void> {
    const longest = Math.min(LONGEST_PAUSE_MS, this.patience.pause * 2 ** attempt);
    await setTimeout(longest * (0.5 + Math.random() / 2));
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

/** One host's repository at a rest-server, with the credentials that the hub holds for it. */
export class RestRepository {
  readonly #connection: RestConnection;
  readonly #user: string;
  readonly #renew: (() => PasswordTrio | undefined) | undefined;
  #passwords: Password[];
  #accepted: AcceptedCredential | undefined;

  /**
   * @param renew - reads the passwords again, when none is accepted: a run may last for days, and
   * the hub may be deployed meanwhile. It does not throw.
   */
  constructor(
    connection: RestConnection,
    user: string,
    trio: PasswordTrio,
    renew?: () => PasswordTrio | undefined,
  ) {
    this.#connection = connection;
    this.#user = user;
    this.#renew = renew;
    this.#passwords = passwordsOf(trio);
  }

  /** The credential that the server accepted last. */
  get accepted(): AcceptedCredential | undefined {
    return this.#accepted;
  }

  /** That credential itself. */
  get password(): string | undefined {
    return this.#passwords.find(({ generation }) => generation === this.#accepted?.generation)
      ?.password;
  }

  /**
   * Sends a request once with each credential until one is accepted.
   *
   * @returns the answer, whatever its status but 401, 408, 429 and 5xx other than 507. Read or dump
   * its body.
   * @throws TransientError on a failed connection and on 408, 429 and 5xx other than 507.
   * @throws StopError of scope "host" when the server accepts none of the credentials.
   */
  async once(request: RestRequest): Promise<HttpAnswer> {
    const answer = await this.#tryAll(request);
    if (answer !== undefined) return answer;
    // The server may have changed over between two of the tries: so once more.
    await this.#connection.pause(0);
    const renewed = this.#renew?.();
    if (renewed !== undefined) this.#passwords = passwordsOf(renewed);
    const second = await this.#tryAll(request);
    if (second !== undefined) return second;
    const tried = this.#passwords.map((each) => each.age).sort();
    throw new StopError(
      "host",
      `401: the server accepts none of the credentials of user "${this.#user}" (${tried.join(", ")}). ` +
        "Deploy the hub and the peer from the same bundle: there were two rotations without a deployment between them, or its credentials were revoked.",
    );
  }

  async #tryAll(request: RestRequest): Promise<HttpAnswer | undefined> {
    for (const credential of [...this.#passwords]) {
      let response;
      try {
        response = await this.#connection.send(this.#user, credential.password, request);
      } catch (error) {
        throw new TransientError(this.#connection.describe(error), { cause: error });
      }
      const status = response.statusCode;
      if (status === 401) {
        await discard(response);
        continue;
      }
      if (status === 408 || status === 429 || (status >= 500 && status !== 507)) {
        await discard(response);
        throw new TransientError(`the server answered ${status}`);
      }
      this.#accept(credential);
      return response;
    }
    return undefined;
  }

  /** As {@link once}, with further tries after a TransientError. */
  async request(request: RestRequest): Promise<HttpAnswer> {
    return await this.retry(() => this.once(request));
  }

  /**
   * Does something until it no longer throws a TransientError.
   *
   * @throws StopError of scope "target" after the last try.
   */
  async retry<Result>(work: (attempt: number) => Promise<Result>): Promise<Result> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work(attempt);
      } catch (error) {
        if (!(error instanceof TransientError)) throw error;
        if (attempt + 1 >= this.#connection.patience.attempts) {
          throw new StopError(
            "target",
            `gave up after ${this.#connection.patience.attempts} tries: ${error.message}`,
          );
        }
        await this.#connection.pause(attempt);
      }
    }
  }

  // The credential that was accepted last is tried first from now on.
  #accept({ age, generation }: Password): void {
    const isFirst = this.#passwords[0]?.generation === generation;
    this.#accepted = { age, generation, at: new Date() };
    if (isFirst) return;
    const rank = (each: Password) => Number(each.generation === generation);
    this.#passwords = this.#passwords.toSorted((a, b) => rank(b) - rank(a));
  }
}

interface Password {
  readonly age: AcceptedCredential["age"];
  readonly generation: number;
  readonly password: string;
}

/** In the order in which they are tried. */
function passwordsOf({ generation, ...trio }: PasswordTrio): Password[] {
  return (["current", "next", "previous"] as const).flatMap((age) => {
    const password = trio[age];
    return password === null
      ? []
      : [{ age, generation: generation + GENERATION_OFFSETS[age], password }];
  });
}

/** Reads an answer's body and drops it, so that its connection can serve again. */
export async function discard(response: HttpAnswer): Promise<void> {
  await discardBody(response);
}
