import http from "node:http";
import https from "node:https";
import { CancelledError, ConnectionError } from "./errors.ts";

/** One HTTP request. */
export interface HttpRequest {
  method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  url: string;
  headers: Record<string, string>;
  body?: string;
}

/** Its answer, read to the end. */
export interface HttpResponse {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** Sends requests; gives a {@link ConnectionError} when no whole answer comes. */
export interface Transport {
  send(request: HttpRequest, signal?: AbortSignal): Promise<HttpResponse>;
  close(): Promise<void>;
}

/** Times in milliseconds. */
export interface TransportTimeouts {
  /** Until a connection, with TLS, stands. */
  connect: number;
  /** Until an answer begins, and between two pieces of it. */
  answer: number;
}

/** What is allowed when nothing else is said: 10 s to connect, 60 s to answer. */
export const defaultTimeouts: TransportTimeouts = { connect: 10_000, answer: 60_000 };

/** Connections to one host at a time. */
export const maxConnections = 8;

/**
 * Speaks HTTP/1.1 with kept-alive connections.
 *
 * It is Node's own client, because a library's takes longer to load than a refresh takes otherwise.
 */
export function httpTransport(timeouts: TransportTimeouts = defaultTimeouts): Transport {
  const options = { keepAlive: true, maxSockets: maxConnections };
  const agents = { http: new http.Agent(options), https: new https.Agent(options) };
  return {
    async send(request, signal) {
      const progress = { connected: false };
      try {
        return await exchange(request, agents, timeouts, signal, progress);
      } catch (error) {
        throw toConnectionError(request.url, error, progress.connected, signal);
      }
    },
    close() {
      agents.http.destroy();
      agents.https.destroy();
      return Promise.resolve();
    },
  };
}

/** Whether the environment names a proxy; `proxy.ts` has the transport for it. */
export function isProxied(environment: Record<string, string | undefined>): boolean {
  return ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].some(
    (name) => environment[name],
  );
}

/** The error for a request without an answer: cancelled, or the connection's. */
export function toConnectionError(
  url: string,
  error: unknown,
  sent: boolean,
  signal: AbortSignal | undefined,
): Error {
  if (signal?.aborted) return new CancelledError();
  const { code, message } = error as { code?: string; message: string };
  const reason = code === undefined || message.includes(code) ? message : `${code} ${message}`;
  return new ConnectionError(`No answer from ${new URL(url).host}: ${reason}`, sent);
}

async function exchange(
  { method, url, headers, body = "" }: HttpRequest,
  agents: { http: http.Agent; https: https.Agent },
  timeouts: TransportTimeouts,
  signal: AbortSignal | undefined,
  progress: { connected: boolean },
): Promise<HttpResponse> {
  const target = new URL(url);
  const secure = target.protocol === "https:";
  const request = (secure ? https : http).request(target, {
    method,
    headers: { ...headers, "content-length": String(Buffer.byteLength(body)) },
    agent: secure ? agents.https : agents.http,
    timeout: timeouts.answer,
    ...(signal ? { signal } : {}),
  });
  request.on("timeout", () =>
    request.destroy(new Error(`timed out after ${timeouts.answer / 1000} s`)),
  );
  request.on("socket", (socket) => {
    if (!socket.connecting) {
      progress.connected = true;
      return;
    }
    const late = setTimeout(
      () => socket.destroy(new Error(`no connection after ${timeouts.connect / 1000} s`)),
      timeouts.connect,
    );
    socket.once(secure ? "secureConnect" : "connect", () => (progress.connected = true));
    for (const event of [secure ? "secureConnect" : "connect", "close"]) {
      socket.once(event, () => clearTimeout(late));
    }
  });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    // Not once: an error after the answer's beginning must not go unhandled.
    request.on("error", reject);
  });
  request.end(body);
  const response = await answered;
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: Buffer.concat(chunks).toString("utf8"),
  };
}
