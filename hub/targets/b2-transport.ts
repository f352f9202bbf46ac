import connect from "undici/lib/api/api-connect.js";
import request from "undici/lib/api/api-request.js";
import Dispatcher from "undici/lib/dispatcher/dispatcher.js";
import EnvHttpProxyAgent from "undici/lib/dispatcher/env-http-proxy-agent.js";
import {
  defaultTimeouts,
  httpTransport,
  isProxied,
  toConnectionError,
  type Transport,
} from "../../sdks/b2/client/transport.ts";

/** Connections to B2, through the proxy that the environment names, where it names one. */
export function b2Transport(): Transport {
  return isProxied(process.env) ? proxyTransport() : httpTransport();
}

// As the client's own, without the whole of undici: see http-pool.ts.
function proxyTransport(): Transport {
  // What undici's index does for all of its calls; the agent needs this one.
  Dispatcher.prototype.connect = connect;
  const dispatcher = new EnvHttpProxyAgent({
    connect: { timeout: defaultTimeouts.connect },
    headersTimeout: defaultTimeouts.answer,
    bodyTimeout: defaultTimeouts.answer,
  });
  return {
    async send({ method, url, headers, body }, signal) {
      const { origin, pathname, search } = new URL(url);
      try {
        const options = { origin, path: `${pathname}${search}`, method, headers };
        const answer = await request.call(dispatcher, { ...options, body: body ?? null });
        return {
          status: answer.statusCode,
          headers: answer.headers,
          body: await answer.body.text(),
        };
      } catch (error) {
        throw toConnectionError(url, error, true, signal);
      }
    },
    async close() {
      await dispatcher.close();
    },
  };
}
