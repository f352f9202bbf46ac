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

type Proxy = Awaited<ReturnType<typeof openProxy>>;

// As the client's own, without the whole of undici, whose index loads caches, mocks, WebSocket and
// fetch as well; and loaded only where there is a proxy.
async function openProxy() {
  const [connect, request, dispatcher, agent] = await Promise.all([
    import("undici/lib/api/api-connect.js"),
    import("undici/lib/api/api-request.js"),
    import("undici/lib/dispatcher/dispatcher.js"),
    import("undici/lib/dispatcher/env-http-proxy-agent.js"),
  ]);
  // What undici's index does for all of its calls; the agent needs this one.
  dispatcher.default.prototype.connect = connect.default;
  const proxy = new agent.default({
    connect: { timeout: defaultTimeouts.connect },
    headersTimeout: defaultTimeouts.answer,
    bodyTimeout: defaultTimeouts.answer,
  });
  return { proxy, request: request.default };
}

function proxyTransport(): Transport {
  let opened: Promise<Proxy> | undefined;
  return {
    async send({ method, url, headers, body }, signal) {
      const { origin, pathname, search } = new URL(url);
      opened ??= openProxy();
      const { proxy, request } = await opened;
      try {
        const options = { origin, path: `${pathname}${search}`, method, headers };
        const answer = await request.call(proxy, { ...options, body: body ?? null });
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
      await (await opened)?.proxy.close();
    },
  };
}
