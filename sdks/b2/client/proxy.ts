import { EnvHttpProxyAgent, request } from "undici";
import {
  defaultTimeouts,
  maxConnections,
  toConnectionError,
  type Transport,
  type TransportTimeouts,
} from "./transport.ts";

// Raised before any byte of the request is on its way.
const neverSent = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Like the ordinary transport, through the proxy that the environment names. */
export function proxyTransport(timeouts: TransportTimeouts = defaultTimeouts): Transport {
  const dispatcher = new EnvHttpProxyAgent({
    connect: { timeout: timeouts.connect },
    headersTimeout: timeouts.answer,
    bodyTimeout: timeouts.answer,
    connections: maxConnections,
  });
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
        const { code = "" } = error as { code?: string };
        throw toConnectionError(url, error, !neverSent.has(code), signal);
      }
    },
    close: () => dispatcher.close(),
  };
}
