import type { IncomingMessage } from "node:http";

import type { Reply } from "./call.ts";
import { B2Error, badRequest } from "./errors.ts";
import type { Fault } from "./faults.ts";
import type { Json } from "./model.ts";
import { readJson } from "./requests.ts";
import type { World } from "./world.ts";

/**
 * The emulator's own calls, without authorisation:
 *
 * - GET or DELETE `/emulator/stats`: the counters; sets them back to zero
 * - GET, POST or DELETE `/emulator/faults`: `{faults: [...]}` or one fault
 * - GET or POST `/emulator/clock`: `{advanceMilliseconds}`
 * - GET or POST `/emulator/caps`: `{storageBytes, classB, classC}`, null for none
 *
 * @throws B2Error 404 or 400
 */
export async function control(
  world: World,
  request: IncomingMessage,
  pathname: string,
): Promise<Reply> {
  const body = request.method === "POST" ? await readJson(request) : {};
  const run = handlers[`${request.method ?? "GET"} ${pathname}`];
  if (run === undefined) {
    throw new B2Error(
      404,
      "not_found",
      `no such call; there are: ${Object.keys(handlers).join(", ")}`,
    );
  }
  try {
    return { json: run(world, body) };
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
}

const handlers: Record<string, (world: World, body: Json) => unknown> = {
  "GET /emulator/stats": stats,
  "DELETE /emulator/stats": (world) => {
    world.counters.reset();
    return stats(world);
  },
  "GET /emulator/faults": faults,
  "POST /emulator/faults": (world, body) => {
    const list = Array.isArray(body.faults) ? (body.faults as Fault[]) : [body as Fault];
    world.faults.add(...list);
    return faults(world);
  },
  "DELETE /emulator/faults": (world) => {
    world.faults.clear();
    return faults(world);
  },
  "GET /emulator/clock": clock,
  "POST /emulator/clock": (world, body) => {
    world.advance(Number(body.advanceMilliseconds));
    return clock(world);
  },
  "GET /emulator/caps": (world) => world.caps.get(),
  "POST /emulator/caps": (world, body) => {
    world.caps.set(body);
    return world.caps.get();
  },
};

function stats(world: World): unknown {
  return world.counters.snapshot(world.store.storedBytes);
}

function faults(world: World): unknown {
  return { faults: world.faults.list() };
}

function clock(world: World): unknown {
  return { now: world.now() };
}
