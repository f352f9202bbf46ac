import type { IncomingMessage, ServerResponse } from "node:http";

import { plainHeaders, type Reply } from "./call.ts";
import { control } from "./control.ts";
import { B2Error } from "./errors.ts";
import { type ActiveFault, ConnectionReset, suffer } from "./faults.ts";
import { operations } from "./operations.ts";
import { readFields } from "./requests.ts";
import { type Route, route } from "./router.ts";
import { checkTestMode } from "./test-mode.ts";
import type { World } from "./world.ts";

/** Answers one HTTP request; never throws. */
export async function handle(
  world: World,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // Not through URL, which would take away the dots of a file's name such as "a/../b".
  const [pathname = "/", search = ""] = (request.url ?? "/").split(/\?(.*)/s);
  const query = new URLSearchParams(search);
  if (pathname.startsWith("/emulator/")) {
    await answer(response, () => control(world, request, pathname));
    return;
  }
  let found: Route;
  try {
    found = route(request.method ?? "GET", pathname);
  } catch (error) {
    await answer(response, () => {
      throw error;
    });
    return;
  }
  world.counters.begin(found.operation);
  const fault = world.faults.take(found.operation);
  world.counters.end(await answer(response, async () => run(world, request, query, found, fault)));
}

async function run(
  world: World,
  request: IncomingMessage,
  query: URLSearchParams,
  found: Route,
  fault: ActiveFault | undefined,
): Promise<Reply> {
  if (fault?.when === "before") await suffer(fault);
  const call = {
    world,
    ...found,
    method: request.method ?? "GET",
    headers: plainHeaders(request.headers),
    query,
    fields: await readFields(found.operation, request, query),
    body: request,
  };
  checkTestMode(call);
  world.caps.checkTransaction(found.operation, world.counters);
  const reply = (await operations.get(found.operation)?.run(call)) ?? {};
  if (fault?.when !== "after") return reply;
  if (fault.kind === "reset" && reply.stream !== undefined && request.method === "GET") {
    return { ...reply, stream: cutShort(reply.stream) };
  }
  await suffer(fault);
  return reply;
}

async function answer(
  response: ServerResponse,
  produce: () => Reply | Promise<Reply>,
): Promise<number | "reset"> {
  let reply: Reply;
  try {
    reply = await produce();
  } catch (error) {
    if (error instanceof ConnectionReset) {
      reset(response);
      return "reset";
    }
    reply = errorReply(error);
  }
  try {
    return await send(response, reply);
  } catch {
    // A body that cannot be sent to its end must not look whole.
    reset(response);
    return "reset";
  }
}

async function send(response: ServerResponse, reply: Reply): Promise<number> {
  const status = reply.status ?? 200;
  if (reply.stream === undefined) {
    const body = Buffer.from(JSON.stringify(reply.json ?? {}, null, 2));
    response.writeHead(status, {
      "Content-Type": "application/json;charset=UTF-8",
      "Cache-Control": "max-age=0, no-cache, no-store",
      "Content-Length": body.length,
      ...reply.headers,
    });
    response.end(body);
    return status;
  }
  response.writeHead(status, reply.headers);
  if (response.req.method !== "HEAD") {
    for await (const chunk of reply.stream()) {
      if (response.destroyed) throw new ConnectionReset();
      if (!response.write(chunk)) await drained(response);
    }
  }
  response.end();
  return status;
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      response.off("drain", onDrain);
      response.off("close", onClose);
      done();
    };
    const onDrain = (): void => settle(resolve);
    const onClose = (): void => settle(() => reject(new ConnectionReset()));
    response.once("drain", onDrain);
    response.once("close", onClose);
  });
}

function errorReply(error: unknown): Reply {
  if (error instanceof B2Error) {
    const { status, code, message, retryAfterSeconds } = error;
    return {
      status,
      json: { status, code, message },
      ...(retryAfterSeconds === undefined
        ? {}
        : { headers: { "Retry-After": retryAfterSeconds.toString() } }),
    };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { status: 500, json: { status: 500, code: "internal_error", message } };
}

function reset(response: ServerResponse): void {
  const { socket } = response;
  if (socket === null) response.destroy();
  else socket.resetAndDestroy();
}

// The client has half the first chunk, and then the connection is gone.
function cutShort(stream: () => AsyncIterable<Buffer>): () => AsyncIterable<Buffer> {
  return async function* () {
    for await (const chunk of stream()) {
      yield chunk.subarray(0, chunk.length / 2);
      break;
    }
    throw new ConnectionReset();
  };
}
