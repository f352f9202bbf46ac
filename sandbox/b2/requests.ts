import type { IncomingMessage } from "node:http";

import { badRequest } from "./errors.ts";
import { Fields, isObject } from "./fields.ts";
import type { Json } from "./model.ts";
import { operations } from "./operations.ts";

const maximumJsonBody = 8 * 1024 * 1024;
const noFields: ReadonlySet<string> = new Set();

/** @returns a call's parameters: a GET's from its query, a POST's from its JSON body */
export async function readFields(
  operation: string,
  request: IncomingMessage,
  query: URLSearchParams,
): Promise<Fields> {
  const allowed = operations.get(operation)?.fields ?? null;
  if (allowed === null) return new Fields(operation, {}, false, noFields);
  if (request.method === "POST") {
    return new Fields(operation, await readJson(request), false, allowed);
  }
  return new Fields(operation, Object.fromEntries(query), true, allowed);
}

/**
 * @returns the JSON object of a body; an empty body is an empty object
 * @throws B2Error 400 `bad_json`-like `bad_request`
 */
export async function readJson(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > maximumJsonBody) throw badRequest("The request body is too large");
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (text.trim() === "") return {};
  const value = parse(text);
  if (!isObject(value)) throw badRequest("The request body must be a JSON object");
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badRequest("The request body is not valid JSON");
  }
}
