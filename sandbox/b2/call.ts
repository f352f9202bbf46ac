import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

import type { Fields } from "./fields.ts";
import type { ApiVersion } from "./model.ts";
import type { World } from "./world.ts";

/** One request, routed and with its parameters read. */
export interface Call {
  world: World;
  operation: string;
  version: ApiVersion;
  method: string;
  headers: Headers;
  query: URLSearchParams;
  /** What follows the operation in the path, decoded: of an upload its target, of a download its file. */
  target: readonly string[];
  fields: Fields;
  /** The body, for operations that stream it. */
  body: IncomingMessage;
}

/** Request headers by lower-case name. */
export type Headers = Record<string, string | undefined>;

/** An answer: JSON, or a stream of file content. */
export interface Reply {
  status?: number;
  headers?: Record<string, string>;
  json?: unknown;
  /** Made only when the answer is really sent. */
  stream?: () => AsyncIterable<Buffer>;
}

/** @returns the headers, a repeated one joined by commas */
export function plainHeaders(headers: IncomingHttpHeaders): Headers {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(",") : value,
    ]),
  );
}
