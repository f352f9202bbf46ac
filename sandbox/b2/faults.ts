import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import { B2Error } from "./errors.ts";

/** What goes wrong on purpose; see {@link Fault}. */
export const faultSchema = z.strictObject({
  /** An operation's name, with or without `b2_`, or `*` for any. */
  operation: z.string().default("*"),
  kind: z.enum([
    "reset",
    "expired-token",
    "too-many-requests",
    "service-unavailable",
    "internal-error",
    "request-timeout",
    "delay",
  ]),
  /** Whether the server has done the work by then; for a delay, when the waiting happens. */
  when: z.enum(["before", "after"]).default("before"),
  /** So many matching calls go through first. */
  skip: z.int().min(0).default(0),
  /** So many calls are hit after that; null is all. */
  count: z.int().min(1).nullable().default(1),
  /** Sent with 429 and 503; left out when absent. */
  retryAfterSeconds: z.int().min(0).optional(),
  /** For a delay. */
  milliseconds: z.int().min(0).default(0),
});

/**
 * A fault on demand: calls of `operation` are hit `count` times after the first `skip` ones, before
 * or after the server acted.
 */
export type Fault = z.input<typeof faultSchema>;

/** A fault with its defaults filled in and what is left of it. */
export type ActiveFault = z.output<typeof faultSchema> & { hits: number };

/** The faults that are set, and which of them hits the next call. */
export interface Faults {
  /** @throws Error when it is not a fault, saying what is allowed */
  add(...faults: Fault[]): void;
  list(): ActiveFault[];
  clear(): void;
}

/** The list of active faults, in the order in which they were added. */
export class FaultList implements Faults {
  #faults: ActiveFault[] = [];

  add(...faults: Fault[]): void {
    for (const fault of faults) {
      const result = faultSchema.safeParse(fault);
      if (!result.success) throw new Error(`Not a fault:\n${z.prettifyError(result.error)}`);
      this.#faults.push({ ...result.data, hits: 0 });
    }
  }

  list(): ActiveFault[] {
    return structuredClone(this.#faults);
  }

  clear(): void {
    this.#faults = [];
  }

  /** @returns the fault that this call is hit by; every matching one counts the call */
  take(operation: string): ActiveFault | undefined {
    let hit: ActiveFault | undefined;
    for (const fault of this.#faults) {
      if (!matches(fault.operation, operation)) continue;
      if (fault.skip > 0) {
        fault.skip -= 1;
      } else if (hit === undefined) {
        hit = fault;
        fault.hits += 1;
        if (fault.count !== null) fault.count -= 1;
      }
    }
    this.#faults = this.#faults.filter((fault) => fault.count !== 0);
    return hit;
  }
}

function matches(pattern: string, operation: string): boolean {
  return pattern === "*" || pattern === operation || `b2_${pattern}` === operation;
}

/** Thrown in place of an answer: the connection is to be reset. */
export class ConnectionReset extends Error {}

/**
 * Waits, for a delay; else fails as the fault says.
 *
 * @throws B2Error or ConnectionReset
 */
export async function suffer(fault: ActiveFault): Promise<void> {
  switch (fault.kind) {
    case "delay":
      await sleep(fault.milliseconds);
      return;
    case "reset":
      throw new ConnectionReset();
    case "expired-token":
      throw new B2Error(401, "expired_auth_token", "Authorization token has expired");
    case "too-many-requests":
      throw new B2Error(429, "too_many_requests", "Too many requests", fault.retryAfterSeconds);
    case "service-unavailable":
      throw new B2Error(503, "service_unavailable", "no tomes available", fault.retryAfterSeconds);
    case "internal-error":
      throw new B2Error(500, "internal_error", "An internal error occurred");
    case "request-timeout":
      throw new B2Error(408, "request_timeout", "The service timed out reading the request");
  }
}
