/**
 * Keep-alive connections to one server, by Node.js's own HTTP client. What `undici` does more the
 * agent does not need, and its parser alone costs as much memory as the rest of the agent, and a
 * third of its start, which is most of a night with nothing new.
 */
import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { urlToHttpOptions } from "node:url";

/** How connections are made and given up. Times in milliseconds. */
export interface HttpPoolOptions {
  /** How many at a time; those that want more wait. */
  readonly connections?: number;
  /** Until a connection, with TLS, stands. */
  readonly connect?: number;
  /** Without a byte from or to the server. */
  readonly idle: number;
  readonly tls?: { readonly ca?: string; readonly servername?: string };
}

/** One request. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Each of its chunks must hold until the next one is asked for. */
  readonly body?: Buffer | AsyncIterable<Buffer> | undefined;
  readonly signal?: AbortSignal;
}

/** An answer. Read its body, or {@link discardBody}. */
export interface HttpAnswer {
  readonly statusCode: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: IncomingMessage;
}

const CONNECT_MS = 10_000;

/** How long a connection is kept that nobody uses. */
const KEEP_MS = 30_000;

/** More of a body that nobody wants is not worth its connection. */
const DISCARD_BYTES = 128 * 1024;

export class HttpPool {
  readonly #options: HttpPoolOptions;
  readonly #server: http.RequestOptions;
  readonly #agent: http.Agent | https.Agent;
  readonly #pending = new Set<ClientRequest>();

  /** @param origin - scheme, host and port, as in a URL. */
  constructor(origin: string, options: HttpPoolOptions) {
    const { protocol, hostname, port } = urlToHttpOptions(new URL(origin));
    this.#options = options;
    this.#server = { protocol, hostname, ...(port !== undefined && { port }) };
    const { connections = Infinity, tls } = options;
    const keep = { keepAlive: true, timeout: KEEP_MS, maxSockets: connections };
    this.#agent =
      protocol === "https:"
        ? // Whatever NODE_TLS_REJECT_UNAUTHORIZED says: passwords go over it.
          new https.Agent({ ...keep, ...tls, rejectUnauthorized: true })
        : new http.Agent(keep);
  }

  /**
   * Sends a request on a free connection. What the body throws ends the request and is thrown.
   *
   * @throws Error where no answer begins.
   */
  async request({ method, path, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
    const request = this.#begin({
      ...{ ...this.#server, method, path, headers: { ...headers } },
      ...{ agent: this.#agent, timeout: this.#options.idle },
      ...(signal !== undefined && { signal }),
    });
    const answered = new Promise<HttpAnswer>((resolve, reject) => {
      request.on("error", (error) => reject(firstOf(error)));
      // Also without an error, as after an offer to speak something else than HTTP.
      request.once("close", () => reject(new Error("the server ended the connection unanswered")));
      request.once("response", (response) => {
        // A server that has said no need not be sent the rest, but then this connection is spent.
        response.once("end", () => {
          if (!request.writableFinished) request.destroy();
        });
        const { statusCode = 0, headers: fields } = response;
        resolve({ statusCode, headers: fields, body: response });
      });
    });
    if (body === undefined || Buffer.isBuffer(body)) request.end(body);
    else void feed(request, body);
    return await answered;
  }

  /** Ends all connections, with what is under way on them. */
  destroy(): Promise<void> {
    for (const request of this.#pending) request.destroy(new Error("the connection was closed"));
    this.#agent.destroy();
    return Promise.resolve();
  }

  #begin(options: http.RequestOptions): ClientRequest {
    const isSecure = this.#server.protocol === "https:";
    const request = isSecure ? https.request(options) : http.request(options);
    this.#pending.add(request);
    request.once("close", () => this.#pending.delete(request));
    limitSilence(request, this.#options.idle);
    request.once("socket", (socket) => {
      limitConnecting(request, socket, this.#options.connect ?? CONNECT_MS, isSecure);
    });
    return request;
  }
}

/** Reads an answer's body and drops it, so that its connection can serve again. It does not throw. */
export async function discardBody({ body }: HttpAnswer): Promise<void> {
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > DISCARD_BYTES) break;
    }
  } catch {
    // The status is all that was asked for.
  }
}

/** Sends a body chunk by chunk, each after the one before it has left this process. */
async function feed(request: ClientRequest, body: AsyncIterable<Buffer>): Promise<void> {
  try {
    for await (const chunk of body) {
      if (request.destroyed) return;
      await written(request, chunk);
    }
    request.end();
  } catch (error) {
    request.destroy(error as Error);
  }
}

async function written(request: ClientRequest, chunk: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    request.write(chunk, (error) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}

function limitConnecting(
  request: ClientRequest,
  socket: Socket,
  milliseconds: number,
  isSecure: boolean,
): void {
  if (!socket.connecting) return;
  const timer = setTimeout(() => {
    request.destroy(new Error(`no connection within ${milliseconds / 1000} s`));
  }, milliseconds);
  const end = (): void => clearTimeout(timer);
  socket.once(isSecure ? "secureConnect" : "connect", end);
  socket.once("close", end);
}

/** Gives up where nothing comes or goes, or where what comes is no answer to what was sent whole. */
function limitSilence(request: ClientRequest, milliseconds: number): void {
  const seconds = milliseconds / 1000;
  let response: IncomingMessage | undefined;
  let timer: NodeJS.Timeout | undefined;
  request.on("timeout", () => {
    const error = new Error(`not a byte came or went for ${seconds} s`);
    // Who reads the answer is told as well.
    response?.destroy(error);
    request.destroy(error);
  });
  request.once("finish", () => {
    if (response !== undefined || request.destroyed) return;
    timer = setTimeout(() => {
      request.destroy(new Error(`no answer began within ${seconds} s`));
    }, milliseconds);
  });
  request.once("response", (it) => {
    response = it;
    clearTimeout(timer);
  });
  request.once("close", () => clearTimeout(timer));
}

/** One of the errors of a name with several addresses: together they have no message. */
function firstOf(error: Error): Error {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first instanceof Error ? first : error;
}
