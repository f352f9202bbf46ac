import {
  B2Error,
  CancelledError,
  ConnectionError,
  hasCode,
  OutcomeUnknownError,
  UserError,
} from "./errors.ts";
import { httpTransport, type HttpResponse, type Transport } from "./transport.ts";
import type { Authorization } from "./types.ts";

/** The account's address where none is given. */
export const productionUrl = "https://api.backblazeb2.com";

/** Whom to speak to, and as whom. */
export interface Credentials {
  applicationKeyId: string;
  applicationKey: string;
  /** "production" or a URL. */
  endpoint: string;
}

export interface ClientOptions {
  transport?: Transport;
  /** How often a request is sent at most. */
  attempts?: number;
  /** Waits; in milliseconds. */
  sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  random?: () => number;
}

export interface CallOptions<T> {
  /** The API's version. */
  version?: 3 | 4;
  /** Capabilities without which the service would refuse. They are checked first. */
  needs: string[];
  /**
   * For a call that is not safe to repeat: looks whether the lost attempt was carried out, and
   * gives its result, or undefined when it was not, or was undone.
   */
  lookFirst?: () => Promise<T | undefined>;
  /** True for a call that only reads: it is given up at once when the user cancels. */
  reads?: boolean;
}

// Backblaze's integration rules: Retry-After where given, else a wait that doubles from 1 s to 64 s.
const firstWait = 1_000;
const longestWait = 64_000;

/**
 * The B2 native API: authorises once, again when the token has expired, and retries what may be
 * retried (408, 429, 5xx, broken connections).
 */
export class Client {
  readonly #credentials: Credentials;
  readonly #transport: Transport;
  readonly #attempts: number;
  readonly #sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly #random: () => number;
  readonly #cancelled = new AbortController();
  #authorization: Promise<Authorization> | undefined;
  #current: Authorization | undefined;

  constructor(credentials: Credentials, options: ClientOptions = {}) {
    this.#credentials = credentials;
    this.#transport = options.transport ?? httpTransport();
    this.#attempts = options.attempts ?? 6;
    this.#sleep = options.sleep ?? abortableSleep;
    this.#random = options.random ?? Math.random;
  }

  /**
   * The account and what the key may do; asked for once.
   *
   * @throws UserError - When the credentials are missing or refused.
   */
  authorize(): Promise<Authorization> {
    this.#authorization ??= this.#authorizeNow();
    return this.#authorization;
  }

  /**
   * Proves that the secret of another key is the right one, by authorising with it.
   *
   * @throws UserError - When the service refuses it. The secret is not in the message.
   */
  async prove(applicationKeyId: string, applicationKey: string): Promise<void> {
    const { endpoint } = this.#credentials;
    const base = endpointUrl(endpoint);
    const other = new Client(
      { applicationKeyId, applicationKey, endpoint },
      {
        transport: this.#transport,
        attempts: this.#attempts,
        sleep: this.#sleep,
        random: this.#random,
      },
    );
    const end = () => other.cancel();
    if (this.#cancelled.signal.aborted) throw new CancelledError();
    this.#cancelled.signal.addEventListener("abort", end);
    try {
      await other.authorize();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      throw new UserError(
        `${base} refused the secret that is given for the key: it is another's, or the key was deleted or has ended.`,
      );
    } finally {
      this.#cancelled.signal.removeEventListener("abort", end);
    }
  }

  /** Ends waits and reads; a write that is under way may still come to its end. */
  cancel(): void {
    this.#cancelled.abort();
  }

  /** Closes the connections. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  /**
   * Calls an operation, such as "b2_list_buckets", and gives its answer. A member `accountId` of the
   * body is filled in.
   *
   * @throws UserError - When the key lacks a capability, or is refused.
   * @throws B2Error - When the service refuses.
   * @throws OutcomeUnknownError - When a call with `lookFirst` was lost for good.
   */
  async call<T>(operation: string, body: object, options: CallOptions<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const result = await this.#attempt<T>(operation, body, options);
      if ("answer" in result) return result.answer;
      const { error, wait } = result;
      const lost = options.lookFirst && mayHaveActed(error);
      try {
        if (!isTransient(error) || attempt >= this.#attempts) throw error;
        await this.#wait(attempt, wait);
        if (!lost) continue;
        const found = await options.lookFirst?.();
        if (found !== undefined) return found;
      } catch (thrown) {
        throw lost ? new OutcomeUnknownError(operation, asError(thrown)) : thrown;
      }
    }
  }

  async #attempt<T>(
    operation: string,
    body: object,
    { needs, version = 4, reads = false }: CallOptions<T>,
  ): Promise<{ answer: T } | { error: unknown; wait: number | undefined }> {
    const signal = reads ? this.#cancelled.signal : undefined;
    for (let reauthorized = false; ; reauthorized = true) {
      const authorization = await this.authorize();
      requireCapabilities(authorization, needs, operation);
      let answer: HttpResponse;
      try {
        answer = await this.#transport.send(
          {
            method: "POST",
            url: `${authorization.apiInfo.storageApi.apiUrl}/b2api/v${version}/${operation}`,
            headers: {
              ...commonHeaders,
              authorization: authorization.authorizationToken,
              "content-type": "application/json",
            },
            body: JSON.stringify(
              "accountId" in body ? { ...body, accountId: authorization.accountId } : body,
            ),
          },
          signal,
        );
      } catch (error) {
        return { error, wait: undefined };
      }
      if (answer.status === 200) {
        try {
          return { answer: JSON.parse(answer.body) as T };
        } catch {
          // Something between has put its own page in the place of the answer: that is lost.
          const error = new ConnectionError(`${operation}: the answer is not JSON`, true);
          return { error, wait: undefined };
        }
      }
      const error = toError(operation, answer);
      if (!isTokenExpired(error) || reauthorized) return { error, wait: retryAfter(answer) };
      this.#forget(authorization);
    }
  }

  // Several calls may find the same token expired; only the first of them drops it.
  #forget(authorization: Authorization): void {
    if (this.#current !== authorization) return;
    this.#current = undefined;
    this.#authorization = undefined;
  }

  async #authorizeNow(): Promise<Authorization> {
    const { applicationKeyId, applicationKey, endpoint } = this.#credentials;
    if (!applicationKeyId || !applicationKey) {
      throw new UserError(
        "No B2 credentials: set b2:applicationKeyId and b2:applicationKey " +
          "(pulumi config set --secret), or B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY.",
      );
    }
    const base = endpointUrl(endpoint);
    const basic = Buffer.from(`${applicationKeyId}:${applicationKey}`).toString("base64");
    for (let attempt = 1; ; attempt++) {
      let wait: number | undefined;
      let error: Error;
      try {
        const answer = await this.#transport.send(
          {
            method: "GET",
            url: `${base}/b2api/v4/b2_authorize_account`,
            headers: { ...commonHeaders, authorization: `Basic ${basic}` },
          },
          this.#cancelled.signal,
        );
        if (answer.status === 200) {
          this.#current = JSON.parse(answer.body) as Authorization;
          return this.#current;
        }
        const answered = toError("b2_authorize_account", answer);
        if (answered.status === 401 && !isTokenExpired(answered)) throw refused(base, answered);
        error = answered;
        wait = retryAfter(answer);
      } catch (thrown) {
        if (!(thrown instanceof ConnectionError)) throw thrown;
        error = thrown;
      }
      const mayPass = isTransient(error) || isTokenExpired(error);
      if (!mayPass || attempt >= this.#attempts) {
        // The next call may find the service back.
        this.#authorization = undefined;
        throw error;
      }
      await this.#wait(attempt, wait);
    }
  }

  async #wait(attempt: number, retryAfterMs: number | undefined): Promise<void> {
    const doubled = Math.min(firstWait * 2 ** (attempt - 1), longestWait);
    // Jitter, so that the resources of one stack do not come back all at once.
    const wait = retryAfterMs ?? doubled * (0.75 + this.#random() / 4);
    await this.#sleep(wait, this.#cancelled.signal);
    if (this.#cancelled.signal.aborted) throw new CancelledError();
  }
}

const commonHeaders = {
  accept: "application/json",
  "user-agent": `pulumi-b2/0.13.0 node/${process.versions.node}`,
};

/** The URL behind an endpoint: "production", or a URL without its trailing slash. */
export function endpointUrl(endpoint: string): string {
  return endpoint === "" || endpoint === "production"
    ? productionUrl
    : endpoint.replace(/\/+$/, "");
}

function refused(base: string, error: Error): UserError {
  const expired =
    error instanceof B2Error && error.code !== "unauthorized" ? ` (${error.code})` : "";
  return new UserError(
    `${base} refused the B2 credentials${expired}: check b2:applicationKeyId and b2:applicationKey, ` +
      "or B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY.",
  );
}

function requireCapabilities(authorization: Authorization, needs: string[], operation: string) {
  const has = new Set(authorization.apiInfo.storageApi.allowed.capabilities);
  const missing = needs.filter((capability) => !has.has(capability));
  if (missing.length > 0) {
    throw new UserError(
      `The B2 application key that Pulumi uses may not call ${operation}: it lacks the ` +
        `${missing.length === 1 ? "capability" : "capabilities"} ${missing.join(", ")}. ` +
        "Use a key that has it; sdks/b2/README.md lists what is needed.",
    );
  }
}

function toError(operation: string, answer: HttpResponse): B2Error {
  let body: { code?: unknown; message?: unknown } = {};
  try {
    body = JSON.parse(answer.body) as typeof body;
  } catch {
    // A proxy's page, or nothing at all; the status says enough.
  }
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return new B2Error(operation, answer.status, text(body.code) || "unknown", text(body.message));
}

function isTokenExpired(error: unknown): boolean {
  return hasCode(error, "expired_auth_token", "bad_auth_token");
}

function isTransient(error: unknown): error is Error {
  if (error instanceof ConnectionError) return true;
  return (
    error instanceof B2Error &&
    (error.status === 408 || error.status === 429 || error.status >= 500)
  );
}

// A 429 is a refusal; after a 408 or a 5xx the service may have acted and failed to say so.
function mayHaveActed(error: unknown): error is Error {
  if (error instanceof ConnectionError) return error.sent;
  return error instanceof B2Error && (error.status === 408 || error.status >= 500);
}

// RFC 9110, 10.2.3: seconds, or a date.
function retryAfter({ headers }: HttpResponse): number | undefined {
  const value = headers["retry-after"];
  if (typeof value !== "string") return undefined;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(milliseconds) ? Math.max(0, Math.min(milliseconds, 300_000)) : undefined;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function abortableSleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}
