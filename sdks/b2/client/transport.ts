import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from "undici";
import { CancelledError, ConnectionError } from "./errors.ts";

/** One HTTP request. */
export interface HttpRequest {
  method: "GET" | "POST";
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

// Raised before any byte of the request is on its way.
const neverSent = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
  "CERT_HAS_EXPIRED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/** Speaks HTTP/1.1 with kept-alive connections, through the proxy that the environment names. */
export function httpTransport(timeouts: TransportTimeouts = defaultTimeouts): Transport {
  const options: Agent.Options = {
    connect: { timeout: timeouts.connect },
    headersTimeout: timeouts.answer,
    bodyTimeout: timeouts.answer,
    keepAliveTimeout: 30_000,
    connections: 8,
  };
  const proxied = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].some(
    (name) => process.env[name],
  );
  const dispatcher: Dispatcher = proxied ? new EnvHttpProxyAgent(options) : new Agent(options);
  return {
    async send({ method, url, headers, body }, signal) {
      try {
        const answer = await request(url, {
          dispatcher,
          method,
          headers,
          body: body ?? null,
          signal: signal ?? null,
        });
        return {
          status: answer.statusCode,
          headers: answer.headers,
          body: await answer.body.text(),
        };
      } catch (error) {
        if (signal?.aborted) throw new CancelledError();
        const { code, message } = error as { code?: string; message: string };
        const host = new URL(url).host;
        throw new ConnectionError(
          `No answer from ${host}: ${code === undefined ? message : `${code} ${message}`}`,
          !neverSent.has(code ?? ""),
        );
      }
    },
    close: () => dispatcher.close(),
  };
}
